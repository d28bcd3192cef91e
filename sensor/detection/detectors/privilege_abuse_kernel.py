"""Functions and fields above one's role: in: transactions with their entities and request bodies; out: rows of hits.

For each endpoint and role it is counted how often it was served and refused, for each role who holds it, for each
identity what it was refused, for each endpoint which fields its requests have. The one law: what is new is judged only
where what is usual is known: by enough others, for long enough.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I64s, U32s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.detection.detectors.privilege_abuse_body_kernel import KEY_MAX, has_rights, read_fields
from sensor.schema import CONTENT, TRANSACTION, TransactionFlag
from sensor.structures.bits import count_bits
from sensor.structures.entity_ahead import ask_for_rows
from sensor.structures.entity_table_kernels import ENTITY, find_hashed, hash_key, touch
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.hashing import finish
from sensor.structures.prefetch import AHEAD, prefetch
from sensor.structures.string_pool_kernels import ENTRY
from sensor.structures.word_search import has_word

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_OPEN, _LIST = 0x7B, 0x5B
_BODY_MAX = 2_048

ACCESS = np.dtype(
    [("known_now", "i8"), ("holders", "u8"), ("served", "i4"), ("refused", "i4")], align=True
)
"""Of an endpoint and a role; of a role alone; of an endpoint and all roles. `holders`: 64 bits, by identity."""
REFUSALS = np.dtype(
    [("generation", "u4"), ("reported", "u4"), ("endpoints", "u8"), ("since_now", "i8"), ("first_ts", "i8")], align=True
)
"""Of an identity: endpoints that were refused it (403), 64 bits; `reported` is 1 once it was told of them."""
BARRED = np.dtype(
    [("generation", "u4"), ("latest", "i4"), ("before", "i4"), ("role", "u8"), ("rights_now", "i8"),
     ("since_now", "i8")], align=True,
)  # fmt: skip
"""Of an identity: the last two endpoints that it asked to read and was refused since `since_now`, under `role`; when it
sent a field that gives rights, 0 when it has not.
"""
FIELDS = np.dtype(
    [("generation", "u4"), ("bodies", "u4"), ("senders", "u8"), ("known_now", "i8"), ("rights", "u8")], align=True
)
"""Of an endpoint's bodies; `rights` has a bit for each field that gives rights and was sent."""
HIT = np.dtype(
    [("row", "i8"), ("why", "i8"), ("observed", "f8"), ("usual", "f8"), ("first_ts", "i8"), ("field", "i8"),
     ("field_len", "i8")]
)  # fmt: skip


class Why(IntEnum):
    REFUSED_BEFORE = 0   # the role was refused here before
    OTHER_ROLES = 1      # only other roles use it
    ADMIN = 2            # by its name an administrator's, and new to the role
    PROBING = 3          # many endpoints refused
    FIELD = 4            # a field that gives rights, which nobody sent before
    GAINED = 5           # refused here itself, until it had sent a field that gives rights


class Threshold(IntEnum):
    HOLDERS = 0
    USES = 1
    KNOWN_NS = 2
    OTHERS = 3
    PROBED = 4
    WINDOW_NS = 5
    BODIES = 6


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _bit(number):
    return _ONE << (finish(np.uint64(number) + _ONE) & np.uint64(63))


@inline_kernel
def _hit(hits, progress, row, why, observed, usual, first_ts, field, field_len):
    hit = hits[progress[Progress.HITS]]
    hit["row"] = row
    hit["why"] = why
    hit["observed"] = observed
    hit["usual"] = usual
    hit["first_ts"] = first_ts
    hit["field"] = field
    hit["field_len"] = field_len
    progress[Progress.HITS] += 1


@part_kernel
def access_of(table, slots, use, seeds, accesses, key0, key1, now):
    """Row of the counts of (endpoint, role)."""
    touched = touch(table, slots, use, seeds, key0, key1, _ZERO, _ZERO)
    if touched >= 0:
        return touched
    row = -1 - touched
    access = accesses[row]
    access["known_now"] = now
    access["holders"] = _ZERO
    access["served"] = 0
    access["refused"] = 0
    return row


@part_kernel
def judge_function(own, role, everyone, plain, admin, now, limits):
    """Why it is odd that this role is served here for the first time, -1 when it is not."""
    if own["served"] > 0:
        return -1
    many = count_bits(role["holders"]) >= limits[Threshold.HOLDERS] and role["served"] >= limits[Threshold.USES]
    known = now - np.int64(role["known_now"]) >= limits[Threshold.KNOWN_NS]
    if not (many and known):
        return -1
    if own["refused"] > 0 and plain:
        return np.int64(Why.REFUSED_BEFORE)
    if admin:
        return np.int64(Why.ADMIN)
    return np.int64(Why.OTHER_ROLES) if everyone["served"] >= limits[Threshold.OTHERS] else -1


