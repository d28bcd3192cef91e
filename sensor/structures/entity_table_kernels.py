"""Rows for entities: in: a key of four words; out: its row, the least recently used one giving way when all are taken.

`entities[row]` holds the key and the row's place in the order of use; `state` holds the scalars below; `seeds` two
random words. The one law: which row gives way depends on the order of the keys alone, never on the random hash, so
results repeat.
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
        ("older", "i4"),  # the row used just before this one, -1 at the end
        ("newer", "i4"),
    ],
    align=True,
)


class Use(IntEnum):
    ROWS = 0     # rows taken so far
    NEWEST = 1   # -1 while empty
    OLDEST = 2
    EVICTED = 3  # entities that gave way


@inline_kernel
def hash_key(seeds, key0, key1, key2, key3):
    """The keyed hash of four words."""
    return finish(mix(mix(mix(mix(seeds[0], key0), key1), key2 ^ seeds[1]), key3))


@inline_kernel
def _unlink(entities, state, row):
    entity = entities[row]
    older = np.int64(entity["older"])
    newer = np.int64(entity["newer"])
    if older >= 0:
        entities[older]["newer"] = newer
    else:
        state[Use.OLDEST] = newer
    if newer >= 0:
        entities[newer]["older"] = older
    else:
        state[Use.NEWEST] = older


@inline_kernel
def _link_newest(entities, state, row):
    entity = entities[row]
    newest = state[Use.NEWEST]
    entity["older"] = newest
    entity["newer"] = -1
    if newest >= 0:
        entities[newest]["newer"] = row
    else:
        state[Use.OLDEST] = row
    state[Use.NEWEST] = row


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


@part_kernel
def find(entities, slots, seeds, key0, key1, key2, key3):
    """The key's row, or -1; its place in the order of use stays."""
    return row_of(slots[_search(entities, slots, hash_key(seeds, key0, key1, key2, key3), key0, key1, key2, key3)])


@part_kernel
def touch(entities, slots, state, seeds, key0, key1, key2, key3):
    """The key's row, now the most recently used; `-1 - row` when the row is new, or was another's until now."""
    hashed = hash_key(seeds, key0, key1, key2, key3)
    position = _search(entities, slots, hashed, key0, key1, key2, key3)
    row = row_of(slots[position])
    if row >= 0:
        if row != state[Use.NEWEST]:
            _unlink(entities, state, row)
            _link_newest(entities, state, row)
        return row
    if state[Use.ROWS] < len(entities):
        row = state[Use.ROWS]
        state[Use.ROWS] += 1
    else:
        row = state[Use.OLDEST]
        _unlink(entities, state, row)
        remove(slots, find_row(slots, entities[row]["hash"], row))
        state[Use.EVICTED] += 1
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
    _link_newest(entities, state, row)
    return -1 - row
