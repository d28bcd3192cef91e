"""Reads of ids that were never given to who reads them: in: transactions, contents; out: rows of hits.

An identity's vote on an endpoint is what it does there: it reads ids that answers gave to it before, or others. Only
where nearly all who vote are faithful, those of one role apart, is the one judged who is not. The one law: an identity
is measured against the votes of others, and where they are few or differ nothing is said.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I64s, U32s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.detection.detectors.never_given_ids_kernel import (
    BLOCK,
    WORD_MAX,
    blind,
    is_full,
    is_noted,
    is_word_byte,
    note,
    note_unseen,
    note_words,
    own_block,
    read_hash,
    shape_of,
    take_unseen,
)
from sensor.detection.detectors.never_given_votes_kernel import (
    COHORT,
    FAMILY,
    READER,
    Vote,
    begin_reader,
    begin_window,
    count_read,
    join,
    withdraw,
)
from sensor.schema import CONTENT, TRANSACTION, Anomaly, ContentFlag
from sensor.structures.bytesearch import load64
from sensor.structures.entity_table_kernels import ENTITY
from sensor.structures.entity_tables import ENTITIES, IdentityKind
from sensor.structures.hashing import hash_bytes
from sensor.structures.prefetch import AHEAD, prefetch
from sensor.structures.string_pool_kernels import ENTRY

_ZERO = np.uint64(0)
_OPEN, _SLASH, _QUERY, _HASH, _SEMI = 0x7B, 0x2F, 0x3F, 0x23, 0x3B
_SPOILT = int(ContentFlag.RESPONSE_CODED | ContentFlag.RESPONSE_GAP | ContentFlag.RESPONSE_BOMB)
_LOST = np.uint64(Anomaly.RESPONSE_GAP | Anomaly.RESPONSE_MISSING | Anomaly.RESPONSE_UNFINISHED)
_LOWER = np.uint64(0x2020202020202020)
_IDS_A_RECORD, _IDS_LOST = 4, 100
"""Ids that a record of a list may hold, of as many endpoints; and those that an answer may hold of which nothing is
known.
"""
_BYTES_AN_ID, _CODED_BYTES_AN_ID = 16, 2
LOST = 256
"""Credentials whose answers were lost before they were known."""
_REFUTED_VOTERS = 16
GRAVE = 5.0
"""Times the threshold from which on it is of high severity."""
_FIRST_NS, _DARK_NS = 3_600_000_000_000, 60_000_000_000
_ANSWERS = 512


HIT = np.dtype(
    [("row", "i8"), ("run_now", "i8"), ("first_ts", "i8"), ("ungiven", "i8"), ("reads", "i8"), ("threshold", "f8"),
     ("others", "i8"), ("faithful", "i8")]
)  # fmt: skip


class Threshold(IntEnum):
    WINDOW_NS = 0
    IDS = 1
    SHARE = 2
    FAITHFUL = 3
    FAITHFUL_SHARE = 4
    OTHERS = 5
    REPORT_NS = 6


class Progress(IntEnum):
    ROW = 0
    HITS = 1
    DEMOTED = 2   # blocks taken from a lighter identity
    REFUSED = 3   # uses of identities that got none
    LIVE = 4      # endpoints whose votes are asked for; while there are none nothing is noted
    SINCE = 5     # packet time from which on all is noted
    SEED = 6
    UNTIL = 7     # until then all is noted, endpoints being hardly known; 0 before the first row
    ANSWERS = 8   # with bodies, lately
    UNKEPT = 9    # of which nothing was kept
    DARK = 10     # until then rows are passed over, because too much was not kept
    LATEST = 11   # packet time at the end of the latest batch


@part_kernel
def _prefix_of(strings, text, code):
    """Bytes of a template before its only id, which is a whole segment; 0 when there is not just one."""
    start = np.int64(strings[code]["start"])
    stop = start + np.int64(strings[code]["length"])
    found = 0
    for i in range(start + 1, stop):
        if at(text, i) == _OPEN:
            if found > 0 or at(text, i - 1) != _SLASH:
                return 0
            found = i - start
    return found


@part_kernel
def _id_end(strings, text, code, prefix):
    """Where the id that begins behind `prefix` bytes of a target ends, before the rest of it; 0 when it is none."""
    start = np.int64(strings[code]["start"])
    stop = start + np.int64(strings[code]["length"])
    begin = start + prefix
    if begin >= stop or at(text, begin - 1) != _SLASH:
        return 0
    end, digits = begin, 0
    while end < stop and is_word_byte(at(text, end)):
        digits += 0x30 <= at(text, end) <= 0x39
        end += 1
    if digits == 0 or end - begin > WORD_MAX:
        return 0
    after = at(text, end) if end < stop else _SLASH
    return end if after == _SLASH or after == _QUERY or after == _HASH or after == _SEMI else 0


@inline_kernel
def _holds_no_ids(strings, text, code):
    """Whether a media type is that of pictures, sound, fonts, styles or programs."""
    start, length = np.int64(strings[code]["start"]), np.int64(strings[code]["length"])
    if length < 8:
        return False
    word = load64(text, start) | _LOWER
    six, five = word & np.uint64(0xFFFFFFFFFFFF), word & np.uint64(0xFFFFFFFFFF)
    if six == np.uint64(0x2F6567616D69) or six == np.uint64(0x2F6F65646976) or six == np.uint64(0x2F6F69647561):
        return True
    if five == np.uint64(0x2F746E6F66) or word == np.uint64(0x7373632F74786574):
        return True
    if word == np.uint64(0x76616A2F74786574):
        return True
    return length >= 20 and (load64(text, start + 12) | _LOWER) == np.uint64(0x697263736176616A)


@inline_kernel
def _judge(reader, cohort, row, now, limits, hits, progress):
    """Whether a reader of one more id that was not given is to be reported."""
    others = np.int64(cohort["voters"]) - (1 if reader["vote"] != Vote.NONE else 0)
    faithful = np.int64(cohort["faithful"]) - (1 if reader["vote"] == Vote.FAITHFUL else 0)
    ungiven = np.float64(reader["ungiven"])
    threshold = max(limits[Threshold.IDS], 2.0 * np.float64(reader["past"]))
    if ungiven < threshold or ungiven < limits[Threshold.SHARE] * np.float64(reader["today"]):
        return
    if faithful < limits[Threshold.FAITHFUL] or faithful < limits[Threshold.FAITHFUL_SHARE] * others:
        return
    if others - faithful > limits[Threshold.OTHERS] and reader["trusted"] == 0:
        return
    if reader["run_now"] == 0:
        reader["run_now"] = now
    elif (
        reader["ungiven"] < 2 * reader["reported"]
        and not reader["reported"] < GRAVE * threshold <= ungiven
        and now - np.int64(reader["reported_now"]) < limits[Threshold.REPORT_NS]
    ):
        return
    reader["reported"] = reader["ungiven"]
    reader["reported_now"] = now
    hit = hits[progress[Progress.HITS]]
    hit["row"] = row
    hit["run_now"] = reader["run_now"]
    hit["first_ts"] = reader["first_ts"]
    hit["ungiven"] = reader["ungiven"]
    hit["reads"] = reader["today"]
    hit["threshold"] = threshold
    hit["others"] = others
    hit["faithful"] = faithful
    progress[Progress.HITS] += 1


@inline_kernel
def _wake(now, progress):
    """One more endpoint is asked for votes."""
    if progress[Progress.LIVE] == 0 and now >= progress[Progress.UNTIL]:
        progress[Progress.SINCE] = now
    progress[Progress.LIVE] += 1


@part_kernel
def _begin_family(family, generation, strings, text, code, now, progress):
    """An endpoint that is new, or whose row was another's."""
    if family["generation"] != 0 and family["prefix"] > 0 and family["rests"] == 0:
        progress[Progress.LIVE] -= 1
    family["generation"] = generation
    family["prefix"] = _prefix_of(strings, text, code)
    family["serial"] += 1
    family["voters"] = 0
    family["faithful"] = 0
    family["rests"] = 0
    if family["prefix"] > 0:
        _wake(now, progress)


