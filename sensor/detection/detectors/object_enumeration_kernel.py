"""Whose objects an identity reads: in: transactions with their entities; out: rows of hits.

For each identity and endpoint the different objects are counted over a day (linear counting in a bitmap: Whang et al.,
1990): answered, and refused (403, 404). Identities of one role on one endpoint are a cohort, whose counts are a
histogram; identities of one role, wherever they read, are one more, counted by what each has read most of. The one
law: an identity is measured against the cohort without itself.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import F64s, I32s, I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.detectors.object_enumeration_cohorts_kernel import (
    BINS,
    COHORT,
    READER,
    join_cohort,
    leave_cohort,
    note_reader,
    tally_all,
    usual_of,
)
from sensor.schema import TRANSACTION
from sensor.structures.bits import set_bit
from sensor.structures.entity_table_kernels import ENTITY, Use
from sensor.structures.entity_tables import ENTITIES, IdentityKind
from sensor.structures.prefetch import FAR_AHEAD, prefetch

WORDS = 20
"""Of a pair's bitmaps: 1,024 bits for objects that were answered, 256 for those that were refused."""
_BITS, _REFUSED_AT, _REFUSED_BITS = 1_024, 16, 256
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_MINUTE, _DAY = 60_000_000_000, 86_400_000_000_000
_LISTED_MAX = (1 << 16) - 1
_NEAR = 8
_GRADES = 3
"""Hits of one row at most."""

OBJECTS = np.dtype(
    [
        ("generation", "u4"),
        ("cohort_serial", "u4"),
        ("cohort", "i4"),        # row of the cohort that counts the pair
        ("bin", "i4"),           # of its histogram, -1 when it is not counted
        ("bits", "i4"),          # set in the bitmap of answered objects
        ("refused_bits", "i4"),
        ("seen", "i4"),          # different objects answered in this window
        ("refused", "i4"),       # and refused
        ("steps", "i4"),         # new objects whose number is next to the one before
        ("past", "i4"),          # most in one window before
        ("minute", "i4"),        # new ones in this minute
        ("minute_peak", "i4"),   # most in one minute before
        ("minutes", "i4"),       # minutes with new ones before this
        ("reported", "i4"),
        ("window_now", "i8"),    # when the window began
        ("minute_now", "i8"),
        ("number", "i8"),        # of the last new object
        ("first_ts", "i8"),
        ("run_now", "i8"),       # when it went over the threshold, 0 before
        ("reported_now", "i8"),
        ("burst", "f8"),         # objects refused lately: one less every so many seconds
        ("burst_now", "i8"),
    ],
    align=True,
)
LISTED = np.dtype([("generation", "u4"), ("day", "u2"), ("records", "u2")], align=True)
"""Of an identity whose role is not known: records of lists that it was given on its latest day, half of those before.
"""
HIT = np.dtype(
    [("row", "i8"), ("run_now", "i8"), ("first_ts", "i8"), ("seen", "i8"), ("refused", "i8"), ("steps", "i8"),
     ("minute", "i8"), ("threshold", "f8"), ("usual", "f8"), ("peers", "i8"), ("grade", "i8")]
)  # fmt: skip


class Grade(IntEnum):
    """What a hit rests on."""

    PEERS = 0      # far more objects than others of the role
    PROBING = 1    # most of them refused
    ALONE = 2      # nobody to compare with: far faster than before
    PACED = 3      # far more objects than others, at a program's pace; its role is not known
    ROLELESS = 4   # nobody else comes without a role: far more objects than those who have one
    ELSEWHERE = 5  # hardly anyone else uses the endpoint: far more than others of the role read anywhere


class Threshold(IntEnum):
    WINDOW_NS = 0
    OBJECTS = 1
    RATIO = 2
    PEERS = 3
    KNOWN_NS = 4
    UNKNOWN_ROLE = 5
    PROBED = 6
    ALONE = 7
    ALONE_RATIO = 8
    REPORT_NS = 9
    FORGET_NS = 10
    PACE = 11
    PACE_FACTOR = 12
    ROLELESS_FACTOR = 13


class Progress(IntEnum):
    ROW = 0
    HITS = 1
    TALLY = 2      # BINS of them: a histogram of all cohorts of an endpoint


@inline_kernel
def estimate(bits, size):
    """Different items that set so many bits of `size` (linear counting)."""
    free = max(size - bits, 1)
    return np.int64(-np.float64(size) * np.log(np.float64(free) / np.float64(size)) + 0.5)


