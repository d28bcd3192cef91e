"""Whose the rows of the shared entity tables are: in: batches; out: rows that changed hands.

The one law: what a detector keeps of a row that is somebody else's now is cleared before it is counted again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.detection.by_row import ByRow
from sensor.detection.detector import Batch, Changed, Table
from sensor.detection.owners_kernel import Column, new_owners
from sensor.structures.entity_tables import EntityTables, SharedTable

Rows = npt.NDArray[np.int32]


class NewOwners:
    """The rows of each batch that were somebody else's in the batches before, for all detectors at once."""

    def __init__(self) -> None:
        self._known: list[npt.NDArray[np.uint32]] = []
        self._number = 0
        self._room = np.zeros(0, np.int32)
        self._counts = np.zeros(len(Column), np.int64)

    def of(self, entities: Table, tables: EntityTables) -> Changed:
        """Each row once."""
        self._number += 1
        if not len(entities):
            return Changed(self._number, _NONE)
        generations = [getattr(tables, column.name.lower()).generations for column in Column]
        if not self._known:
            self._known = [np.zeros(len(each), np.uint32) for each in generations]
        if len(self._room) < 4 * len(entities):
            self._room = np.zeros(8 * len(entities), np.int32)
        pairs: list[Any] = [each for pair in zip(self._known, generations, strict=True) for each in pair]
        new_owners(entities, *pairs, self._room, self._counts)  # type: ignore[call-arg]  # counts no items
        quarter, counts = len(self._room) // 4, self._counts.tolist()
        rows = {
            column.name.lower(): self._room[column * quarter : column * quarter + counts[column]].copy()
            for column in Column
        }
        return Changed(self._number, rows)


_NONE = {column.name.lower(): np.zeros(0, np.int32) for column in Column}


class Owners:
    """The rows of the table that `column` names; `records` keeps their generations over restarts."""

    def __init__(self, column: str, records: ByRow) -> None:
        self.column = column
        self._records = records
        self._number = 0

    def table(self, batch: Batch) -> SharedTable:
        table: SharedTable = getattr(batch.tables, self.column)
        return table

    def changed(self, batch: Batch) -> Rows:
        """Rows that belong to others than at the batch before, each once; their records are cleared."""
        table = self.table(batch)
        records = self._records.of(table)
        if self._number and batch.changed.number == self._number + 1:
            rows = batch.changed.rows[self.column]
        else:  # the first batch after a start, a restart or a rest
            rows = np.flatnonzero(records["generation"] != table.generations).astype(np.int32)
        self._number = batch.changed.number
        if len(rows):
            records[rows] = np.zeros(1, records.dtype)
            records["generation"][rows] = table.generations[rows]
        return rows
