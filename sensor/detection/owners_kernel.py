"""Rows of one column of ENTITIES: in: whom each transaction is ascribed to; out: rows with a new owner, and counts.

The one law: each row of a table is named once, however often it comes.
"""

from enum import IntEnum

from sensor._jit import I32s, U32s, inline_kernel, kernel
from sensor.structures.entity_tables import ENTITIES


class Column(IntEnum):
    """The columns of ENTITIES that rows are counted by."""

    CLIENT = 0
    IDENTITY = 1
    ENDPOINT = 2
    SERVER = 3


@inline_kernel
def _row_of(entity, column):
    if column == Column.CLIENT:
        return entity["client"]
    if column == Column.IDENTITY:
        return entity["identity"]
    if column == Column.ENDPOINT:
        return entity["endpoint"]
    return entity["server"]


@kernel
def new_owners(entities: ENTITIES, column: int, known: U32s, generations: U32s, out: I32s) -> int:
    """Write the rows whose generation is not the known one to `out`, which has room for all; returns how many."""
    found = 0
    for i in range(len(entities)):
        row = _row_of(entities[i], column)
        if known[row] != generations[row]:
            known[row] = generations[row]
            out[found] = row
            found += 1
    return found


@kernel
def count_rows(
    entities: ENTITIES, column: int, start: int, stop: int, counts: I32s, width: int, mark: int, out: I32s
) -> int:
    """Add one to counts[row * width] for each transaction from `start` to `stop`; writes those at which it comes to
    `mark` to `out`, which has room for all; returns how many.
    """
    found = 0
    for i in range(start, stop):
        place = _row_of(entities[i], column) * width
        counts[place] += 1
        if counts[place] == mark:
            out[found] = i
            found += 1
    return found