@inline_kernel
def _clear_window(pair, bitmaps, base, now):
    for i in range(base, base + WORDS):
        bitmaps[i] = _ZERO
    pair["bits"] = 0
    pair["refused_bits"] = 0
    pair["seen"] = 0
    pair["refused"] = 0
    pair["steps"] = 0
    pair["reported"] = 0
    pair["run_now"] = 0
    pair["window_now"] = now


@part_kernel
def begin_pair(pair, bitmaps, base, generation, cohorts, histograms, now):
    """A pair that is new, or whose row was another's."""
    if pair["generation"] != 0:
        leave_cohort(pair, cohorts, histograms)
    pair["generation"] = generation
    pair["bin"] = -1
    pair["cohort"] = 0
    pair["past"] = 0
    pair["minute"] = 0
    pair["minute_peak"] = 0
    pair["minutes"] = 0
    pair["minute_now"] = now
    pair["number"] = -1
    pair["reported_now"] = 0
    pair["burst"] = 0.0
    pair["burst_now"] = now
    _clear_window(pair, bitmaps, base, now)


@inline_kernel
def _note_minute(pair, now):
    """One more new object in this minute."""
    if now - np.int64(pair["minute_now"]) >= _MINUTE:
        pair["minute_peak"] = max(pair["minute_peak"], pair["minute"])
        pair["minutes"] += 1
        pair["minute"] = 0
        pair["minute_now"] = now
    pair["minute"] += 1


@inline_kernel
def _note_number(pair, number):
    if number >= 0:
        if pair["number"] >= 0 and 0 < abs(number - pair["number"]) <= _NEAR:
            pair["steps"] += 1
        pair["number"] = number


@inline_kernel
def _report(hits, progress, pair, row, now, threshold, usual, peers, grade, limits):
    if pair["run_now"] == 0:
        pair["run_now"] = now
    elif pair["seen"] + pair["refused"] < 2 * pair["reported"] and (
        now - np.int64(pair["reported_now"]) < limits[Threshold.REPORT_NS]
    ):
        return
    pair["reported_now"] = now
    pair["reported"] = pair["seen"] + pair["refused"]
    hit = hits[progress[Progress.HITS]]
    hit["row"] = row
    hit["run_now"] = pair["run_now"]
    hit["first_ts"] = pair["first_ts"]
    hit["seen"] = pair["seen"]
    hit["refused"] = pair["refused"]
    hit["steps"] = pair["steps"]
    hit["minute"] = pair["minute"]
    hit["threshold"] = threshold
    hit["usual"] = usual
    hit["peers"] = peers
    hit["grade"] = grade
    progress[Progress.HITS] += 1


