"""Rules over a batch: in: a batch; out: for each rule the rows that it matches.

The one law: one scan of each pooled column tells which rows a rule must look at; the rule looks at no others.
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
        self._transactions = [place for place, each in enumerate(rules) if each.source.of is Of.TRANSACTIONS]
        self._flows = [place for place, each in enumerate(rules) if each.source.of is Of.FLOWS]
        self._scan = Scan([rules[place].condition.guard for place in self._transactions])

    @property
    def shed(self) -> int:
        return self._scan.shed

    def rows(self, batch: Batch, strings: Strings) -> dict[int, Rows]:
        """Rule's place -> rows of transactions, or of flows, in order; rules that match none are left out."""
        found: dict[int, Rows] = {}
        asked = Asked(strings, len(batch.transactions))
        if len(batch.transactions) and self._transactions:
            every = np.arange(len(batch.transactions))
            candidates = self._scan.candidates(batch, strings)
            candidates.update((rule, every) for rule in self._scan.unguarded)
            for rule, rows in candidates.items():
                self._ask(self._transactions[rule], batch, asked, rows, found)
        if len(batch.flows):
            every, asked = np.arange(len(batch.flows)), Asked(strings, len(batch.flows))
            for place in self._flows:
                self._ask(place, batch, asked, every, found)
        return found

    def _ask(self, place: int, batch: Batch, strings: Asked, rows: Rows, found: dict[int, Rows]) -> None:
        held = rows[self._rules[place].condition.holds(batch, strings, rows)]
        if len(held):
            found[place] = held
