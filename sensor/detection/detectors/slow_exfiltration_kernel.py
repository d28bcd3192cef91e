"""Low and slow exfiltration in transactions: in: answers with their entities; out: rows of hits.

Two questions are asked of each identity, day by day: how many objects of an endpoint it reads that it never read
before (OBJECTS), and how many bytes and records it takes in all (BYTES, RECORDS). The answer is compared with its own
earlier days where there are enough of them, else with the endpoint's other readers. The one law: nobody is judged by a
single day unless his own past says otherwise.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I32s, I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.detectors.slow_exfiltration_cells_kernel import (
    CELL,
    LIGHT_BITS,
    READER,
    SHELF,
    give_cell,
    light_bits,
    note_object,
    settle_reader,
    settle_shelf,
)
from sensor.detection.detectors.slow_exfiltration_takers_kernel import (
    BYTES,
    RECORDS,
    TAKER,
    count_taker,
    leave_populations,
)
from sensor.schema import TRANSACTION
from sensor.structures.distinct import SKETCH, register_of, sketch_count
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.hashing import finish
from sensor.structures.log_histogram import BINS, MIDDLES, top_bin
from sensor.structures.prefetch import FAR_AHEAD, prefetch
from sensor.structures.robust import DAYS_MAX, usual
from sensor.structures.sliding import clear_ring, slide

TAKEN_DAYS = 42
"""Days of bytes and records remembered of each identity, a byte each: 0, or 1 and the bin of log_histogram.py."""
OBJECTS = 2
COLD_DAYS = 2
"""Earlier days of an identity that must have been nearly as busy, when it is compared with others."""
KIB = 1024
DAY_SECONDS = 86_400
SECOND_NS = 1_000_000_000
_DAY_MAX, _RECORDS_MAX = (1 << 16) - 1, (1 << 31) - 1

HIT = np.dtype(
    [
        ("row", "i8"),               # of the batch's transactions
        ("observed", "f8"),
        ("threshold", "f8"),
        ("baseline", "f8"),
        ("others", "f8"),            # what nearly all others stay below
        ("deviations", "f8"),
        ("total", "f8"),             # objects read by the identity, ever
        ("known", "f8"),             # objects the endpoint is known to have
        ("day", "i8"),
        ("first_second", "i8"),
        ("days", "i8"),              # active days of its own that it was compared with
        ("members", "i8"),           # others it was compared with
        ("metric", "u1"),
        ("new_hour", "u1"),          # 1 when it was never active at this hour before
        ("own", "u1"),               # 1 when compared with its own days
    ],
    align=True,
)


class Threshold(IntEnum):
    """Items of `thresholds`, float64."""

    OWN_RATIO = 0
    DEVIATIONS = 1
    OWN_DAYS = 2
    OTHERS_RATIO = 3
    PEERS = 4
    TOP_PART = 5
    TOP_MIN = 6
    OWN_LEAST = 7       # bytes, records, objects
    COLD_OBJECTS = 10


class Progress(IntEnum):
    ROW = 0
    HITS = 1
    ANSWERS = 2
    DEMOTED = 3     # cells taken from a lighter reader
    REFUSED = 4     # readers that got none


@part_kernel
def others_top(histograms, base, members, own, thresholds):
    """What all but the few highest of the other members stay below: those few are a role, or one more attacker."""
    rank = max(np.int64(thresholds[Threshold.TOP_MIN]), np.int64(np.ceil(thresholds[Threshold.TOP_PART] * members)))
    return MIDDLES[top_bin(histograms, base, own - 1, rank)]


@inline_kernel
def _own_threshold(thresholds, centre, spread):
    """Above the entity's own usual day."""
    return max(
        np.exp(centre + thresholds[Threshold.DEVIATIONS] * spread),
        np.exp(centre) * thresholds[Threshold.OWN_RATIO],
    )


@inline_kernel
def _filled(reader, sketches, shelf, day, hit):
    """What a hit says besides its figures; True."""
    hit["total"] = reader["total"]
    hit["known"] = max(sketch_count(sketches, shelf), np.float64(reader["total"]))
    hit["day"] = day
    hit["first_second"] = reader["first_second"]
    return True


