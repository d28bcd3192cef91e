"""Whose the rows of a shared entity table are: in: batches; out: rows that changed hands, and how often each comes.

The one law: what a detector keeps of a row that is somebody else's now is cleared before it is counted again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensor.detection.by_row import ByRow
from sensor.detection.detector import Batch
from sensor.detection.owners_kernel import Column, count_rows, new_owners
from sensor.structures.entity_tables import SharedTable

Rows = npt.NDArray[np.int32]


class Owners:
    """The rows of the table that `column` names; `records` keeps their generations over restarts."""

    def __init__(self, column: str, records: ByRow) -> None:
        self.column = column
        self._records = records
        self._number = int(Column[column.upper()])
        self._known: npt.NDArray[np.uint32] | None = None
        self._room = np.zeros(0, np.int32)

    def table(self, batch: Batch) -> SharedTable:
        table: SharedTable = getattr(batch.tables, self.column)
        return table

    def changed(self, batch: Batch) -> Rows:
        """Rows of this batch that belong to others than before, each once; their records are cleared."""
        table = self.table(batch)
        records = self._records.of(table)
        if self._known is None:
            self._known = records["generation"].copy()
        if len(self._room) < len(batch.entities):
            self._room = np.zeros(2 * len(batch.entities), np.int32)
        found = new_owners(batch.entities, self._number, self._known, table.generations, self._room)
        rows = self._room[:found].copy()
        if found:
            records[rows] = np.zeros(1, records.dtype)
            records["generation"][rows] = table.generations[rows]
        return rows

    def count(self, batch: Batch, start: int, stop: int, counts: Rows, width: int = 1, mark: int = 0) -> Rows:
        """Add one to counts[row * width] for each transaction of a part; those at which it comes to `mark`."""
        found = count_rows(batch.entities, self._number, start, stop, counts, width, mark, self._room)
        return self._room[:found].copy()
