"""What a detector with a kernel and columns on shared rows has, and perhaps a table of its own: in: its columns; out:
the hits of its kernel, and its memory.

The one law: what is kept from run to run is what was named here, and nothing of the batch at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.detection.by_row import ByRow, Columns
from sensor.detection.detector import sweep
from sensor.structures.entity_ahead import AHEAD
from sensor.structures.entity_table import EntityTable
from sensor.structures.memory import Memory, State


class KeptByRow:
    """`columns` on shared rows; `hits` is room for the kernel's, `progress` its figures; `faults` counts rows on which
    it raised.
    """

    def __init__(self, columns: Mapping[str, ByRow], hit: np.dtype[Any], progress: int) -> None:
        self.hits = np.zeros(limits.HITS_MAX, hit)
        self.progress = np.zeros(progress, np.int64)
        self.faults = 0
        self._columns = Columns(**columns)

    @property
    def evicted(self) -> int:
        return 0

    def state(self) -> State:
        return self._columns.state()

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        return self._columns.restore(saved)

    def sweep(self, rows: int, kernel: Callable[[int], int], said: Callable[[Any], object]) -> None:
        """Run the kernel from row to row of a batch of `rows`, and say each of its hits."""

        def say(hits: int) -> None:
            for hit in self.hits[:hits]:
                said(hit)

        self.faults += sweep(kernel, rows, self.progress, say)


class Kept(KeptByRow):
    """The same with a table of the detector's own, `name`d in what is saved, with columns in `own`; `hashes` is room
    to look ahead in it.
    """

    def __init__(
        self, name: str, table: EntityTable, own: Mapping[str, npt.NDArray[Any]], columns: Mapping[str, ByRow],
        hit: np.dtype[Any], progress: int,
    ) -> None:  # fmt: skip
        super().__init__(columns, hit, progress)
        self.table = table
        self.hashes = np.zeros(AHEAD, np.uint64)
        self._memory = Memory()
        self._memory.keep(name, table, **own)

    @property
    def evicted(self) -> int:
        return self.table.evicted

    def state(self) -> State:
        return {**self._memory.state(), **super().state()}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        return self._memory.restore(saved) and super().restore(saved)