@inline_kernel
def _may_rest(family, now, progress):
    """Leave an endpoint alone whose ids are not given before."""
    if family["voters"] >= _REFUTED_VOTERS and 2 * family["faithful"] < family["voters"]:
        family["rests"] = 1
        family["rests_now"] = now
        progress[Progress.LIVE] -= 1


@inline_kernel
def _is_asked(family, generation, strings, text, code, now, limits, progress):
    """Whether reads at an endpoint count; one that was left alone for a window is asked again."""
    if family["generation"] != generation:
        _begin_family(family, generation, strings, text, code, now, progress)
    elif family["rests"] != 0 and now - np.int64(family["rests_now"]) >= limits[Threshold.WINDOW_NS]:
        _wake(now, progress)
        family["rests"] = 0
        family["serial"] += 1
        family["voters"] = 0
        family["faithful"] = 0
    return family["prefix"] > 0 and family["rests"] == 0


@inline_kernel
def _lost_ids(transaction):
    """Ids that an answer may have held that is lost: more in a list than in an object's."""
    most = _IDS_LOST if transaction["object_id"] == 0 else _IDS_A_RECORD
    return most + max(np.int64(transaction["response_missing_bytes"]), 0) // _BYTES_AN_ID


@inline_kernel
def _unseen_ids(transaction, flags, whole, kept):
    """Ids that an answer may hold and that were not to be seen."""
    if flags & _SPOILT != 0 or transaction["anomalies"] & _LOST != _ZERO:
        coded = flags & ContentFlag.RESPONSE_CODED != 0
        return _lost_ids(transaction) + whole // (_CODED_BYTES_AN_ID if coded else _BYTES_AN_ID)
    if flags & ContentFlag.RESPONSE_CUT == 0 and kept >= min(whole, 1):
        return 0
    records = np.int64(transaction["records"])
    return _IDS_A_RECORD * max(records, 1) if records >= 0 else _IDS_A_RECORD + whole // _BYTES_AN_ID