@inline_kernel
def _note_refusal(known, generation, endpoint, transaction, now, limits):
    """Different endpoints refused to an identity in the window, after one more."""
    if known["generation"] != generation or now - np.int64(known["since_now"]) > limits[Threshold.WINDOW_NS]:
        known["generation"] = generation
        known["endpoints"] = _ZERO
        known["since_now"] = now
        known["first_ts"] = transaction["ts"]
        known["reported"] = 0
    known["endpoints"] |= _bit(endpoint)
    return count_bits(known["endpoints"])


@inline_kernel
def _note_barred(barred, known, endpoint, transaction):
    """Note what was refused to an identity, whose refusals are `known`."""
    if barred["generation"] != known["generation"] or barred["since_now"] != known["since_now"]:
        barred["generation"] = known["generation"]
        barred["since_now"] = known["since_now"]
        barred["rights_now"] = 0
        barred["latest"] = 0
        barred["before"] = 0
    if transaction["request_body_len"] == 0:
        if barred["latest"] != endpoint:
            barred["before"] = barred["latest"]
            barred["latest"] = endpoint
        barred["role"] = transaction["role"]


@part_kernel
def has_gained(barred, generation, endpoint, transaction, now, limits):
    """Whether an identity is let in where it was refused, as it has sent a field that gives rights since; then it is
    another role, where tokens name one.
    """
    if barred["generation"] != generation or (barred["latest"] != endpoint and barred["before"] != endpoint):
        return False
    if barred["rights_now"] == 0 or now - np.int64(barred["rights_now"]) > limits[Threshold.WINDOW_NS]:
        return False
    return transaction["role"] == 0 or transaction["role"] != barred["role"]


@inline_kernel
def _note_body(
    arena, content, fields, endpoint, generation, identity, names, seeds, sensitive, row, transaction, now,
    limits, hits, progress,
):  # fmt: skip
    start = np.int64(content["request_body_offset"])
    stop = start + min(np.int64(content["request_body_len"]), _BODY_MAX)
    if stop <= start or (at(arena, start) != _OPEN and at(arena, start) != _LIST):
        return
    known = fields[endpoint]
    if known["generation"] != generation:
        known["generation"] = generation
        known["bodies"] = 0
        known["senders"] = _ZERO
        known["known_now"] = now
        known["rights"] = _ZERO
    senders = count_bits(known["senders"])
    judged = (
        known["bodies"] >= limits[Threshold.BODIES]
        and senders >= limits[Threshold.HOLDERS]
        and now - np.int64(known["known_now"]) >= limits[Threshold.KNOWN_NS]
    )
    known["bodies"] += 1
    known["senders"] |= _bit(identity)
    rights, field, length = read_fields(arena, start, stop, known["rights"], names, seeds, sensitive)
    known["rights"] = rights
    if judged and length > 0:
        bodies = np.float64(known["bodies"])
        _hit(hits, progress, row, Why.FIELD, 1.0, bodies, transaction["ts"], field, min(length, KEY_MAX))


@inline_kernel
def _key(entity, endpoint_generations):
    """What an endpoint goes by in the table of accesses."""
    endpoint = np.int64(entity["endpoint"])
    return (np.uint64(endpoint_generations[endpoint]) << np.uint64(32)) | np.uint64(endpoint)


@part_kernel
def _look_ahead(transactions, entities, start, endpoint_generations, table, slots, seeds, accesses, hashes):
    """Hash endpoint and role of the transactions from row `start` on, as many as `hashes` has room for, and ask for
    their counts; returns the row to look ahead from next.
    """
    stop = min(start + len(hashes), len(transactions))
    for row in range(start, stop):
        key = _key(entities[row], endpoint_generations)
        hashes[row - start] = hash_key(seeds, key, transactions[row]["role"], _ZERO, _ZERO)
    ask_for_rows(table, slots, accesses, hashes, stop - start)
    return stop


@inline_kernel
def _ask(content, arena, endpoint, fields):
    """Ask for the memory of a request's body, and for what is known of its endpoint's fields."""
    length = np.int64(content["request_body_len"])
    if length > 0:
        body = np.int64(content["request_body_offset"])
        for place in range(body, body + min(length, 512), 64):
            prefetch(arena, place)
        prefetch(fields, endpoint)


