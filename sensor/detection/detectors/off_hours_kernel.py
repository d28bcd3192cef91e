"""At which hours identities work: in: transactions with their entities; out: rows at which one takes much at another.

Of each identity the days are counted on which it was active in each local hour, working days and week-ends apart, and
how much it takes in a day. The one law: the present hour is compared with the hours that are over, never with itself.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I64s, U32s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.prefetch import FAR_AHEAD, prefetch
from sensor.structures.robust import is_weekend

KINDS, HOURS = 2, 24
COUNTS = KINDS * HOURS
"""Counts of an identity: days active in each hour of working days, then of week-ends."""
_HOUR_NS = 3_600_000_000_000
_KIND_DAYS = 4
"""Active days of a kind from which on the other kind says nothing of it."""
_MEMORY_DAYS = 60
_DAYS_MAX = 200

WORK = np.dtype(
    [
        ("taken", "i8"),        # response body bytes of the present hour
        ("first_ts", "i8"),     # of the hour
        ("today", "f4"),        # of the day so far, without the present hour
        ("usual", "f4"),        # of an active day, on average
        ("hour", "i4"),         # since 1970, local
        ("generation", "u4"),
        ("requests", "i4"),     # of the hour
        ("working", "u1"),      # active days of each kind that are over, _DAYS_MAX together at most
        ("weekends", "u1"),
        ("judged", "u1"),       # 1 when much was taken in the hour
    ],
    align=True,
)
HIT = np.dtype(
    [("row", "i8"), ("taken", "i8"), ("usual", "f8"), ("requests", "i8"), ("first_ts", "i8"), ("hour", "i8"),
     ("days", "i8"), ("at_this_hour", "i8")]
)  # fmt: skip


class Threshold(IntEnum):
    DAYS = 0
    BYTES = 1
    PART = 2     # of the days on which an hour must have been worked to be usual
    RATIO = 3    # times a usual day


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@part_kernel
def _begin(work, counts, base, generation):
    work["generation"] = generation
    work["hour"] = -1
    work["taken"] = 0
    work["today"] = 0.0
    work["usual"] = 0.0
    work["requests"] = 0
    work["judged"] = 0
    work["working"] = 0
    work["weekends"] = 0
    for i in range(base, base + COUNTS):
        counts[i] = 0


@part_kernel
def _end_day(work, counts, base, day):
    """The day is over: it counts, and what is long ago counts half."""
    days = np.int64(work["working"]) + np.int64(work["weekends"]) + 1
    usual = np.float64(work["usual"])
    work["usual"] = usual + (np.float64(work["today"]) - usual) / min(days, _MEMORY_DAYS)
    work["today"] = 0.0
    if is_weekend(day):
        work["weekends"] += 1
    else:
        work["working"] += 1
    if days >= _DAYS_MAX:
        work["weekends"] >>= 1
        work["working"] >>= 1
        for i in range(base, base + COUNTS):
            counts[i] >>= 1


@part_kernel
def _end_hour(work, counts, base, hour):
    """Another hour begins."""
    before = np.int64(work["hour"])
    if before >= 0:
        day = before // HOURS
        place = base + HOURS * np.int64(is_weekend(day)) + before % HOURS
        counts[place] = min(np.int64(counts[place]) + 1, 255)
        work["today"] = np.float64(work["today"]) + np.float64(work["taken"])
        if hour // HOURS != day:
            _end_day(work, counts, base, day)
    work["hour"] = hour
    work["taken"] = 0
    work["requests"] = 0
    work["judged"] = 0


@inline_kernel
def _about(counts, base, hour):
    """Days active in this hour of the day, or in the one before or after."""
    before, after = (hour + HOURS - 1) % HOURS, (hour + 1) % HOURS
    return np.int64(counts[base + before]) + np.int64(counts[base + hour]) + np.int64(counts[base + after])


@part_kernel
def _times_at(work, counts, base, hour, limits):
    """Days on which the identity was active about this hour, -1 when that is usual for it."""
    weekend = is_weekend(hour // HOURS)
    working, free = np.int64(work["working"]), np.int64(work["weekends"])
    of_kind = free if weekend else working
    times, days = _about(counts, base + (HOURS if weekend else 0), hour % HOURS), of_kind
    if of_kind < _KIND_DAYS:
        times += _about(counts, base + (0 if weekend else HOURS), hour % HOURS)
        days = working + free
    return times if times < max(1.0, limits[Threshold.PART] * days) else -1


@kernel
def find_off_hours(
    transactions: TRANSACTION, entities: ENTITIES, start: int, days: I64s, zone_ns: I64s,
    table: WORK, counts: Bytes, generations: U32s, limits: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with. `days` and `zone_ns` are those of
    time_zone.py; each identity has COUNTS of `counts`.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if progress[Progress.HITS] == len(hits):
            return row
        if row + FAR_AHEAD < len(entities):
            prefetch(table, np.int64(entities[row + FAR_AHEAD]["identity"]))
        transaction = transactions[row]
        status = np.int64(transaction["status_code"])
        if status < 200 or status >= 400:
            continue
        identity = np.int64(entities[row]["identity"])
        work, base = table[identity], identity * COUNTS
        if work["generation"] != generations[identity]:
            _begin(work, counts, base, generations[identity])
        now = np.int64(transaction["now"])
        local = now + zone_ns[min(max(now // (HOURS * _HOUR_NS) - days[0], 0), len(zone_ns) - 1)]
        hour = local // _HOUR_NS
        if hour > work["hour"]:
            _end_hour(work, counts, base, hour)
            work["first_ts"] = transaction["ts"]
        work["taken"] += transaction["response_body_len"]
        work["requests"] += 1
        known = np.int64(work["working"]) + np.int64(work["weekends"])
        least = max(limits[Threshold.BYTES], limits[Threshold.RATIO] * np.float64(work["usual"]))
        if known < limits[Threshold.DAYS] or work["taken"] <= least or work["judged"] != 0:
            continue
        work["judged"] = 1
        times = _times_at(work, counts, base, hour, limits)
        if times < 0:
            continue
        hit = hits[progress[Progress.HITS]]
        progress[Progress.HITS] += 1
        hit["row"], hit["taken"], hit["usual"] = row, work["taken"], work["usual"]
        hit["requests"], hit["first_ts"], hit["hour"] = work["requests"], work["first_ts"], hour % HOURS
        hit["days"], hit["at_this_hour"] = known, times
    return len(transactions)
