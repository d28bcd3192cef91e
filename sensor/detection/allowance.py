"""How many rows may be looked at one by one: in: rows that ask for it; out: whether they may.

The one law: who is let through depends on packet time and on the number of rows alone, never on how they were cut into
batches, and a flood of rows never costs more than all else.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MOST, _PER_SECOND, _PER_ROW = 2_000.0, 50.0, 1 / 40
"""Looks: saved up at most, and what a second of packet time and a transaction add."""

Saved = tuple[float, int, int]


class Allowance:
    """`refused` rows so far."""

    def __init__(self) -> None:
        self.refused = 0
        self._looks = _MOST
        self._rows = self._now = self._row = 0

    def state(self) -> Saved:
        return self._looks, self._now, self._rows - self._row

    def restore(self, saved: Saved) -> None:
        self._looks, self._now, self._rows = saved
        self._row = 0

    def affords(self, place: int, now: int) -> bool:
        """Whether row `place` of this batch, at packet time `now`, may be looked at."""
        row = self._rows + place
        seconds = max(now - self._now, 0) / 1e9 if self._now else 0.0
        self._looks = min(self._looks + seconds * _PER_SECOND + (row - self._row) * _PER_ROW, _MOST)
        self._now, self._row = max(now, self._now), row
        if self._looks < 1:
            self.refused += 1
            return False
        self._looks -= 1
        return True

    def afforded(self, places: npt.NDArray[np.intp], nows: npt.NDArray[np.int64]) -> list[int]:
        """Those of rows `places`, at packet times `nows`, that may be looked at: what asking one by one would say."""
        seconds = np.maximum(nows - (self._now or nows[0]), 0) / 1e9
        earned = seconds * _PER_SECOND + (places + self._rows - self._row) * _PER_ROW
        afforded, looks, before, at = [], self._looks, 0.0, 0
        while at < len(places):
            looks, before = min(looks + earned[at] - before, _MOST), earned[at]
            if looks >= 1:
                looks -= 1
                afforded.append(int(places[at]))
                at += 1
            else:
                at = max(at + 1, int(np.searchsorted(earned, before + 1 - looks)))
        self._looks = float(min(looks + earned[-1] - before, _MOST))
        self._now, self._row = max(int(nows[-1]), self._now), self._rows + int(places[-1])
        self.refused += len(places) - len(afforded)
        return afforded

    def passed(self, rows: int) -> None:
        """A batch of so many rows is over."""
        self._rows += rows
