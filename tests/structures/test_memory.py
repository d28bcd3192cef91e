"""What is kept of entity tables from run to run survives larger tables and other fields, and nothing else."""

from __future__ import annotations

import numpy as np

from sensor._jit import I64s, U64s, kernel
from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_table_kernels import ENTITY, touch
from sensor.structures.memory import Memory, Remembering

CELL = np.dtype([("bytes", "i8"), ("answers", "i4")])


@kernel
def touch_all(entities: ENTITY, slots: U64s, state: I64s, seeds: U64s, keys: U64s, rows: I64s) -> None:
    for i in range(len(keys)):
        rows[i] = touch(entities, slots, state, seeds, keys[i], keys[i], keys[i], keys[i])


def rows_of(table: EntityTable, keys: range) -> list[int]:
    rows = np.zeros(len(keys), np.int64)
    touch_all(*table.arrays, np.array(keys, np.uint64), rows)
    return rows.tolist()


class Kept:
    """A table of entities with one cell and three times each."""

    def __init__(self, rows: int, cell: np.dtype = CELL, times: int = 3) -> None:
        self.table = EntityTable(rows)
        self.cells, self.times = np.zeros(rows, cell), np.full(rows * times, -1, np.int64)
        self.memory = Memory()
        self.memory.keep("pairs", self.table, cells=self.cells, times=self.times)
        self.state, self.restore = self.memory.state, self.memory.restore


def filled(rows: int = 50) -> Kept:
    kept = Kept(rows)
    for row in rows_of(kept.table, range(40)):
        kept.cells[-1 - row] = (row, 7)
        kept.times[3 * (-1 - row)] = row
    return kept


def test_a_detector_that_has_both_methods_remembers() -> None:
    assert isinstance(Kept(1), Remembering)
    assert not isinstance(object(), Remembering)


def test_a_larger_table_knows_all_entities_at_their_rows() -> None:
    old, new = filled(), Kept(500)
    assert new.restore(old.state())
    assert rows_of(new.table, range(40)) == list(range(40))
    assert new.cells[:40].tolist() == old.cells[:40].tolist()
    assert new.times[:120].tolist() == old.times[:120].tolist()
    assert set(new.times[120:].tolist()) == {-1}
    assert rows_of(new.table, range(40, 42)) == [-41, -42]


def test_the_same_entities_give_way_after_a_restart() -> None:
    old, new = filled(), Kept(50)
    rows_of(old.table, range(10))
    assert new.restore(old.state())
    assert rows_of(new.table, range(100, 160)) == rows_of(old.table, range(100, 160))
    assert new.table.evicted == old.table.evicted


def test_fields_come_and_go_with_upgrades() -> None:
    upgraded = np.dtype([("answers", "i8"), ("records", "i8"), ("bytes", "i8")])
    old, new = filled(), Kept(50, upgraded)
    new.cells["records"] = -5
    assert new.restore(old.state())
    for field in ("bytes", "answers"):
        assert new.cells[field][:40].tolist() == old.cells[field][:40].tolist()
    assert set(new.cells["records"].tolist()) == {-5}


def test_what_does_not_fit_leaves_all_as_new() -> None:
    for new in (Kept(39), Kept(50, times=4), Kept(50, np.dtype("i8"))):
        assert not new.restore(filled().state())
        assert rows_of(new.table, range(3)) == [-1, -2, -3]
        assert set(new.times.tolist()) == {-1}