@part_kernel
def judge_objects(
    reader, cell, row, history, shelves, histograms, sketches, thresholds, active_days, day, work, out, hit
):  # fmt: skip
    """Whether a reader with a cell reads too many new objects today; fills the hit.

    `active_days` are those of its identity: on those on which it read nothing new here, it read 0 objects.
    """
    shelf = np.int64(reader["shelf"])
    today = np.float64(reader["today"])
    members = np.int64(shelves[shelf]["members"]) - 1
    others = others_top(histograms, shelf * BINS, members, np.int64(reader["bin"]), thresholds)
    days = usual(history, row * DAYS_MAX, DAYS_MAX, np.int64(cell["head"]), day, work, out)
    light = np.int64(cell["light_days"])
    if light > days:
        out[0] = np.log1p(np.float64(cell["light_total"]) / light)
        out[1] = 0.0
    days += light
    if 2 * np.int64(reader["days"]) < active_days:
        out[0] = 0.0
        out[1] = 0.0
    days = max(days, active_days)
    hit["days"] = days
    hit["members"] = members
    hit["others"] = others
    hit["observed"] = today
    hit["metric"] = OBJECTS
    hit["own"] = days >= thresholds[Threshold.OWN_DAYS]
    spread = max(out[1], 0.25)
    hit["baseline"] = np.expm1(out[0])
    hit["deviations"] = (np.log1p(today) - out[0]) / spread
    hit["threshold"] = max(_own_threshold(thresholds, out[0], spread), thresholds[Threshold.OWN_LEAST + OBJECTS])
    if members >= thresholds[Threshold.PEERS]:
        hit["threshold"] = max(hit["threshold"], 1.25 * others)
    if hit["own"] and today >= hit["threshold"]:
        return _filled(reader, sketches, shelf, day, hit)
    hit["own"] = 0
    hit["baseline"] = others
    hit["deviations"] = 0.0
    hit["threshold"] = max(thresholds[Threshold.OTHERS_RATIO] * others, thresholds[Threshold.COLD_OBJECTS])
    earlier = np.int64(reader["days"])
    if members < thresholds[Threshold.PEERS] or not COLD_DAYS <= earlier < 2.0 * thresholds[Threshold.OWN_DAYS]:
        return False
    if today < hit["threshold"] or reader["total"] - today < 0.9 * hit["threshold"] * earlier:
        return False
    return _filled(reader, sketches, shelf, day, hit)


@inline_kernel
def _look_at_objects(
    reader, cells, history, shelves, histograms, sketches, thresholds, active_days, day, work, out, hit
):  # fmt: skip
    """Judge a reader when it has read a quarter more than when it was judged last; whether it is to be reported."""
    row = np.int64(reader["cell"]) - 1
    cell = cells[row]
    if reader["today"] < max(cell["look"], thresholds[Threshold.OWN_LEAST + OBJECTS]):
        return False
    if cell["restarted_day"] > 0 and day - np.int64(cell["restarted_day"]) < 7:
        return False
    cell["look"] = 1.25 * reader["today"] if cell["reported"] == 0 else 2.0 * reader["today"]
    if not judge_objects(
        reader, cell, row, history, shelves, histograms, sketches, thresholds, active_days, day, work, out, hit
    ):  # fmt: skip
        return False
    cell["look"] = 2.0 * reader["today"]
    cell["reported"] = reader["today"]
    return True