@inline_kernel
def _key_of(transaction):
    return transaction["subject"] if transaction["subject"] != 0 else transaction["user"]


@inline_kernel
def _see_if_dark(kept, now, progress):
    """Pass over all for a while when nothing was kept of most answers: what nobody sees cannot be told from theft."""
    progress[Progress.ANSWERS] += 1
    progress[Progress.UNKEPT] += kept == 0
    if progress[Progress.ANSWERS] == _ANSWERS:
        if 2 * progress[Progress.UNKEPT] > _ANSWERS:
            progress[Progress.DARK] = now + _DARK_NS
            progress[Progress.SINCE] = now + _DARK_NS
        progress[Progress.ANSWERS] = 0
        progress[Progress.UNKEPT] = 0


@part_kernel
def _take_answer(transaction, content, block, bits, at_block, arena, strings, text, shapes, now, limits, progress):
    """Note what an answer gives; what is not to be seen of it makes the identity silent."""
    seed = np.uint64(progress[Progress.SEED])
    status = np.int64(transaction["status_code"])
    if status == 201 or status >= 300:  # where it is, says Location
        head = np.int64(content["response_head_offset"])
        if content["response_head_len"] == 0:
            note_unseen(block, _IDS_A_RECORD)
        length = np.int64(content["response_head_len"])
        note_words(block, bits, at_block, arena, head, head + length, shapes, seed)
    whole, kept = np.int64(transaction["response_body_len"]), np.int64(content["response_body_len"])
    if status >= 300 or (whole <= 0 and transaction["anomalies"] & _LOST == _ZERO):
        return
    if _holds_no_ids(strings, text, np.int64(transaction["response_content_type"])):
        return
    _see_if_dark(kept, now, progress)
    note_unseen(block, _unseen_ids(transaction, np.int64(content["flags"]), whole, kept))
    if is_full(block):
        blind(block, now, np.int64(limits[Threshold.WINDOW_NS]))
        return
    start = np.int64(content["response_body_offset"])
    note_words(block, bits, at_block, arena, start, start + kept, shapes, seed)


@part_kernel
def _note_read(
    reader, block, bits, at_block, cohorts, families, table, slots, use, seeds, endpoint, role, hashed, row, now, ts,
    limits, hits, progress,
):  # fmt: skip
    """Count the read of an id; whether it may have been given."""
    given = is_noted(bits, at_block, hashed)
    reading = read_hash(hashed, endpoint)
    if is_noted(bits, at_block, reading):
        return given
    note(block, bits, at_block, reading)
    if now < block["blind_now"]:
        return given
    if not given and take_unseen(block):
        return True
    if now - np.int64(reader["window_now"]) >= limits[Threshold.WINDOW_NS]:
        begin_window(reader, now)
    cohort = cohorts[join(reader, cohorts, families, table, slots, use, seeds, endpoint, role)]
    if not given and reader["ungiven"] == 0:
        reader["first_ts"] = ts
    count_read(reader, cohort, families, not given)
    _may_rest(families[endpoint], now, progress)
    if not given:
        _judge(reader, cohort, row, now, limits, hits, progress)
    return given


