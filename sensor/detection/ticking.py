"""Packet time in steps: in: rows whose `now` never decreases; out: parts of them, and the moments between.

The one law: where rows are cut depends on packet time alone, so what is decided at a tick is the same however rows are
cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_NOTES_MAX = 64
"""Lists of rows with hashes that are kept of a step before they are made one."""
_SPREAD = np.uint64(0xBF58476D1CE4E5B9)


class Part(NamedTuple):
    """Rows from `start` to `stop` of one step; at its end, when `tick` is not 0, packet time `tick` (ns) has come."""

    start: int
    stop: int
    tick: int


class Ticks:
    """Steps of `step_ns`. `reach` ticks without a row are told one by one; what is longer ago than that is over."""

    def __init__(self, step_ns: int, reach: int) -> None:
        self._step, self._reach = step_ns, reach
        self.current = np.full(1, -1, np.int64)
        """The step that rows fall into, -1 before the first; an array, so that a restart can restore it."""

    def parts(self, nows: npt.NDArray[np.int64], now: int) -> Iterator[Part]:
        """Parts of rows with these `nows`, then what is due until packet time `now`."""
        at = 0
        while at < len(nows):
            step = int(nows[at]) // self._step
            if self.current[0] < 0:
                self.current[0] = step
            yield from self._passed(step)
            stop = int(np.searchsorted(nows, (step + 1) * self._step))
            yield Part(at, stop, 0)
            at = stop
        if self.current[0] >= 0:
            yield from self._passed(now // self._step)

    def _passed(self, step: int) -> Iterator[Part]:
        """A tick for each step that is over before `step`."""
        told = 0
        while self.current[0] < step:
            self.current[0] += 1
            yield Part(0, 0, int(self.current[0]) * self._step)
            told += 1
            if told > self._reach:
                self.current[0] = step


class Rolling:
    """Sums per row over the last `buckets` steps: `now` is the bucket of the present step."""

    def __init__(self, rows: int, buckets: int) -> None:
        self.cells = np.zeros((buckets, rows), np.int32)
        self.total = np.zeros(rows, np.int32)
        self.used = rows
        """Rows from here on are not in use, and are left alone."""
        self._place = np.zeros(1, np.int64)
        self._filled = [True] * buckets  # buckets that may hold something: those that were restored may

    def add(self, rows: npt.NDArray[np.integer], counts: npt.NDArray[np.integer]) -> None:
        """Add to the present step; no row comes twice."""
        self._filled[int(self._place[0])] = True
        self.cells[int(self._place[0])][rows] += counts
        self.total[rows] += counts

    def clear(self, rows: npt.NDArray[np.integer]) -> None:
        """These rows are somebody else's now. Memory that was never written stays unwritten: it costs none."""
        counted = rows[self.total[rows] != 0]
        self.cells[:, counted] = 0
        self.total[counted] = 0

    def windows(self, rows: int) -> dict[str, npt.NDArray[Any]]:
        """What a restart must bring back, of the first so many rows."""
        return {"cells": self.cells[:, :rows], "total": self.total[:rows], "place": self._place}

    def step(self) -> None:
        """The present step is over; the oldest one is forgotten."""
        place = (int(self._place[0]) + 1) % len(self.cells)
        self._place[0] = place
        if self._filled[place]:
            oldest = self.cells[place, : self.used]
            rows = np.flatnonzero(oldest)
            self.total[rows] -= oldest[rows]
            oldest[rows] = 0
            self._filled[place] = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added in all of the steps, as far as that is known."""
        return not any(self._filled)


class Distinct:
    """How many different hashes per row over the last `buckets` steps, by linear counting (Whang and others, 1990):
    within 10 % up to some 600.
    """

    BITS = 256

    def __init__(self, rows: int, buckets: int) -> None:
        self.cells = np.zeros((buckets, rows, self.BITS // 64), np.uint64)
        self._place = np.zeros(1, np.int64)
        self._used = np.zeros(buckets, np.bool_)
        self._noted: list[list[npt.NDArray[np.integer]] | None] = [[] for _ in range(buckets)]

    def recall(self) -> None:
        """The cells were restored: which rows have any is to be looked for."""
        self._noted = [None] * len(self._used)

    def add(self, rows: npt.NDArray[np.integer], hashes: npt.NDArray[np.uint64]) -> None:
        """Note hashes in the present step; rows may repeat."""
        place = int(self._place[0])
        bits = (hashes ^ hashes >> np.uint64(32)) * _SPREAD >> np.uint64(64 - self.BITS.bit_length() + 1)
        words = rows.astype(np.intp) * (self.BITS // 64) + (bits // np.uint64(64)).astype(np.intp)
        np.bitwise_or.at(self.cells[place].reshape(-1), words, np.uint64(1) << (bits % np.uint64(64)))
        self._used[place] |= len(rows) > 0
        noted = self._noted[place]
        if noted is not None:
            noted.append(np.unique(rows))
            if len(noted) > _NOTES_MAX:
                self._noted[place] = [np.unique(np.concatenate(noted))]

    def clear(self, rows: npt.NDArray[np.integer]) -> None:
        """These rows are somebody else's now. Memory that was never written stays unwritten."""
        for place in np.flatnonzero(self._used):
            noted = self.cells[place, rows].any(axis=1)
            self.cells[place, rows[noted]] = 0

    def windows(self, rows: int) -> dict[str, npt.NDArray[Any]]:
        """What a restart must bring back, of the first so many rows."""
        return {"cells": self.cells[:, :rows], "place": self._place, "used": self._used}

    def step(self) -> None:
        place = (int(self._place[0]) + 1) % len(self.cells)
        self._place[0] = place
        noted = self._noted[place]
        if self._used[place]:
            self.cells[place, self.cells[place].any(axis=1) if noted is None else np.concatenate(noted)] = 0
            self._used[place] = False
        self._noted[place] = []

    def count(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Estimates for these rows."""
        seen = np.bitwise_or.reduce(self.cells[:, rows], axis=0)
        zeros = self.BITS - np.bitwise_count(seen).sum(axis=1, dtype=np.int64)
        estimate: npt.NDArray[np.float64] = -self.BITS * np.log(np.maximum(zeros, 0.5) / self.BITS)
        return estimate
