"""Transactions whose credential or server is worth a word: in: transactions and entities; out: rows of three kinds.

The one law: a client, and a server, is new once with a credential and once without.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import I32s, I64s, U32s, inline_kernel, kernel
from sensor.schema import TRANSACTION, TransactionFlag
from sensor.structures.entity_tables import ENTITIES


class Sort(IntEnum):
    FRESH = 0   # the first of its client or of its server, with a credential or without
    BASIC = 1   # name and password: only Basic names its account in every request
    SECRET = 2  # a credential in the target


@inline_kernel
def _is_new(known, generations, row, credential):
    """Whether a row was not seen like this; notes that it is."""
    place = 2 * np.int64(row) + credential
    if known[place] == generations[row]:
        return False
    known[place] = generations[row]
    return True


@inline_kernel
def _put(out, counts, sort, room, row):
    out[sort * room + counts[sort]] = row
    counts[sort] += 1


@kernel
def sort_out(
    transactions: TRANSACTION, entities: ENTITIES, clients: U32s, client_generations: U32s, servers: U32s,
    server_generations: U32s, out: I32s, counts: I64s,
) -> None:  # fmt: skip
    """Write the rows of each Sort to its third of `out`, which has room for all rows thrice; `counts` says how many.

    `clients` and `servers` have two items for each row of their table.
    """
    counts[:] = 0
    room = len(transactions)
    for i in range(room):
        transaction = transactions[i]
        user, account = transaction["user"], transaction["account"]
        credential = 1 if user != 0 or account != 0 else 0
        new = _is_new(clients, client_generations, entities[i]["client"], credential)
        if _is_new(servers, server_generations, entities[i]["server"], credential) or new:
            _put(out, counts, Sort.FRESH, room, i)
        if user != 0 and user == account:
            _put(out, counts, Sort.BASIC, room, i)
        if transaction["flags"] & TransactionFlag.URL_SECRET != 0:
            _put(out, counts, Sort.SECRET, room, i)
