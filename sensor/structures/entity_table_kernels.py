"""Rows for entities: in: a key of four words; out: its row, one not used lately giving way when all are taken.

`entities[row]` holds the key; `state` the scalars below; `seeds` two random words. When all rows are taken, a hand
goes round: who was used again since it last came by gets another round, the first who was not gives way (the clock or
second chance algorithm: nearly the least recently used, without an order of use that each use rewrites). The one law:
which row gives way depends on the order of the keys alone, never on the random hash, so results repeat.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.structures.hash_table import find_row, following, home, insert, remove, row_of, same_tag
from sensor.structures.hashing import finish, mix

ENTITY = np.dtype(
    [
        ("key0", "u8"),
        ("key1", "u8"),
        ("key2", "u8"),
        ("key3", "u8"),
        ("hash", "u8"),
        ("used", "u8"),  # 1 when used again since the hand last came by
    ],
    align=True,
)


class Use(IntEnum):
    ROWS = 0     # rows taken so far
    HAND = 1     # the row that is asked next to give way
    LATEST = 2   # the row used last, which never gives way to the next
    EVICTED = 3  # entities that gave way


@inline_kernel
def hash_key(seeds, key0, key1, key2, key3):
    """The keyed hash of four words, two at a time because a multiplication takes longer than to start the next."""
    return finish(mix(mix(mix(seeds[0], key0), key1), mix(mix(seeds[1], key2), key3)))


@inline_kernel
def _search(entities, slots, hashed, key0, key1, key2, key3):
    """Position of the key's slot, or of the empty slot where it belongs."""
    position = home(slots, hashed)
    while slots[position] != 0:
        if same_tag(slots[position], hashed):
            entity = entities[row_of(slots[position])]
            if entity["key0"] == key0 and entity["key1"] == key1 and entity["key2"] == key2 and entity["key3"] == key3:
                return position
        position = following(slots, position)
    return position


@inline_kernel
def find_hashed(entities, slots, hashed, key0, key1, key2, key3):
    """The row of the key that has this hash, or -1; does not count as a use."""
    return row_of(slots[_search(entities, slots, hashed, key0, key1, key2, key3)])


@part_kernel
def find(entities, slots, seeds, key0, key1, key2, key3):
    """The key's row, or -1; does not count as a use."""
    return find_hashed(entities, slots, hash_key(seeds, key0, key1, key2, key3), key0, key1, key2, key3)


@inline_kernel
def use(entities, row):
    """Give the row another round."""
    if entities[row]["used"] == 0:
        entities[row]["used"] = 1


@inline_kernel
def _make_room(entities, slots, state):
    """Free the row of one who was not used lately; returns it."""
    row = state[Use.HAND]
    while entities[row]["used"] != 0 or (row == state[Use.LATEST] and len(entities) > 1):
        entities[row]["used"] = 0
        row = row + 1 if row + 1 < len(entities) else 0
    state[Use.HAND] = row + 1 if row + 1 < len(entities) else 0
    state[Use.EVICTED] += 1
    remove(slots, find_row(slots, entities[row]["hash"], row))
    return row


@part_kernel
def admit(entities, slots, state, hashed, key0, key1, key2, key3):
    """A row for a key that has none; it was another's until now when the table was full."""
    if state[Use.ROWS] < len(entities):
        row = state[Use.ROWS]
        state[Use.ROWS] += 1
    else:
        row = _make_room(entities, slots, state)
    position = home(slots, hashed)
    while slots[position] != 0:
        position = following(slots, position)
    insert(slots, position, hashed, row)
    entity = entities[row]
    entity["key0"] = key0
    entity["key1"] = key1
    entity["key2"] = key2
    entity["key3"] = key3
    entity["hash"] = hashed
    entity["used"] = 0
    state[Use.LATEST] = row
    return row


@inline_kernel
def touch_hashed(entities, slots, state, hashed, key0, key1, key2, key3):
    """As `touch`, for a key whose hash is known."""
    row = find_hashed(entities, slots, hashed, key0, key1, key2, key3)
    if row >= 0:
        use(entities, row)
        state[Use.LATEST] = row
        return row
    return -1 - admit(entities, slots, state, hashed, key0, key1, key2, key3)


@part_kernel
def touch(entities, slots, state, seeds, key0, key1, key2, key3):
    """The key's row, which is now used; `-1 - row` when the row is new, or was another's until now."""
    hashed = hash_key(seeds, key0, key1, key2, key3)
    return touch_hashed(entities, slots, state, hashed, key0, key1, key2, key3)
