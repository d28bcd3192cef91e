"""An open-addressed index from hashes to row numbers: in: a uint64 array of slots and a hash; out: positions and rows.

A slot is 0 when empty, else the upper 32 bits of the hash and row + 1 in the lower 32. The one law: a key sits at the
first free slot at or after its home, so a search ends at the first empty slot. Comparing keys is the caller's, in this
loop:

    position = home(slots, hashed)
    while slots[position] != 0:
        if same_tag(slots[position], hashed):
            row = row_of(slots[position])
            ...compare keys, found...
        position = following(slots, position)
    ...not found: insert(slots, position, hashed, row)...

The number of slots is a power of two and at least twice the number of rows.
"""

import numpy as np

from sensor._jit import inline_kernel

_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(0xFFFFFFFF00000000)


@inline_kernel
def home(slots, hashed):
    """Where the search for `hashed` begins."""
    return np.int64(hashed >> np.uint64(32)) & (len(slots) - 1)


@inline_kernel
def following(slots, position):
    return (position + 1) & (len(slots) - 1)


@inline_kernel
def same_tag(slot, hashed):
    """Whether the slot's key can be the one with this hash."""
    return (slot ^ hashed) & _HIGH == 0


@inline_kernel
def row_of(slot):
    return np.int64(slot & _LOW) - 1


@inline_kernel
def insert(slots, position, hashed, row):
    """Fill the empty slot that the search ended at."""
    slots[position] = (hashed & _HIGH) | np.uint64(row + 1)


@inline_kernel
def find_row(slots, hashed, row):
    """Position of the slot that holds `row`, whose key has this hash."""
    position = home(slots, hashed)
    while row_of(slots[position]) != row:
        position = following(slots, position)
    return position


@inline_kernel
def remove(slots, position):
    """Empty a slot and move up those behind it that would otherwise be lost (backward-shift deletion)."""
    hole = position
    position = following(slots, hole)
    while slots[position] != 0:
        wanted = home(slots, slots[position])
        if ((position - wanted) & (len(slots) - 1)) >= ((position - hole) & (len(slots) - 1)):
            slots[hole] = slots[position]
            hole = position
        position = following(slots, position)
    slots[hole] = np.uint64(0)
