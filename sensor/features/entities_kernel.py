"""Transactions to entities: in: transactions in order; out: the rows of the entity tables that they belong to.

The one law: a row of a table is given only to what a server has answered for. Tokens that are refused belong to the
client's address, and requests for what is not there to endpoint 0, so that guessing fills no table.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION, TransactionFlag
from sensor.structures.entity_table_kernels import ENTITY, Use, admit, find, find_hashed, hash_key, touch, use
from sensor.structures.entity_tables import ENTITIES, IdentityKind
from sensor.structures.hashing import mix
from sensor.structures.string_pool_kernels import ENTRY

_ZERO = np.uint64(0)
_V4 = np.uint64(0xFFFF)
NOWHERE = 0


class Progress(IntEnum):
    ROW = 0
    TIED = 1  # credentials that were tied to an account


@inline_kernel
def _row_of(touched, generations):
    """The row that `touch` gave, its generation advanced when it is somebody else's now."""
    if touched >= 0:
        return touched
    generations[-1 - touched] += np.uint32(1)
    return -1 - touched


@inline_kernel
def client_low(hi, lo):
    """The lower half of an address as entities have it: none for IPv6, whose clients have a /64 each."""
    return lo if hi == 0 else _ZERO


@inline_kernel
def _is_refused(status):
    """Whether the answer says nothing for the credential: none came, or it was refused."""
    return status == 401 or status == 403 or status == 0


@inline_kernel
def _is_nowhere(status):
    """Whether the answer says nothing for the endpoint."""
    return status == 404 or status == 405 or status == 0 or status == 501


@inline_kernel
def _is_granted(flags, status):
    """Whether a login, or the renewal of a token, went well."""
    asked = flags & (TransactionFlag.LOGIN | TransactionFlag.REFRESH) != 0
    return asked and 200 <= status < 400 and flags & TransactionFlag.LOGIN_FAILED == 0


@part_kernel
def tie(row, ties, slots, state, seeds, subjects):
    """Learn which credential stands for whom from answers that issue one, and say so of those that come back; returns
    how many were learned.
    """
    user = row["user"]
    if row["subject"] == 0 and user != 0:
        known = find(ties, slots, seeds, user, _ZERO, _ZERO, _ZERO)
        if known >= 0:
            use(ties, known)
            row["subject"] = subjects[known]
    flags = np.int64(row["flags"])
    granted = _is_granted(flags, np.int64(row["status_code"]))
    if granted and row["account"] != 0 and row["subject"] == 0:
        row["subject"] = row["account"]
    token = row["issued"]
    if token == 0 and granted and flags & TransactionFlag.LOGIN != 0 and row["account"] != 0:
        token = user
    if token == 0 or row["subject"] == 0 or token == row["subject"]:
        return 0
    if not granted and row["issued"] != 0 and not 200 <= np.int64(row["status_code"]) < 400:
        return 0
    place = touch(ties, slots, state, seeds, token, _ZERO, _ZERO, _ZERO)
    subjects[place if place >= 0 else -1 - place] = row["subject"]
    return 1 if place < 0 else 0


@inline_kernel
def _identity(transaction, out, entities, slots, state, seeds, generations):
    """Row and kind of the identity."""
    key0, key1, kind = transaction["subject"], _ZERO, np.int64(IdentityKind.SUBJECT)
    if key0 == 0:
        key0, kind = transaction["user"], np.int64(IdentityKind.CREDENTIAL)
    if key0 != 0:
        hashed = hash_key(seeds, key0, key1, np.uint64(kind), _ZERO)
        row = find_hashed(entities, slots, hashed, key0, key1, np.uint64(kind), _ZERO)
        if row >= 0:
            use(entities, row)
            state[Use.LATEST] = row
            out["identity"], out["identity_kind"] = row, kind
            return row
        if not _is_refused(np.int64(transaction["status_code"])):
            row = admit(entities, slots, state, hashed, key0, key1, np.uint64(kind), _ZERO)
            generations[row] += np.uint32(1)
            out["identity"], out["identity_kind"] = row, kind
            return row
    key0 = transaction["client_hi"]
    key1 = client_low(key0, transaction["client_lo"])
    row = _row_of(touch(entities, slots, state, seeds, key0, key1, _ZERO, _ZERO), generations)
    out["identity"], out["identity_kind"] = row, IdentityKind.CLIENT
    return row


