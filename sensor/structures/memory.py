"""What outlives a restart: in: entity tables with what is kept of each entity; out: named arrays, and back.

    self.memory = Memory()
    self.memory.keep("pairs", self.pairs, cells=self.cells, times=self.times)   # arrays of rows_max * k items
    state, restore = self.memory.state, self.memory.restore                     # that is all a detector needs

The one law: an upgrade loses nothing that still has a meaning. Records are taken over field by field, tables may have
grown; only what no longer fits (a table made smaller than what it held, another number of items a row) begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sensor.structures.entity_index import index_entities
from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_table_kernels import Use

Array = npt.NDArray[Any]
State = dict[str, Array]


@runtime_checkable
class Remembering(Protocol):
    """Whatever has a memory that a restart must not cost."""

    def state(self) -> State:
        """Arrays by name, to be written before anything else runs: they may be views of live tables."""
        ...

    def restore(self, saved: Mapping[str, Array]) -> bool:
        """Take over what `state` gave, once, before the first row; False when it does not fit and all is as new."""
        ...


class _Kept(NamedTuple):
    table: EntityTable
    columns: dict[str, Array]


def _fits(saved: Array, rows: int, per_row: int, target: Array) -> bool:
    if saved.shape != (rows, per_row):
        return False
    if target.dtype.names is None:
        return saved.dtype.names is None and np.can_cast(saved.dtype, target.dtype, "same_kind")
    return saved.dtype.names is not None


def copy_fields(saved: Array, target: Array) -> None:
    """Field by field: a field that only one of them has stays as it is."""
    if target.dtype.names is None:
        target[...] = saved
        return
    for name in target.dtype.names:
        if name in (saved.dtype.names or ()):
            target[name] = saved[name]


class Memory:
    """Tables by name, each with its columns; arrays that belong to no table."""

    def __init__(self) -> None:
        self._tables: dict[str, _Kept] = {}
        self._arrays: dict[str, Array] = {}

    def keep(self, name: str, table: EntityTable, **columns: Array) -> None:
        """Remember a table, and columns of which each row of the table has as many items as every other."""
        self._tables[name] = _Kept(table, columns)

    def keep_arrays(self, **arrays: Array) -> None:
        """Remember arrays as a whole; they must keep their size."""
        self._arrays |= arrays

    def state(self) -> State:
        """See Remembering: of each table the rows that were ever taken."""
        state: State = dict(self._arrays)
        for name, (table, columns) in self._tables.items():
            rows = int(table.state[Use.ROWS])
            state[f"{name}.entities"] = table.entities[:rows]
            state[f"{name}.use"] = table.state
            state[f"{name}.seeds"] = table.seeds
            for column, array in columns.items():
                state[f"{name}.{column}"] = array.reshape(len(table.entities), -1)[:rows]
        return state

    def restore(self, saved: Mapping[str, Array]) -> bool:
        """See Remembering; what `saved` does not know stays as it is."""
        known = [name for name in self._tables if f"{name}.entities" in saved]
        arrays = [name for name in self._arrays if name in saved]
        if not all(self._table_fits(name, saved) for name in known) or any(
            saved[name].shape != self._arrays[name].shape for name in arrays
        ):
            return False
        for name in arrays:
            copy_fields(saved[name], self._arrays[name])
        for name in known:
            self._restore_table(name, saved)
        return True

    def _table_fits(self, name: str, saved: Mapping[str, Array]) -> bool:
        table, columns = self._tables[name]
        rows = len(saved[f"{name}.entities"])
        if rows > len(table.entities) or saved[f"{name}.use"].shape != table.state.shape:
            return False
        return all(
            _fits(saved[f"{name}.{column}"], rows, array.size // len(table.entities), array)
            for column, array in columns.items()
            if f"{name}.{column}" in saved
        )

    def _restore_table(self, name: str, saved: Mapping[str, Array]) -> None:
        table, columns = self._tables[name]
        rows = len(saved[f"{name}.entities"])
        copy_fields(saved[f"{name}.entities"], table.entities[:rows])
        table.state[:] = saved[f"{name}.use"]
        table.seeds[:] = saved[f"{name}.seeds"]
        index_entities(table.entities, rows, table.slots)
        for column, array in columns.items():
            if f"{name}.{column}" in saved:
                copy_fields(saved[f"{name}.{column}"], array.reshape(len(table.entities), -1)[:rows])