@part_kernel
def _begin_day(taker, taken, row, populations, members, thresholds, day, second, fresh):
    """Close the latest day of an identity and begin another; `fresh`: it is somebody else's row."""
    base = 2 * row * TAKEN_DAYS
    if fresh:
        leave_populations(taker, populations, members)
        clear_ring(taken, base, 2 * TAKEN_DAYS)
        taker["hours"] = 0
        taker["hours_today"] = 0
        taker["days"] = 0
    elif taker["head"] > 0:
        head = np.int64(taker["head"])
        count_taker(taker, populations, members)
        taken[base + head % TAKEN_DAYS] = taker["bytes_bin"]
        taken[base + TAKEN_DAYS + head % TAKEN_DAYS] = taker["records_bin"] if taker["records"] > 0 else 0
        slide(taken, base, TAKEN_DAYS, head, day)
        slide(taken, base + TAKEN_DAYS, TAKEN_DAYS, head, day)
        taker["hours"] |= taker["hours_today"]
        taker["days"] = min(np.int64(taker["days"]) + 1, _DAY_MAX)
        taker["hours_today"] = 0
    taker["head"] = day
    taker["bytes"] = 0
    taker["records"] = 0
    taker["began"] = second // 2
    taker["bytes_look"] = thresholds[Threshold.OWN_LEAST + BYTES]
    taker["records_look"] = thresholds[Threshold.OWN_LEAST + RECORDS]


@part_kernel
def judge_taken(taker, taken, row, metric, populations, members, thresholds, day, past, work, out, hit):
    """Whether an identity takes too much of a metric today, by its own days and by all others'; fills the hit."""
    unit = KIB if metric == BYTES else 1
    today = np.float64(taker["bytes"] if metric == BYTES else taker["records"])
    base = (2 * row + metric) * TAKEN_DAYS
    for i in range(TAKEN_DAYS):
        kept = np.int64(taken[base + i])
        past[i] = MIDDLES[kept - 1] / unit if kept > 0 else 0.0
    days = usual(past, 0, TAKEN_DAYS, np.int64(taker["head"]) - 1, day, work, out)
    if days < 2.0 * thresholds[Threshold.OWN_DAYS] or members[metric] <= thresholds[Threshold.PEERS]:
        return False
    own = np.int64(taker["bytes_bin"] if metric == BYTES else taker["records_bin"])
    others = others_top(populations, metric * BINS, members[metric] - 1, own, thresholds)
    spread = max(out[1], 0.25)
    hit["threshold"] = max(
        unit * _own_threshold(thresholds, out[0], spread), 2.0 * others, thresholds[Threshold.OWN_LEAST + metric]
    )
    if today < hit["threshold"]:
        return False
    hit["observed"] = today
    hit["metric"] = metric
    hit["own"] = 1
    hit["days"] = days
    hit["members"] = members[metric] - 1
    hit["others"] = others
    hit["baseline"] = unit * np.expm1(out[0])
    hit["deviations"] = (np.log1p(today / unit) - out[0]) / spread
    hit["day"] = day
    hit["first_second"] = 2 * np.int64(taker["began"])
    return True


@part_kernel
def _look_at_taken(taker, taken, row, populations, members, thresholds, day, past, work, out, hit):
    """Judge what was taken when a quarter more was than when it was judged last."""
    if taker["bytes"] >= taker["bytes_look"]:
        taker["bytes_look"] = 1.25 * np.float64(taker["bytes"])
        if judge_taken(taker, taken, row, BYTES, populations, members, thresholds, day, past, work, out, hit):
            taker["bytes_look"] = 2.0 * np.float64(taker["bytes"])
            return True
    if taker["records"] >= taker["records_look"]:
        taker["records_look"] = 1.25 * np.float64(taker["records"])
        if judge_taken(taker, taken, row, RECORDS, populations, members, thresholds, day, past, work, out, hit):
            taker["records_look"] = 2.0 * np.float64(taker["records"])
            return True
    return False


