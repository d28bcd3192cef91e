"""Entities to rows: against an ordered dictionary, full and not, with hashes that collide."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_table_kernels import find, touch
from tests.oracles.windows import LeastRecentlyUsed

ZERO = np.uint64(0)


def key_words(key: int) -> tuple[np.uint64, ...]:
    return np.uint64(key), np.uint64(key % 2), ZERO, np.uint64(2**64 - 1)


@settings(deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(0, 9)))
def test_rows_are_those_of_the_slow_twin(rows, keys):
    table, twin = EntityTable(rows), LeastRecentlyUsed(rows)
    for key in keys:
        row, new = twin.touch(key)
        assert touch(*table.arrays, *key_words(key)) == (-1 - row if new else row)
    assert table.evicted == twin.evicted
    for key in range(10):
        assert find(table.entities, table.slots, table.seeds, *key_words(key)) == twin.used.get(key, -1)


def test_rows_do_not_depend_on_the_random_hash():
    keys = np.random.default_rng(1).integers(0, 60, 2_000)
    runs = []
    for _ in range(3):
        table = EntityTable(40)
        runs.append([int(touch(*table.arrays, *key_words(int(key)))) for key in keys])
    assert runs[0] == runs[1] == runs[2]


def test_each_of_the_four_words_tells_entities_apart():
    table = EntityTable(16)
    words = [tuple(np.uint64(place == i) for place in range(4)) for i in range(4)]
    rows = {int(touch(*table.arrays, *key)) for key in [*words, (ZERO,) * 4]}
    assert len(rows) == 5