@kernel
def find_never_given(
    transactions: TRANSACTION, entities: ENTITIES, contents: CONTENT, arena: Bytes, start: int, strings: ENTRY,
    text: Bytes, identity_generations: U32s, endpoint_generations: U32s, pair_generations: U32s,
    families: FAMILY, readers: READER, blocks: BLOCK, bits: U64s, shapes: Bytes, lost: U64s,
    table: ENTITY, slots: U64s, use: I64s, seeds: U64s, cohorts: COHORT,
    limits: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `bits` has 2 * HALF_WORDS words for each block; `shapes` uint8[SHAPES] is 1 for lengths and sorts of ids asked for;
    `lost` is uint64[LOST].
    """
    progress[Progress.HITS] = 0
    window = np.int64(limits[Threshold.WINDOW_NS])
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if progress[Progress.HITS] == len(hits):
            return row
        transaction, entity = transactions[row], entities[row]
        now = np.int64(transaction["now"])
        if now < progress[Progress.DARK]:
            continue
        status = np.int64(transaction["status_code"])
        if status == 0 and entity["identity_kind"] == IdentityKind.CLIENT:
            lost[np.int64(_key_of(transaction) & np.uint64(LOST - 1))] = _key_of(transaction)
        if entity["identity_kind"] == IdentityKind.CLIENT or status >= 400 or 0 < status < 200:
            continue
        endpoint = np.int64(entity["endpoint"])
        if progress[Progress.UNTIL] == 0:
            progress[Progress.UNTIL] = now + _FIRST_NS
        end = 0
        if transaction["object_id"] != 0 and endpoint > 0 and 200 <= status < 300:
            family = families[endpoint]
            asked = _is_asked(
                family, endpoint_generations[endpoint], strings, text, np.int64(transaction["endpoint"]), now, limits,
                progress,
            )  # fmt: skip
            if asked:
                end = _id_end(strings, text, np.int64(transaction["uri"]), np.int64(family["prefix"]))
        if progress[Progress.LIVE] == 0 and now >= progress[Progress.UNTIL]:
            continue
        if row + AHEAD < len(transactions):
            later = np.int64(entities[row + AHEAD]["identity"]) % len(blocks)
            prefetch(blocks, later)
            prefetch(readers, np.int64(entities[row + AHEAD]["identity_endpoint"]))
        identity, pair = np.int64(entity["identity"]), np.int64(entity["identity_endpoint"])
        taken = own_block(
            blocks, bits, identity, identity_generations[identity], now, progress[Progress.SINCE], window
        )  # fmt: skip
        progress[Progress.DEMOTED] += taken == 1
        progress[Progress.REFUSED] += taken < 0
        if taken < 0:
            continue
        at_block = identity % len(blocks)
        block = blocks[at_block]
        place = np.int64(_key_of(transaction) & np.uint64(LOST - 1))
        if taken == 2 and lost[place] == _key_of(transaction):
            note_unseen(block, _IDS_LOST)
            lost[place] = _ZERO
        if status == 0:
            note_unseen(block, _lost_ids(transaction))
            continue
        given = True
        if end > 0:
            begin = np.int64(strings[np.int64(transaction["uri"])]["start"]) + np.int64(families[endpoint]["prefix"])
            hashed = hash_bytes(np.uint64(progress[Progress.SEED]), text, begin, end - begin)
            shapes[shape_of(text, begin, end)] = np.uint8(1)
            if status == 201:
                note(block, bits, at_block, hashed)
            else:
                reader = readers[pair]
                if reader["generation"] != pair_generations[pair]:
                    withdraw(reader, cohorts, families)
                    begin_reader(reader, pair_generations[pair], now)
                given = _note_read(
                    reader, block, bits, at_block, cohorts, families, table, slots, use, seeds, endpoint,
                    transaction["role"], hashed, row, now, np.int64(transaction["ts"]), limits, hits, progress,
                )  # fmt: skip
        if given:
            _take_answer(
                transaction, contents[row], block, bits, at_block, arena, strings, text, shapes, now, limits, progress
            )
    return len(transactions)