@inline_kernel
def _note_list(mine, generation, records, now):
    """Note records of a list."""
    day = (now // _DAY) & _LISTED_MAX
    if mine["generation"] != generation:
        mine["generation"] = generation
        mine["records"] = 0
    elif mine["day"] != day:
        mine["records"] = mine["records"] >> 1
    mine["day"] = day
    mine["records"] = min(np.int64(mine["records"]) + records, _LISTED_MAX)


@part_kernel
def _judge_elsewhere(
    pair, reader, cohorts, histograms, role, given, kind, row, now, limits, hits, progress,
):  # fmt: skip
    """Whether a pair whose endpoint hardly anyone of its role uses is over what others of its role read anywhere."""
    everywhere, here = cohorts[reader["cohort"]], cohorts[pair["cohort"]]
    others, peers = np.int64(everywhere["members"]) - 1, np.int64(here["members"]) - 1
    known_now, seen = np.int64(everywhere["known_now"]), np.float64(pair["seen"])
    if reader["cohort_serial"] != everywhere["serial"] or others < limits[Threshold.PEERS]:
        return
    if now - known_now < limits[Threshold.KNOWN_NS]:
        return
    usual = usual_of(histograms, np.int64(reader["cohort"]) * BINS, others, np.int64(reader["bin"]))
    if peers > 0:
        local = usual_of(histograms, np.int64(pair["cohort"]) * BINS, peers, np.int64(pair["bin"]))
        usual = 2.0 * local if 2 * peers >= limits[Threshold.PEERS] else max(usual, local)
    ordered = 2 * np.int64(pair["steps"]) >= seen or 4 * np.int64(pair["refused"]) >= seen
    ratio = limits[Threshold.RATIO] / (2.0 if ordered else 1.0)
    threshold = max(2.0 * limits[Threshold.OBJECTS], ratio * usual)
    new = np.int64(pair["window_now"]) - known_now >= limits[Threshold.KNOWN_NS]
    if role == 0 and not (ordered and new):
        threshold *= limits[Threshold.UNKNOWN_ROLE]
    if kind == IdentityKind.CLIENT or 4.0 * seen <= 5.0 * given:
        threshold *= 2.0
    threshold = max(threshold, 2.0 * np.float64(pair["past"]))
    if seen >= threshold:
        _report(hits, progress, pair, row, now, threshold, usual, others, Grade.ELSEWHERE, limits)


@part_kernel
def _judge_roleless(
    pair, cohorts, histograms, table, use, endpoint, own, given, kind, row, now, limits, hits, progress,
):  # fmt: skip
    """Whether a pair without a role, which hardly anybody else is, is over what all others of the endpoint read.

    Who was there from the beginning is a program at its work as likely as not; an endpoint that several strangers read
    is open to everybody.
    """
    rows, tally = np.int64(use[Use.ROWS]), np.int64(Progress.TALLY)
    others, known_now = tally_all(table, rows, cohorts, histograms, endpoint, progress, tally)
    others -= 1
    strangers = np.int64(cohorts[own]["members"]) - 1
    if others < limits[Threshold.PEERS] or now - known_now < limits[Threshold.KNOWN_NS]:
        return
    if kind == IdentityKind.CLIENT and 10 * strangers > others:
        return
    seen = np.float64(pair["seen"])
    usual = usual_of(progress, tally, others, np.int64(pair["bin"]))
    threshold = max(limits[Threshold.OBJECTS], limits[Threshold.RATIO] * usual)
    if np.int64(pair["window_now"]) - known_now < limits[Threshold.KNOWN_NS] or 4.0 * seen <= 5.0 * given:
        threshold *= limits[Threshold.UNKNOWN_ROLE]
    elif 2 * np.int64(pair["steps"]) < seen and 4 * np.int64(pair["refused"]) < seen:
        threshold *= limits[Threshold.ROLELESS_FACTOR]
    if kind == IdentityKind.CLIENT:
        threshold *= 2.0
    threshold = max(threshold, 2.0 * np.float64(pair["past"]))
    if seen >= threshold:
        _report(hits, progress, pair, row, now, threshold, usual, others, Grade.ROLELESS, limits)


@part_kernel
def judge(pair, cohort, histograms, role, given, kind, row, now, limits, hits, progress):
    """Whether a pair that has just seen one more object is over its threshold; `given` is how many lists have named."""
    seen, refused = np.float64(pair["seen"]), np.float64(pair["refused"])
    peers = np.int64(cohort["members"]) - 1
    if pair["burst"] >= limits[Threshold.PROBED] and refused >= seen:
        _report(hits, progress, pair, row, now, limits[Threshold.PROBED], 0.0, peers, Grade.PROBING, limits)
        return
    if seen < limits[Threshold.OBJECTS] or now - np.int64(cohort["known_now"]) < limits[Threshold.KNOWN_NS]:
        return
    if peers >= limits[Threshold.PEERS]:
        usual = usual_of(histograms, np.int64(pair["cohort"]) * BINS, peers, np.int64(pair["bin"]))
        threshold = max(limits[Threshold.OBJECTS], limits[Threshold.RATIO] * usual)
        grade = np.int64(Grade.PEERS)
        if role == 0 and 2 * np.int64(pair["steps"]) < seen and 4 * refused < seen:
            paced = pair["minute"] >= limits[Threshold.PACE] and 4.0 * seen > 5.0 * given
            grade = np.int64(Grade.PACED) if paced else grade
            threshold *= limits[Threshold.PACE_FACTOR] if paced else limits[Threshold.UNKNOWN_ROLE]
        if kind == IdentityKind.CLIENT:
            threshold *= 2.0
        threshold = max(threshold, 2.0 * np.float64(pair["past"]))
        if seen >= threshold:
            _report(hits, progress, pair, row, now, threshold, usual, peers, grade, limits)
        return
    usual = np.float64(pair["minute_peak"])
    threshold = limits[Threshold.ALONE]
    if pair["minutes"] >= 3:
        threshold = max(threshold / 2.0, limits[Threshold.ALONE_RATIO] * usual)
    if np.float64(pair["minute"]) >= threshold:
        _report(hits, progress, pair, row, now, threshold, usual, peers, Grade.ALONE, limits)


@inline_kernel
def _bit_of(transaction):
    """Where the object stands in a pair's bitmap."""
    return np.int64(transaction["object_id"] >> np.uint64(8)) & (_BITS - 1)


@kernel
def find_enumeration(
    transactions: TRANSACTION, entities: ENTITIES, start: int,
    pairs: OBJECTS, bitmaps: U64s, pair_generations: U32s, endpoint_generations: U32s,
    table: ENTITY, slots: U64s, use: I64s, seeds: U64s, cohorts: COHORT, histograms: I32s,
    listed: LISTED, readers: READER, identity_generations: U32s, limits: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with."""
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if row + FAR_AHEAD < len(transactions) and transactions[row + FAR_AHEAD]["object_id"] != 0:
            later = np.int64(entities[row + FAR_AHEAD]["identity_endpoint"])
            prefetch(pairs, later)
            prefetch(pair_generations, later)
            prefetch(bitmaps, later * WORDS + (_bit_of(transactions[row + FAR_AHEAD]) >> 6))
        transaction = transactions[row]
        if transaction["object_id"] == 0:
            if transaction["records"] > 0:
                who = np.int64(entities[row]["identity"])
                records = np.int64(transaction["records"])
                _note_list(listed[who], identity_generations[who], records, np.int64(transaction["now"]))
            continue
        if len(hits) - progress[Progress.HITS] < _GRADES:
            return row
        entity = entities[row]
        status = np.int64(transaction["status_code"])
        accepted = 200 <= status < 300
        endpoint = np.int64(entity["endpoint"])
        if endpoint == 0 or not (accepted or status == 403 or status == 404):
            continue
        at_pair = np.int64(entity["identity_endpoint"])
        pair, base = pairs[at_pair], at_pair * WORDS
        now = np.int64(transaction["now"])
        if pair["generation"] != pair_generations[at_pair]:
            begin_pair(pair, bitmaps, base, pair_generations[at_pair], cohorts, histograms, now)
        elif now - np.int64(pair["window_now"]) >= limits[Threshold.WINDOW_NS]:
            pair["past"] = max(pair["past"], pair["seen"])
            _clear_window(pair, bitmaps, base, now)
        if pair["bits"] + pair["refused_bits"] == 0:
            pair["first_ts"] = transaction["ts"]
        bit = _bit_of(transaction)
        if accepted:
            if not set_bit(bitmaps, base, bit):
                continue
            pair["bits"] += 1
            pair["seen"] = estimate(np.int64(pair["bits"]), _BITS)
            _note_number(pair, np.int64(transaction["object_number"]))
            _note_minute(pair, now)
        else:
            gone = bitmaps[base + (bit >> 6)] & (_ONE << np.uint64(bit & 63)) != 0  # it was there for this identity
            if gone or not set_bit(bitmaps, base + _REFUSED_AT, bit & (_REFUSED_BITS - 1)):
                continue
            pair["refused_bits"] += 1
            pair["refused"] = estimate(np.int64(pair["refused_bits"]), _REFUSED_BITS)
            forgotten = np.float64(now - np.int64(pair["burst_now"])) / limits[Threshold.FORGET_NS]
            pair["burst"] = max(pair["burst"] - forgotten, 0.0) + 1.0
            pair["burst_now"] = now
        key = (np.uint64(endpoint_generations[endpoint]) << np.uint64(32)) | np.uint64(endpoint)
        role = transaction["role"]
        cohort = join_cohort(pair, cohorts, histograms, table, slots, use, seeds, key, role, now)
        kind = np.int64(entity["identity_kind"])
        who = np.int64(entity["identity"])
        known = listed[who]["generation"] == identity_generations[who]
        given = np.float64(listed[who]["records"]) if known else 0.0
        if accepted and who < len(readers):
            seen = np.int64(pair["seen"])
            note_reader(
                readers[who], identity_generations[who], seen, role, cohorts, histograms, table, slots, use, seeds, now
            )
        judge(pair, cohorts[cohort], histograms, role, given, kind, row, now, limits, hits, progress)
        enough = np.int64(pair["seen"]) >= limits[Threshold.OBJECTS] and (pair["bits"] + pair["refused_bits"]) & 3 == 0
        few = enough and np.int64(cohorts[cohort]["members"]) <= limits[Threshold.PEERS]
        if few and who < len(readers) and readers[who]["generation"] == identity_generations[who]:
            _judge_elsewhere(
                pair, readers[who], cohorts, histograms, role, given, kind, row, now, limits, hits, progress
            )
        if few and role == 0:
            _judge_roleless(
                pair, cohorts, histograms, table, use, key, cohort, given, kind, row, now, limits, hits, progress
            )
    return len(transactions)
