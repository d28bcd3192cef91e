"""Entities to rows: against a slow twin, full and not, with hashes that collide."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor._jit import I64s, U64s, kernel
from sensor.structures import entity_table_kernels as kernels
from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_table_kernels import ENTITY
from tests.oracles.windows import SecondChance

ZERO = np.uint64(0)


@kernel
def find(
    entities: ENTITY, slots: U64s, seeds: U64s, key0: np.uint64, key1: np.uint64, key2: np.uint64, key3: np.uint64
) -> int:
    return kernels.find(entities, slots, seeds, key0, key1, key2, key3)


@kernel
def touch(
    entities: ENTITY, slots: U64s, state: I64s, seeds: U64s,
    key0: np.uint64, key1: np.uint64, key2: np.uint64, key3: np.uint64,
) -> int:  # fmt: skip
    return kernels.touch(entities, slots, state, seeds, key0, key1, key2, key3)


def key_words(key: int) -> tuple[np.uint64, ...]:
    return np.uint64(key), np.uint64(key % 2), ZERO, np.uint64(2**64 - 1)


@settings(deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(0, 9)))
def test_rows_are_those_of_the_slow_twin(rows, keys):
    table, twin = EntityTable(rows), SecondChance(rows)
    for key in keys:
        row, new = twin.touch(key)
        assert touch(*table.arrays, *key_words(key)) == (-1 - row if new else row)
    assert table.evicted == twin.evicted
    for key in range(10):
        assert find(table.entities, table.slots, table.seeds, *key_words(key)) == twin.find(key)


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


def test_who_is_used_again_and_again_outlasts_a_flood_of_others():
    table = EntityTable(8)
    regular = touch(*table.arrays, *key_words(1_000_000))
    for key in range(500):
        touch(*table.arrays, *key_words(key))
        if key % 3 == 0:
            assert touch(*table.arrays, *key_words(1_000_000)) == -1 - regular
    assert table.evicted == 500 - 7


@settings(deadline=None)
@given(st.integers(2, 5), st.lists(st.integers(0, 9)))
def test_the_key_used_last_keeps_its_row_when_the_next_needs_one(rows, keys):
    table = EntityTable(rows)
    for key, following in pairwise(keys):
        row = touch(*table.arrays, *key_words(key))
        touch(*table.arrays, *key_words(following))
        assert find(table.entities, table.slots, table.seeds, *key_words(key)) == (row if row >= 0 else -1 - row)