@kernel
def find_above_role(
    transactions: TRANSACTION, entities: ENTITIES, contents: CONTENT, arena: Bytes, start: int,
    strings: ENTRY, pool_bytes: Bytes, admin_words: U64s,
    table: ENTITY, slots: U64s, use: I64s, seeds: U64s, accesses: ACCESS,
    refusals: REFUSALS, barred: BARRED, identity_generations: U32s, fields: FIELDS,
    endpoint_generations: U32s, names: U64s, sensitive: U64s, limits: F64s, hashes: U64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `admin_words` are those that make an endpoint an administrator's; `contents` may be empty; `names` has 2 * NAMES
    items, `hashes` is room for AHEAD.
    """
    progress[Progress.HITS] = 0
    ahead = first = start
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if len(hits) - progress[Progress.HITS] < 4:
            return row
        if row == ahead:
            first = row
            ahead = _look_ahead(
                transactions, entities, row, endpoint_generations, table, slots, seeds, accesses, hashes
            )
        if row + AHEAD < len(contents):
            _ask(contents[row + AHEAD], arena, np.int64(entities[row + AHEAD]["endpoint"]), fields)
        transaction = transactions[row]
        entity = entities[row]
        endpoint = np.int64(entity["endpoint"])
        status = np.int64(transaction["status_code"])
        served = 200 <= status < 300
        if endpoint == 0 or not (served or status == 403) or transaction["user"] == 0:
            continue
        if transaction["flags"] & TransactionFlag.LOGIN != 0:
            continue
        now = np.int64(transaction["now"])
        identity = np.int64(entity["identity"])
        followed = identity < len(barred)
        if status == 403:
            known = refusals[identity]
            count = _note_refusal(known, identity_generations[identity], endpoint, transaction, now, limits)
            if count >= limits[Threshold.PROBED] and known["reported"] == 0:
                known["reported"] = 1
                _hit(hits, progress, row, Why.PROBING, np.float64(count), 0.0, known["first_ts"], 0, 0)
            if followed:
                _note_barred(barred[identity], known, endpoint, transaction)
        elif len(contents) > 0 and contents[row]["request_body_len"] > 0:
            offset = np.int64(contents[row]["request_body_offset"])
            was_barred = followed and barred[identity]["latest"] != 0
            if was_barred and barred[identity]["generation"] == identity_generations[identity] and has_rights(
                arena, offset, offset + min(np.int64(contents[row]["request_body_len"]), _BODY_MAX), names, seeds,
                sensitive,
            ):  # fmt: skip
                barred[identity]["rights_now"] = now
            _note_body(
                arena, contents[row], fields, endpoint, endpoint_generations[endpoint], identity, names, seeds,
                sensitive, row, transaction, now, limits, hits, progress,
            )  # fmt: skip
        elif followed and transaction["request_body_len"] == 0 and has_gained(
            barred[identity], identity_generations[identity], endpoint, transaction, now, limits
        ):
            barred[identity]["rights_now"] = 0
            _hit(hits, progress, row, Why.GAINED, 1.0, 0.0, refusals[identity]["first_ts"], 0, 0)
        role = transaction["role"]
        if role == 0:
            continue
        key = _key(entity, endpoint_generations)
        at_own = find_hashed(table, slots, hashes[row - first], key, role, _ZERO, _ZERO)
        if at_own < 0 or status == 403 or accesses[at_own]["served"] & 7 == 0:
            at_role = access_of(table, slots, use, seeds, accesses, _ZERO, role, now)
            at_all = access_of(table, slots, use, seeds, accesses, key, _ZERO, now)
            at_own = access_of(table, slots, use, seeds, accesses, key, role, now)
            own, of_role, everyone = accesses[at_own], accesses[at_role], accesses[at_all]
            if status == 403:
                own["refused"] += 1
                continue
            if own["served"] == 0:
                entry = strings[np.int64(transaction["endpoint"])]
                begin = np.int64(entry["start"])
                admin = has_word(pool_bytes, begin, begin + np.int64(entry["length"]), admin_words)
                plain = transaction["object_id"] == 0
                why = judge_function(own, of_role, everyone, plain, admin, now, limits)
                if why >= 0:
                    usual = np.float64(everyone["served"])
                    _hit(hits, progress, row, why, 1.0, usual, transaction["ts"], 0, 0)
            else:
                of_role["served"] += 8
                everyone["served"] += 8
            of_role["holders"] |= own["holders"] | _bit(identity)
        accesses[at_own]["served"] += 1
        accesses[at_own]["holders"] |= _bit(identity)
    return len(transactions)
