"""Page walks and grown answers in transactions: in: answers with their entities; out: rows of hits.

A walk is one identity that asks an endpoint for one page after the other, by number, by offset or by cursor. An
endpoint has grown when most of its latest answers, to several clients, are many times what its answers used to be. The
one law: a walk is compared with the walks of others and of earlier days, an endpoint with itself.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import F64s, I32s, I64s, U32s, inline_kernel, kernel, part_kernel
from sensor.limits import NS
from sensor.schema import TRANSACTION
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.log_histogram import BINS, MIDDLES, bin_of, quantile_bin, top_bin
from sensor.structures.prefetch import FAR_AHEAD, prefetch

NO_PAGE, CURSOR = -1, -2
DAY_NS = 86_400 * NS
CLIENTS = 3
"""Different clients that must have had the grown answers: else it is one client that asks for more."""
PAGERS = 3
"""Others who page from which on a walk is compared with theirs, but for so many that may be a role."""
STEPS_MAX = 4
"""Steps that may lie between two pages that were seen."""
STRAYS, WALKED = 3, 4
"""Pages elsewhere in the list that a walk of so many pages outlasts, looked at between its own."""
RECENT = 16
KEPT = 2_048
"""Answers after which an endpoint's histogram is halved: what is usual follows slowly."""

WALK = np.dtype(
    [
        ("generation", "u4"),
        ("endpoint_generation", "u4"),
        ("endpoint", "i4"),
        ("bin", "i4"),          # 1 + where the endpoint's histogram counts it
        ("page", "i8"),         # the latest
        ("step", "i8"),         # from one to the next, 0 while it is not known
        ("last_now", "i8"),
        ("began_ts", "i8"),
        ("run_now", "i8"),      # packet time at which the walk began
        ("bytes", "i8"),        # of the walk
        ("pages", "i4"),        # of the walk
        ("reported", "i4"),
        ("day", "i4"),
        ("longest", "i4"),      # walk of the latest day
        ("habit", "i4"),        # the same of the day before
        ("days", "i4"),         # earlier days with a walk
        ("strays", "i4"),       # pages elsewhere since the walk's latest
    ],
    align=True,
)

SHELF = np.dtype(
    [
        ("generation", "u4"),
        ("members", "i4"),      # identities that walk
        ("answers", "i4"),      # in the histogram of sizes
        ("recent", "u4"),       # latest answers, a bit each: 1 when large
        ("limit", "f8"),        # what is large, 0 while that is not known
        ("usual", "f8"),
        ("clients", "i4", (CLIENTS,)),  # who had the latest large answers
        ("is_grown", "i4"),
        ("began_ts", "i8"),
        ("bytes", "i8"),        # the latest large answer
        ("known_now", "i8"),    # packet time of its first answer
    ],
    align=True,
)

HIT = np.dtype(
    [
        ("row", "i8"),
        ("observed", "f8"),
        ("threshold", "f8"),
        ("baseline", "f8"),
        ("bytes", "i8"),
        ("others", "i8"),
        ("run_now", "i8"),
        ("first_ts", "i8"),
        ("known_ns", "i8"),     # for how long the endpoint is known
        ("is_growth", "u1"),
    ],
    align=True,
)


class Threshold(IntEnum):
    """Items of `thresholds`, float64."""

    PAGES = 0
    OTHERS_RATIO = 1
    PAUSE_NS = 2
    GROWTH_RATIO = 3
    GROWTH_LEAST = 4
    GROWTH_ANSWERS = 5


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _settle(shelves, walks_of, sizes_of, row, generation, now):
    """Empty what is kept of an endpoint whose row is somebody else's now."""
    shelf = shelves[row]
    shelf["generation"] = generation
    shelf["members"] = 0
    shelf["answers"] = 0
    shelf["recent"] = 0
    shelf["limit"] = 0.0
    shelf["is_grown"] = 0
    shelf["known_now"] = now
    for i in range(row * BINS, (row + 1) * BINS):
        walks_of[i] = 0
        sizes_of[i] = 0


@part_kernel
def _count_walk(walk, shelves, walks_of):
    """Count a walker where its longest walk belongs."""
    shelf = np.int64(walk["endpoint"])
    place = bin_of(max(np.int64(walk["longest"]), np.int64(walk["habit"]))) + 1
    if place == walk["bin"]:
        return
    if walk["bin"] > 0:
        walks_of[shelf * BINS + np.int64(walk["bin"]) - 1] -= 1
    else:
        shelves[shelf]["members"] += 1
    walks_of[shelf * BINS + place - 1] += 1
    walk["bin"] = place


