"""Asking ahead for rows of an entity table: whatever is asked for, tables are left as they are and searches agree."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import I64s, U64s, kernel
from sensor.structures.entity_ahead import ask_for_rows
from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_table_kernels import ENTITY, hash_key, touch_hashed

ZERO = np.uint64(0)


@kernel
def touch_all(
    entities: ENTITY, slots: U64s, state: I64s, seeds: U64s, records: U64s, keys: U64s, hashes: U64s, ahead: bool,
    rows: I64s,
) -> None:  # fmt: skip
    for i in range(len(keys)):
        hashes[i] = hash_key(seeds, keys[i], ZERO, ZERO, ZERO)
    if ahead:
        ask_for_rows(entities, slots, records, hashes, len(keys))
    for i in range(len(keys)):
        rows[i] = touch_hashed(entities, slots, state, hashes[i], keys[i], ZERO, ZERO, ZERO)


@given(st.integers(1, 6), st.lists(st.lists(st.integers(0, 9))))
def test_rows_are_the_same_whether_they_were_asked_for_or_not(rows_max, batches):
    one, other = EntityTable(rows_max), EntityTable(rows_max)
    for batch in batches:
        keys = np.array(batch, np.uint64)
        found = []
        for table, ahead in ((one, True), (other, False)):
            rows = np.zeros(len(keys), np.int64)
            touch_all(*table.arrays, np.zeros(rows_max, np.uint64), keys, np.zeros(len(keys), np.uint64), ahead, rows)
            found.append(rows.tolist())
        assert found[0] == found[1]
    assert one.evicted == other.evicted
