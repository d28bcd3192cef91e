"""A detector's columns by the rows of the shared entity tables: in: the tables; out: arrays, and their state.

The one law: restored columns are used only with the very tables that they were saved with (their random seeds tell), as
a row and its generation would otherwise name somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.structures.entity_table_kernels import Use
from sensor.structures.entity_tables import EntityTables, SharedTable
from sensor.structures.memory import copy_fields

Array = npt.NDArray[Any]


class SharedColumns:
    """`arrays` by name, each with `per_row` items for every row of its table; zeros at first."""

    def __init__(self, tables: EntityTables) -> None:
        self.arrays: dict[str, Array] = {}
        self._tables: dict[str, SharedTable] = {}
        self._shared = tables

    def add(self, table: str, name: str, dtype: np.dtype[Any], per_row: int = 1) -> None:
        """A column of the shared table of that name."""
        self._tables[name] = getattr(self._shared, table)
        self.arrays[name] = np.zeros(self._tables[name].rows * per_row, dtype)

    def _used(self, name: str) -> Array:
        """The column's rows that were ever taken, the reserved ones first."""
        table = self._tables[name]
        return self.arrays[name].reshape(table.rows, -1)[: table.reserved + int(table.state[Use.ROWS])]

    def state(self) -> dict[str, Array]:
        """Each column, and the seeds of its table."""
        columns = {name: self._used(name) for name in self.arrays}
        return columns | {f"{name}.seeds": table.seeds for name, table in self._tables.items()}

    def restore(self, saved: Mapping[str, Array]) -> bool:
        """Take over what `state` gave, after the entity tables were restored; False when they are others, or when none
        of the columns is known. A column that is new stays as it is.
        """
        kept = [name for name in self._tables if name in saved]
        for name in kept:
            used = self._used(name)
            known = np.array_equal(saved[f"{name}.seeds"], self._tables[name].seeds)
            if not known or len(saved[name]) > len(used) or saved[name].shape[1:] != used.shape[1:]:
                return False
        for name in kept:
            copy_fields(saved[name], self._used(name)[: len(saved[name])])
        return bool(kept)