@inline_kernel
def _endpoint(transaction, strings, entities, slots, state, seeds, generations):
    """Row of the endpoint, NOWHERE for one that is not known and not there."""
    key0 = transaction["server_lo"]
    key1 = mix(transaction["server_hi"], np.uint64(transaction["server_port"]))
    method = strings[np.int64(transaction["method"])]["hash"]
    key2 = mix(strings[np.int64(transaction["host"])]["hash"], method)
    key3 = strings[np.int64(transaction["endpoint"])]["hash"]
    hashed = hash_key(seeds, key0, key1, key2, key3)
    row = find_hashed(entities, slots, hashed, key0, key1, key2, key3)
    if row >= 0:
        use(entities, row)
        state[Use.LATEST] = row
        return row + 1
    if _is_nowhere(np.int64(transaction["status_code"])):
        return NOWHERE
    row = admit(entities, slots, state, hashed, key0, key1, key2, key3)
    generations[row + 1] += np.uint32(1)
    return row + 1


@kernel
def resolve(
    transactions: TRANSACTION, start: int, strings: ENTRY, out: ENTITIES,
    ties: ENTITY, tie_slots: U64s, tie_state: I64s, tie_seeds: U64s, subjects: U64s,
    clients: ENTITY, client_slots: U64s, client_state: I64s, client_seeds: U64s, client_generations: U32s,
    identities: ENTITY, identity_slots: U64s, identity_state: I64s, identity_seeds: U64s, identity_generations: U32s,
    endpoints: ENTITY, endpoint_slots: U64s, endpoint_state: I64s, endpoint_seeds: U64s, endpoint_generations: U32s,
    servers: ENTITY, server_slots: U64s, server_state: I64s, server_seeds: U64s, server_generations: U32s,
    pairs: ENTITY, pair_slots: U64s, pair_state: I64s, pair_seeds: U64s, pair_generations: U32s,
    progress: I64s,
) -> int:  # fmt: skip
    """Fill `out` from row `start` on, and `subject` of transactions whose credential was tied to an account; returns
    the row to go on with.
    """
    for i in range(start, len(transactions)):
        progress[Progress.ROW] = i
        transaction = transactions[i]
        entity = out[i]
        if transaction["user"] != 0 or transaction["issued"] != 0:
            progress[Progress.TIED] += tie(transaction, ties, tie_slots, tie_state, tie_seeds, subjects)
        hi = transaction["client_hi"]
        lo = client_low(hi, transaction["client_lo"])
        touched = touch(clients, client_slots, client_state, client_seeds, hi, lo, _ZERO, _ZERO)
        entity["client"] = _row_of(touched, client_generations)
        identity = _identity(
            transaction, entity, identities, identity_slots, identity_state, identity_seeds, identity_generations
        )
        port = np.uint64(transaction["server_port"])
        hi, lo = transaction["server_hi"], transaction["server_lo"]
        touched = touch(servers, server_slots, server_state, server_seeds, hi, lo, port, _ZERO)
        entity["server"] = _row_of(touched, server_generations)
        endpoint = _endpoint(
            transaction, strings, endpoints, endpoint_slots, endpoint_state, endpoint_seeds, endpoint_generations
        )
        entity["endpoint"] = endpoint
        one = (np.uint64(identity_generations[identity]) << np.uint64(32)) | np.uint64(identity)
        other = (np.uint64(endpoint_generations[endpoint]) << np.uint64(32)) | np.uint64(endpoint)
        touched = touch(pairs, pair_slots, pair_state, pair_seeds, one, other, _ZERO, _ZERO)
        entity["identity_endpoint"] = _row_of(touched, pair_generations)
    return len(transactions)
