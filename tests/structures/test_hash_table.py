"""The open-addressed index against a dictionary, full of colliding hashes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor._jit import U64s, kernel
from sensor.structures.hash_table import find_row, following, home, insert, remove, row_of, same_tag

SLOTS = 32
HASHES = [np.uint64(word << 32) for word in (0, 1, 31, 32, 33, 63, 64, 2**32 - 1)]


@kernel
def look_up(slots: U64s, hashed: np.uint64, wanted: int) -> int:
    """Position of the row among those of its hash, or the empty slot where it belongs, as -1 - position."""
    position = home(slots, hashed)
    while slots[position] != 0:
        if same_tag(slots[position], hashed) and row_of(slots[position]) == wanted:
            return position
        position = following(slots, position)
    return -1 - position


@kernel
def put(slots: U64s, hashed: np.uint64, row: int) -> None:
    position = home(slots, hashed)
    while slots[position] != 0:
        position = following(slots, position)
    insert(slots, position, hashed, row)


@kernel
def take(slots: U64s, hashed: np.uint64, row: int) -> None:
    remove(slots, find_row(slots, hashed, row))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(range(16)), st.sampled_from(HASHES)), max_size=60))
def test_like_a_dictionary(steps: list[tuple[int, np.uint64]]) -> None:
    """A row that is there is taken out, one that is not is put in; all others stay where they can be found."""
    slots = np.zeros(SLOTS, np.uint64)
    there: dict[int, np.uint64] = {}
    for row, hashed in steps:
        if row in there:
            take(slots, there.pop(row), row)
        else:
            put(slots, hashed, row)
            there[row] = hashed
        for other in range(16):
            found = look_up(slots, there.get(other, hashed), other)
            assert (found >= 0) == (other in there)
    assert np.count_nonzero(slots) == len(there)
