"""Rules over a batch: in: a batch; out: for each rule the rows that it matches.

The one law: one scan of each column of texts tells which rows a rule must look at; the rule looks at no others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Batch, Strings
from sensor.detection.sigma.column import Asked, Of
from sensor.detection.sigma.rules import Detecting
from sensor.detection.sigma.scan import Scan

Rows = npt.NDArray[np.intp]


class Matching:
    """Built of the detection rules; `shed` counts scans that were broken off because too much was found."""

    def __init__(self, rules: Sequence[Detecting]) -> None:
        self._rules = list(rules)
        self._of: dict[Of, tuple[list[int], Scan]] = {}
        for of in Of:
            places = [place for place, each in enumerate(rules) if each.source.of is of]
            if places:
                self._of[of] = places, Scan(of, [rules[place].condition.guard for place in places])

    @property
    def shed(self) -> int:
        return sum(scan.shed for _, scan in self._of.values())

    def rows(self, batch: Batch, strings: Strings) -> dict[int, Rows]:
        """Rule's place -> rows of its table, in order; rules that match none are left out."""
        found: dict[int, Rows] = {}
        for of, (places, scan) in self._of.items():
            total = len(of.rows(batch))
            if not total:
                continue
            asked, every = Asked(strings, total), np.arange(total)
            candidates = scan.candidates(batch, strings)
            candidates.update((rule, every) for rule in scan.unguarded)
            for rule, rows in candidates.items():
                self._ask(places[rule], batch, asked, rows, found)
        return found

    def _ask(self, place: int, batch: Batch, strings: Asked, rows: Rows, found: dict[int, Rows]) -> None:
        held = rows[self._rules[place].condition.holds(batch, strings, rows)]
        if len(held):
            found[place] = held
