"""What a detector with a kernel and columns on shared rows has, and perhaps a table of its own: in: its columns; out:
the hits of its kernel, and its memory.

The one law: what is kept from run to run is what was named here, and nothing of the batch at hand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.alert import Detection
from sensor.detection.by_row import ByRow, Columns
from sensor.detection.detector import Batch, sweep
from sensor.structures.entity_ahead import AHEAD
from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_tables import EntityTables
from sensor.structures.memory import Memory, State
from sensor.structures.shared_columns import SharedColumns


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


class KeptShared(ABC):
    """Columns on shared rows that take no memory where no row is in use; they are made when the tables' size is known.

    `hits` is room for the kernel's, `progress` its figures; `faults` counts rows on which it raised; `restored` takes
    over what `besides` gave, once the columns are what they were.
    """

    def __init__(
        self, hit: np.dtype[Any], progress: int,
        restored: Callable[[Mapping[str, npt.NDArray[Any]]], None] | None = None,
    ) -> None:  # fmt: skip
        self._restored = restored
        self.hits = np.zeros(limits.HITS_MAX, hit)
        self.progress = np.zeros(progress, np.int64)
        self.faults = 0
        self.columns: SharedColumns | None = None
        self._saved: Mapping[str, npt.NDArray[Any]] = {}

    def process(self, batch: Batch) -> list[Detection]:
        if self.columns is None:
            self.columns = self.made(batch.tables)
            if self._saved and self.columns.restore(self._saved) and self._restored is not None:
                self._restored(self._saved)
            self._saved = {}
        columns = self.columns
        detections: list[Detection] = []
        self.faults += sweep(
            lambda start: self.find(batch, columns.arrays, start),
            len(batch.transactions),
            self.progress,
            lambda hits: detections.extend(
                self.detection(hit, batch.transactions[hit["row"]], batch.entities[hit["row"]])
                for hit in self.hits[:hits]
            ),
        )
        return detections

    @property
    def evicted(self) -> int:
        """None of its own: the shared entity tables count theirs."""
        return 0

    @abstractmethod
    def made(self, tables: EntityTables) -> SharedColumns:
        """The columns, with nothing in them."""

    @abstractmethod
    def find(self, batch: Batch, own: Mapping[str, npt.NDArray[Any]], start: int) -> int:
        """Run the kernel from row `start` on; the row to go on with."""

    @abstractmethod
    def detection(self, hit: Any, transaction: Any, entity: Any) -> Detection:
        """What a hit says."""

    def besides(self) -> State:
        """What else is to be saved."""
        return {}

    def state(self) -> State:
        """See structures/memory.py; rows mean what the shared entity tables say, which are saved as well."""
        return dict(self._saved) if self.columns is None else self.besides() | self.columns.state()

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        """What is restored is looked at when the entity tables are there."""
        self._saved = dict(saved)
        return True


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