@part_kernel
def _begin_walker(walk, shelves, walks_of, generation, endpoint, endpoint_generation):
    """A row that is somebody else's now."""
    shelf = np.int64(walk["endpoint"])
    if walk["bin"] > 0 and shelves[shelf]["generation"] == walk["endpoint_generation"]:
        walks_of[shelf * BINS + np.int64(walk["bin"]) - 1] -= 1
        shelves[shelf]["members"] -= 1
    walk["generation"] = generation
    walk["endpoint"] = endpoint
    walk["endpoint_generation"] = endpoint_generation
    walk["bin"] = 0
    walk["pages"] = 0
    walk["day"] = 0
    walk["longest"] = 0
    walk["habit"] = 0
    walk["days"] = 0
    walk["strays"] = 0
    walk["last_now"] = 0


@inline_kernel
def _keeps_step(step, moved):
    """Whether `moved` pages are one step, or a few that were not all seen, as the one before may have been."""
    if step == 0 or moved == step:
        return True
    short, long = min(step, moved), max(step, moved)
    return long % short == 0 and long <= STEPS_MAX * short


@part_kernel
def _step(walk, transaction, pause_ns):
    """Add a page to the walk, or begin another; returns whether it went on. Who walks may look elsewhere in between."""
    page = np.int64(transaction["page"])
    now = np.int64(transaction["now"])
    moved = page - np.int64(walk["page"])
    if page == CURSOR:
        goes_on = walk["page"] == CURSOR
    else:
        goes_on = walk["page"] >= 0 and moved > 0 and _keeps_step(np.int64(walk["step"]), moved)
    lives = walk["pages"] > 0 and now - walk["last_now"] <= pause_ns
    goes_on = goes_on and lives
    if not goes_on and lives and page != CURSOR and walk["pages"] >= WALKED and walk["strays"] < STRAYS:
        walk["strays"] += page != walk["page"]
        return False
    walk["last_now"] = now
    walk["strays"] = 0
    if not goes_on:
        if page != walk["page"] or page == CURSOR:
            walk["pages"] = 1
            walk["step"] = 0
            walk["bytes"] = transaction["response_body_len"]
            walk["began_ts"] = transaction["ts"]
            walk["run_now"] = now
            walk["reported"] = 0
        walk["page"] = page
        return False
    walk["step"] = 0 if page == CURSOR else (moved if walk["step"] == 0 else min(np.int64(walk["step"]), moved))
    walk["page"] = page
    walk["pages"] += 1
    walk["bytes"] += transaction["response_body_len"]
    day = now // DAY_NS
    if day != walk["day"]:
        if walk["longest"] > 0:
            walk["habit"] = walk["longest"]
            walk["days"] += 1
        walk["longest"] = 0
        walk["day"] = day
    walk["longest"] = max(walk["longest"], walk["pages"])
    return True


@part_kernel
def _is_long(walk, shelves, walks_of, thresholds, hit):
    """Whether a walk is longer than others and than its own earlier ones, and due to be reported."""
    pages = np.float64(walk["pages"])
    if pages < 1.5 * walk["reported"]:
        return False
    shelf = np.int64(walk["endpoint"])
    others = np.int64(shelves[shelf]["members"]) - 1
    top = MIDDLES[top_bin(walks_of, shelf * BINS, np.int64(walk["bin"]) - 1, PAGERS)] if others >= PAGERS else 0.0
    hit["threshold"] = max(thresholds[Threshold.PAGES], thresholds[Threshold.OTHERS_RATIO] * top)
    if pages < hit["threshold"] or (walk["days"] > 0 and pages <= 2.0 * walk["habit"]):
        return False
    walk["reported"] = walk["pages"]
    hit["observed"] = pages
    hit["baseline"] = top
    hit["bytes"] = walk["bytes"]
    hit["others"] = others
    hit["run_now"] = walk["run_now"]
    hit["first_ts"] = walk["began_ts"]
    hit["is_growth"] = 0
    return True


@inline_kernel
def _ones(bits):
    found = 0
    while bits != 0:
        bits &= bits - np.uint32(1)
        found += 1
    return found


