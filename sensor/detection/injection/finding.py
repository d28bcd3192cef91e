"""What the judges say of a value: in: nothing; out: the record they share, and how sure a score is.

The one law: points of one class add up over the evidence found in one reading of one value; WEAK is worth a low alert,
STRONG one of the rule's own severity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

WEAK = 5
STRONG = 10


class Finding(NamedTuple):
    """Evidence that a value is an attack of class `kind`: `points`, and what was seen in words that hold no data."""

    kind: str
    points: int
    evidence: str


Judge = Callable[[str], list[Finding]]
"""A judge gets one reading of a value and gives its findings."""
