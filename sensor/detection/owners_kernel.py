"""Rows of the columns of ENTITIES: in: whom each transaction is ascribed to; out: rows with a new owner, and counts.

The one law: each row of a table is named once, however often it comes.
"""

from enum import IntEnum

from sensor._jit import I32s, I64s, U32s, inline_kernel, kernel
from sensor.structures.entity_tables import ENTITIES


class Column(IntEnum):
    """The columns of ENTITIES whose owners are followed."""

    CLIENT = 0
    IDENTITY = 1
    ENDPOINT = 2
    SERVER = 3


@inline_kernel
def _note_owner(row, known, generations, out, counts, column, room):
    if known[row] != generations[row]:
        known[row] = generations[row]
        out[column * room + counts[column]] = row
        counts[column] += 1


@kernel
def new_owners(
    entities: ENTITIES, clients: U32s, client_generations: U32s, identities: U32s, identity_generations: U32s,
    endpoints: U32s, endpoint_generations: U32s, servers: U32s, server_generations: U32s, out: I32s, counts: I64s,
) -> None:  # fmt: skip
    """Write the rows of each Column whose generation is not the known one to its quarter of `out`, which has room for
    all; `counts` says how many.
    """
    counts[:] = 0
    room = len(out) // 4
    for i in range(len(entities)):
        entity = entities[i]
        _note_owner(entity["client"], clients, client_generations, out, counts, Column.CLIENT, room)
        _note_owner(entity["identity"], identities, identity_generations, out, counts, Column.IDENTITY, room)
        _note_owner(entity["endpoint"], endpoints, endpoint_generations, out, counts, Column.ENDPOINT, room)
        _note_owner(entity["server"], servers, server_generations, out, counts, Column.SERVER, room)


@inline_kernel
def _count(counts, row, mark):
    """One more of a row; whether it comes to `mark` with it."""
    counts[row] += 1
    return counts[row] == mark


@kernel
def count_requests(
    entities: ENTITIES, start: int, stop: int, clients: I32s, client_mark: int, identities: I32s, identity_mark: int,
    endpoints: I32s, endpoint_mark: int, out: I64s,
) -> int:  # fmt: skip
    """Add one to the counts of each transaction's client, identity and endpoint; writes 4 * row + Column of those at
    which a count comes to its mark to `out`, which has room for three a row; returns how many.
    """
    found = 0
    for i in range(start, stop):
        entity = entities[i]
        if _count(clients, entity["client"], client_mark):
            out[found] = 4 * i + Column.CLIENT
            found += 1
        if _count(identities, entity["identity"], identity_mark):
            out[found] = 4 * i + Column.IDENTITY
            found += 1
        if _count(endpoints, entity["endpoint"], endpoint_mark):
            out[found] = 4 * i + Column.ENDPOINT
            found += 1
    return found
