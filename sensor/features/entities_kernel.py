"""Transactions to entities: in: transactions in order; out: the rows of the entity tables that they belong to.

The one law: a row of a table is given only to what a server has answered for. Tokens that are refused belong to the
client's address, and requests for what is not there to endpoint 0, so that guessing fills no table.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION, TransactionFlag
from sensor.structures.entity_ahead import ask_for_rows
from sensor.structures.entity_table_kernels import (
    ENTITY,
    Use,
    admit,
    find_hashed,
    hash_key,
    touch,
    touch_hashed,
    use,
)
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
def tie(row, hashed, ties, slots, state, seeds, subjects):
    """Learn which credential stands for whom from answers that issue one, and say so of those that come back; returns
    how many were learned. `hashed` is the hash of its credential.
    """
    user = row["user"]
    if row["subject"] == 0 and user != 0:
        known = find_hashed(ties, slots, hashed, user, _ZERO, _ZERO, _ZERO)
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
def _identity_key(transaction):
    """What the identity goes by, and of which kind that is; no key when there is nothing but the address."""
    if transaction["subject"] != 0:
        return transaction["subject"], np.int64(IdentityKind.SUBJECT)
    if transaction["user"] != 0:
        return transaction["user"], np.int64(IdentityKind.CREDENTIAL)
    return _ZERO, np.int64(IdentityKind.CLIENT)


@inline_kernel
def _identity(transaction, hashed, out, entities, slots, state, seeds, generations):
    """Row and kind of the identity."""
    key, kind = _identity_key(transaction)
    if key != 0:
        row = find_hashed(entities, slots, hashed, key, _ZERO, np.uint64(kind), _ZERO)
        if row < 0 and not _is_refused(np.int64(transaction["status_code"])):
            row = admit(entities, slots, state, hashed, key, _ZERO, np.uint64(kind), _ZERO)
            generations[row] += np.uint32(1)
        elif row >= 0:
            use(entities, row)
            state[Use.LATEST] = row
        if row >= 0:
            out["identity"], out["identity_kind"] = row, kind
            return row
    hi = transaction["client_hi"]
    lo = client_low(hi, transaction["client_lo"])
    row = _row_of(touch(entities, slots, state, seeds, hi, lo, _ZERO, _ZERO), generations)
    out["identity"], out["identity_kind"] = row, IdentityKind.CLIENT
    return row


@inline_kernel
def _same_server(one, other):
    return (
        one["server_lo"] == other["server_lo"] and one["server_port"] == other["server_port"]
        and one["server_hi"] == other["server_hi"]
    )  # fmt: skip


@inline_kernel
def _endpoint_keys(transaction, strings):
    """Four words for an endpoint. The Host is not in them: clients write what they like into it, and would have
    endpoints of their own.
    """
    key1 = mix(transaction["server_hi"], np.uint64(transaction["server_port"]))
    method = strings[np.int64(transaction["method"])]["hash"]
    return transaction["server_lo"], key1, method, strings[np.int64(transaction["endpoint"])]["hash"]


@inline_kernel
def _endpoint(transaction, hashed, strings, entities, slots, state, generations):
    """Row of the endpoint, NOWHERE for one that is not known and not there."""
    key0, key1, key2, key3 = _endpoint_keys(transaction, strings)
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
    hashes: U64s, whose: U64s, where: U64s, progress: I64s,
) -> int:  # fmt: skip
    """Fill the next len(whose) rows of `out` from `start` on, and `subject` of transactions whose credential was tied
    to an account; returns the row to go on with.

    Table by table, what the searches for all of these rows read is asked for first, because memory is then waited for
    once. `hashes` is to work in; `whose` and `where` carry each row's identity and endpoint, with the generations of
    that moment.
    """
    stop = min(start + len(whose), len(transactions))
    for i in range(start, stop):
        hashes[i - start] = hash_key(tie_seeds, transactions[i]["user"], _ZERO, _ZERO, _ZERO)
    ask_for_rows(ties, tie_slots, subjects, hashes, stop - start)
    for i in range(start, stop):
        progress[Progress.ROW] = i
        row = transactions[i]
        if row["user"] != 0 or row["issued"] != 0:
            progress[Progress.TIED] += tie(row, hashes[i - start], ties, tie_slots, tie_state, tie_seeds, subjects)

    for i in range(start, stop):
        hi = transactions[i]["client_hi"]
        hashes[i - start] = hash_key(client_seeds, hi, client_low(hi, transactions[i]["client_lo"]), _ZERO, _ZERO)
    ask_for_rows(clients, client_slots, client_generations, hashes, stop - start)
    for i in range(start, stop):
        progress[Progress.ROW] = i
        hi = transactions[i]["client_hi"]
        lo = client_low(hi, transactions[i]["client_lo"])
        touched = touch_hashed(clients, client_slots, client_state, hashes[i - start], hi, lo, _ZERO, _ZERO)
        out[i]["client"] = _row_of(touched, client_generations)

    for i in range(start, stop):
        key, kind = _identity_key(transactions[i])
        hashes[i - start] = hash_key(identity_seeds, key, _ZERO, np.uint64(kind), _ZERO)
    ask_for_rows(identities, identity_slots, identity_generations, hashes, stop - start)
    for i in range(start, stop):
        progress[Progress.ROW] = i
        row = _identity(
            transactions[i], hashes[i - start], out[i], identities, identity_slots, identity_state, identity_seeds,
            identity_generations,
        )  # fmt: skip
        whose[i - start] = (np.uint64(identity_generations[row]) << np.uint64(32)) | np.uint64(row)

    for i in range(start, stop):
        progress[Progress.ROW] = i
        if i > start and _same_server(transactions[i], transactions[i - 1]):
            use(servers, np.int64(out[i - 1]["server"]))  # the one that was used last
            out[i]["server"] = out[i - 1]["server"]
            continue
        hi, lo, port = transactions[i]["server_hi"], transactions[i]["server_lo"], transactions[i]["server_port"]
        touched = touch(servers, server_slots, server_state, server_seeds, hi, lo, np.uint64(port), _ZERO)
        out[i]["server"] = _row_of(touched, server_generations)

    for i in range(start, stop):
        key0, key1, key2, key3 = _endpoint_keys(transactions[i], strings)
        hashes[i - start] = hash_key(endpoint_seeds, key0, key1, key2, key3)
    ask_for_rows(endpoints, endpoint_slots, endpoint_generations, hashes, stop - start)
    for i in range(start, stop):
        progress[Progress.ROW] = i
        row = _endpoint(
            transactions[i], hashes[i - start], strings, endpoints, endpoint_slots, endpoint_state, endpoint_generations
        )
        out[i]["endpoint"] = row
        where[i - start] = (np.uint64(endpoint_generations[row]) << np.uint64(32)) | np.uint64(row)

    for i in range(stop - start):
        hashes[i] = hash_key(pair_seeds, whose[i], where[i], _ZERO, _ZERO)
    ask_for_rows(pairs, pair_slots, pair_generations, hashes, stop - start)
    for i in range(start, stop):
        progress[Progress.ROW] = i
        one, other = whose[i - start], where[i - start]
        touched = touch_hashed(pairs, pair_slots, pair_state, hashes[i - start], one, other, _ZERO, _ZERO)
        out[i]["identity_endpoint"] = _row_of(touched, pair_generations)
    return stop
