"""A written pattern: in: nothing; out: the record that the tables of patterns are made of.

The one law: an expression is what hyperscan takes (no look-around, no back-references), is matched without regard to
case, and its dot matches line ends.
"""

from __future__ import annotations

from typing import NamedTuple


class Pattern(NamedTuple):
    """`points` when `expression` is found in a reading of a value; `plain`: also in the midst of prose, else half."""

    kind: str
    points: int
    evidence: str
    expression: str
    plain: bool = False