@kernel
def find_slow(
    transactions: TRANSACTION, entities: ENTITIES, start: int, days: I64s, zone_ns: I64s,
    identity_generations: U32s, endpoint_generations: U32s, pair_generations: U32s,
    takers: TAKER, taken: Bytes, populations: I32s, members: I64s,
    readers: READER, cells: CELL, words: U64s, history: I32s,
    shelves: SHELF, sketches: SKETCH, registers: Bytes, histograms: I32s,
    thresholds: F64s, past: F64s, work: F64s, out: F64s, hand: I64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `zone_ns` is the local time's offset by day since 1970, its last item for all days after; `days` is [the first day
    of `zone_ns`]; `taken` has 2 * TAKEN_DAYS items for each identity, `words` WORDS and `history` DAYS_MAX for each
    cell; `past` has room for TAKEN_DAYS, `work` for DAYS_MAX, `out` for 2, `hand` is that of give_cell.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if row + FAR_AHEAD < len(transactions):
            later = entities[row + FAR_AHEAD]
            prefetch(takers, np.int64(later["identity"]))
            prefetch(readers, np.int64(later["identity_endpoint"]))
            prefetch(pair_generations, np.int64(later["identity_endpoint"]))
            hashed = finish(transactions[row + FAR_AHEAD]["object_id"])
            prefetch(registers, register_of(np.int64(later["endpoint"]), hashed))
        transaction = transactions[row]
        status = np.int64(transaction["status_code"])
        if status < 200 or status >= 300 or transaction["response_body_len"] <= 0:
            continue
        if progress[Progress.HITS] + 2 > len(hits):
            return row
        progress[Progress.ANSWERS] += 1
        now = np.int64(transaction["now"])
        utc = now // (DAY_SECONDS * SECOND_NS)
        now += zone_ns[min(max(utc - days[0], 0), len(zone_ns) - 1)]
        day = now // (DAY_SECONDS * SECOND_NS)
        second = now // SECOND_NS - day * DAY_SECONDS
        day = min(max(day, 0), _DAY_MAX)
        entity = entities[row]
        identity = np.int64(entity["identity"])
        taker = takers[identity]
        fresh = taker["generation"] != identity_generations[identity]
        if fresh or day > taker["head"]:
            _begin_day(taker, taken, identity, populations, members, thresholds, day, second, fresh)
            taker["generation"] = identity_generations[identity]
        day = np.int64(taker["head"])
        taker["bytes"] += transaction["response_body_len"]
        taker["records"] = min(np.int64(taker["records"]) + max(np.int64(transaction["records"]), 0), _RECORDS_MAX)
        hour = np.uint32(1) << np.uint32(second // 3600)
        taker["hours_today"] |= hour
        new_hour = taker["hours"] != 0 and taker["hours"] & hour == 0
        if taker["bytes"] >= taker["bytes_look"] or taker["records"] >= taker["records_look"]:
            hit = hits[progress[Progress.HITS]]
            if _look_at_taken(taker, taken, identity, populations, members, thresholds, day, past, work, out, hit):
                hit["row"] = row
                hit["new_hour"] = new_hour
                progress[Progress.HITS] += 1
        endpoint = np.int64(entity["endpoint"])
        if transaction["object_id"] == 0 or endpoint == 0:
            continue
        pair = np.int64(entity["identity_endpoint"])
        reader = readers[pair]
        generation = endpoint_generations[endpoint]
        if shelves[endpoint]["generation"] != generation:
            settle_shelf(shelves, sketches, registers, histograms, endpoint, generation)
        if reader["generation"] != pair_generations[pair] or reader["shelf_generation"] != generation:
            settle_reader(reader, cells, shelves, histograms, endpoint, pair_generations[pair], day)
        if reader["cell"] == 0 and day > reader["day"] and light_bits(reader) >= LIGHT_BITS:
            reader["bits"] = np.uint64(0)
        before = np.int64(reader["day"])
        hashed = finish(transaction["object_id"])
        if not note_object(reader, cells, words, history, shelves, sketches, registers, histograms, hashed, day):
            continue
        if reader["day"] != before or reader["total"] <= 1.0:
            reader["first_second"] = second
        if reader["cell"] == 0:
            if light_bits(reader) >= LIGHT_BITS:
                given = give_cell(readers, pair, cells, words, history, hand, day)
                progress[Progress.DEMOTED] += given == 2
                progress[Progress.REFUSED] += given == 0
            continue
        hit = hits[progress[Progress.HITS]]
        if _look_at_objects(
            reader, cells, history, shelves, histograms, sketches, thresholds, np.int64(taker["days"]), day, work, out,
            hit,
        ):  # fmt: skip
            hit["row"] = row
            hit["new_hour"] = new_hour
            progress[Progress.HITS] += 1
    return len(transactions)
