"""Columns that a detector keeps by the row of a shared entity table: in: the table, at the first batch; out: records.

A record's first field is `generation`: a kernel that finds another one there than the table has clears the record. The
one law: the columns are as long as the table, or as `rows_max` where that is less, and what was kept before a restart
is there before the first row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.structures.entity_table_kernels import Use
from sensor.structures.entity_tables import SharedTable

Array = npt.NDArray[Any]


class ByRow:
    """Records of `dtype`, `per_row` for each row of a table that is not known before `of` is first asked; rows from
    `rows_max` on have none.
    """

    def __init__(self, dtype: npt.DTypeLike, per_row: int = 1, rows_max: int | None = None) -> None:
        self._dtype, self._per_row, self._rows_max = np.dtype(dtype), per_row, rows_max
        self._array: Array | None = None
        self._saved: Array | None = None
        self._table: SharedTable | None = None

    def of(self, table: SharedTable) -> Array:
        """The records, rows * per_row of them."""
        if self._array is None:
            self._table = table
            rows = table.rows if self._rows_max is None else min(table.rows, self._rows_max)
            self._array = np.zeros(rows * self._per_row, self._dtype)
            if self._saved is not None:
                rows = min(len(self._saved), len(self._array))
                for name in set(self._dtype.names or ()) & set(self._saved.dtype.names or ()):
                    self._array[name][:rows] = self._saved[name][:rows]
                if self._dtype.names is None:
                    self._array[:rows] = self._saved[:rows]
                self._saved = None
        return self._array

    def state(self) -> Array:
        """The records of rows that were ever taken."""
        if self._array is None or self._table is None:
            return np.zeros(0, self._dtype) if self._saved is None else self._saved
        rows = self._table.reserved + int(self._table.state[Use.ROWS])
        return self._array[: rows * self._per_row]

    def restore(self, saved: Array) -> bool:
        """Take over what `state` gave; False when it is another kind of record."""
        if (saved.dtype.names is None) != (self._dtype.names is None):
            return False
        self._saved = saved
        return True


class Columns:
    """Several ByRow as one memory: `state` and `restore` of a detector."""

    def __init__(self, **columns: ByRow) -> None:
        self._columns = columns

    def state(self) -> dict[str, Array]:
        return {name: column.state() for name, column in self._columns.items()}

    def restore(self, saved: Mapping[str, Array]) -> bool:
        return all(column.restore(saved[name]) for name, column in self._columns.items() if name in saved)
