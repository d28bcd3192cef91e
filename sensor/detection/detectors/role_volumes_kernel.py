"""What each identity takes in a minute, and its role: in: transactions and entities; out: sums by identity.

The one law: only answers that were served count, and only those to a token that names a role.
"""

import numpy as np

from sensor._jit import I64s, U64s, inline_kernel, kernel
from sensor.schema import TRANSACTION
from sensor.structures.entity_tables import ENTITIES

ROLES = 128
"""Roles that are told apart; what comes after them has none."""
TAKEN = np.dtype([("bytes", "u4"), ("records", "u2"), ("role", "u1")], align=True)
"""Of an identity in this minute: both sums end at what they can hold; `role` is 1 + its place, 0 when it took nothing.
"""
_BYTES_MAX, _RECORDS_MAX = (1 << 32) - 1, (1 << 16) - 1


@inline_kernel
def _place_of(roles, role):
    """The place of a role, taken for it if need be; -1 when all are taken."""
    place = np.int64(role & np.uint64(len(roles) - 1))
    for _ in range(len(roles)):
        if roles[place] == 0:
            roles[place] = role
        if roles[place] == role:
            return place
        place = (place + 1) & (len(roles) - 1)
    return -1


@kernel
def add_taken(
    transactions: TRANSACTION, entities: ENTITIES, start: int, stop: int, roles: U64s, taken: TAKEN, bytes_min: int,
    records_min: int, out: I64s,
) -> int:  # fmt: skip
    """Add transactions `start` to `stop` to what their identities took in this minute. Writes those with which an
    identity comes to `bytes_min` or `records_min` to `out`, which has room for all; returns how many.
    """
    found = 0
    for i in range(start, stop):
        transaction = transactions[i]
        role = transaction["role"]
        status = np.int64(transaction["status_code"])
        if role == 0 or status < 200 or status >= 300:
            continue
        place = _place_of(roles, role)
        if place < 0:
            continue
        mine = taken[entities[i]["identity"]]
        bytes_before, records_before = np.int64(mine["bytes"]), np.int64(mine["records"])
        bytes_now = min(bytes_before + transaction["response_body_len"], _BYTES_MAX)
        records_now = min(records_before + max(np.int64(transaction["records"]), 0), _RECORDS_MAX)
        mine["bytes"], mine["records"], mine["role"] = bytes_now, records_now, place + 1
        if bytes_before < bytes_min <= bytes_now or records_before < records_min <= records_now:
            out[found] = i
            found += 1
    return found