@part_kernel
def _note_size(shelf, sizes_of, base, size, client, thresholds, hit):
    """Count the size of an answer; returns whether the endpoint has grown with it."""
    limit = shelf["limit"]
    large = limit > 0 and size >= limit
    shelf["recent"] = np.uint32((np.int64(shelf["recent"]) << 1 | np.int64(large)) & ((1 << RECENT) - 1))
    if large:
        others = shelf["clients"][0] != client and shelf["clients"][1] != client and shelf["clients"][2] != client
        if others:
            shelf["clients"][2] = shelf["clients"][1]
            shelf["clients"][1] = shelf["clients"][0]
            shelf["clients"][0] = client
    else:
        if shelf["answers"] >= KEPT:
            left = 0
            for i in range(base, base + BINS):
                sizes_of[i] >>= 1
                left += np.int64(sizes_of[i])
            shelf["answers"] = left
        sizes_of[base + bin_of(size)] += 1
        shelf["answers"] += 1
        if shelf["answers"] >= thresholds[Threshold.GROWTH_ANSWERS] and shelf["answers"] % 32 == 0:
            usual = MIDDLES[quantile_bin(sizes_of, base, np.int64(shelf["answers"]), 0.9)]
            shelf["usual"] = usual
            shelf["limit"] = max(thresholds[Threshold.GROWTH_RATIO] * usual, thresholds[Threshold.GROWTH_LEAST])
        if shelf["recent"] == 0:
            shelf["is_grown"] = 0
            for i in range(CLIENTS):
                shelf["clients"][i] = -1
        return False
    if shelf["is_grown"] != 0 or _ones(shelf["recent"]) < RECENT * 3 // 4 or shelf["clients"][CLIENTS - 1] < 0:
        return False
    shelf["is_grown"] = 1
    hit["observed"] = size
    hit["threshold"] = limit
    hit["baseline"] = shelf["usual"]
    hit["others"] = shelf["answers"]
    hit["bytes"] = size
    hit["is_growth"] = 1
    return True


@kernel
def find_walks(
    transactions: TRANSACTION, entities: ENTITIES, start: int,
    endpoint_generations: U32s, pair_generations: U32s,
    walks: WALK, shelves: SHELF, walks_of: I32s, sizes_of: I32s, thresholds: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `walks_of` and `sizes_of` have BINS items for each endpoint.
    """
    progress[Progress.HITS] = 0
    pause_ns = np.int64(thresholds[Threshold.PAUSE_NS])
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if row + FAR_AHEAD < len(transactions):
            later, size = entities[row + FAR_AHEAD], np.int64(transactions[row + FAR_AHEAD]["response_body_len"])
            prefetch(shelves, np.int64(later["endpoint"]))
            prefetch(sizes_of, np.int64(later["endpoint"]) * BINS + bin_of(size))
            if transactions[row + FAR_AHEAD]["page"] != NO_PAGE:
                prefetch(walks, np.int64(later["identity_endpoint"]))
                prefetch(pair_generations, np.int64(later["identity_endpoint"]))
        transaction = transactions[row]
        status = np.int64(transaction["status_code"])
        endpoint = np.int64(entities[row]["endpoint"])
        if status < 200 or status >= 300 or endpoint == 0 or transaction["response_body_len"] <= 0:
            continue
        if progress[Progress.HITS] + 2 > len(hits):
            return row
        generation = endpoint_generations[endpoint]
        shelf = shelves[endpoint]
        if shelf["generation"] != generation:
            _settle(shelves, walks_of, sizes_of, endpoint, generation, np.int64(transaction["now"]))
        hit = hits[progress[Progress.HITS]]
        size = np.int64(transaction["response_body_len"])
        client = np.int64(entities[row]["client"])
        if _note_size(shelf, sizes_of, endpoint * BINS, size, client, thresholds, hit):
            hit["row"] = row
            hit["run_now"] = transaction["now"]
            hit["first_ts"] = transaction["ts"]
            progress[Progress.HITS] += 1
        if transaction["page"] == NO_PAGE:
            continue
        pair = np.int64(entities[row]["identity_endpoint"])
        walk = walks[pair]
        if walk["generation"] != pair_generations[pair] or walk["endpoint_generation"] != generation:
            _begin_walker(walk, shelves, walks_of, pair_generations[pair], endpoint, generation)
            walk["page"] = NO_PAGE
        if not _step(walk, transaction, pause_ns):
            continue
        _count_walk(walk, shelves, walks_of)
        hit = hits[progress[Progress.HITS]]
        if walk["pages"] >= thresholds[Threshold.PAGES] and _is_long(walk, shelves, walks_of, thresholds, hit):
            hit["row"] = row
            hit["known_ns"] = np.int64(transaction["now"]) - np.int64(shelf["known_now"])
            progress[Progress.HITS] += 1
    return len(transactions)
