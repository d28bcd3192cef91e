"""Bulk transfers in transactions: in: transactions; out: rows of hits.

A cell, one (client, endpoint), is compared with its endpoint's other clients where there are enough, else with what all
cells of the server take, far more cautiously. Who reads the same again and again, as a load test does, takes nothing
new. The one law: nothing is judged against itself, nor below the floors.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import F64s, I32s, I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.detectors.bulk_transfer_cells_kernel import (
    BYTES,
    CELL,
    CELL_WORDS,
    POPULATION,
    RECORDS,
    STRETCH,
    STRETCHES,
    USER,
    add_answer,
    ask_for_window,
    clear_cell,
    first_stretch,
    is_empty,
    is_settled,
    join,
    leave,
    settle,
)
from sensor.limits import NS
from sensor.schema import TRANSACTION
from sensor.structures.entity_table_kernels import ENTITY, admit, find_hashed, hash_key, use
from sensor.structures.hash_table import home, row_of
from sensor.structures.hashing import mix
from sensor.structures.log_histogram import BINS, LOGS, MIDDLES, quantile_bin, spread, top_bin
from sensor.structures.prefetch import prefetch
from sensor.structures.string_pool_kernels import ENTRY

AHEAD = 32
"""Transactions whose cells are asked for before they are needed; what they take stays in the first-level cache."""
_CELL_LINES = 3
"""Cache lines of a cell that each answer needs."""
ROLE_MEMBERS = 2
"""Others of an endpoint who take as much make it a role: exporters are many, and each would be accused for the others.
"""
ROLE_RATIO = 1.5
REPEATS_MIN = 3
HABIT_DAYS = 3
"""Earlier days on which a client took too much, and was reported, that make it its habit: the nightly export."""
DAY_NS = 86_400 * NS
SCALE_MIN = 0.5
"""Least deviation of log1p that peers are taken to have: they differ by two thirds anyway."""

HIT = np.dtype(
    [
        ("row", "i8"),                  # of the batch's transactions
        ("run_now", "i8"),
        ("first_ts", "i8"),
        ("responses", "i8"),
        ("taken", "i8"),                # bytes or records in the window
        ("threshold", "f8"),
        ("baseline", "f8"),             # what the others take, per credential
        ("deviations", "f8"),
        ("peers", "i8"),
        ("credentials", "i4"),
        ("metric", "u1"),               # BYTES or RECORDS
        ("against", "u1"),              # Against
    ],
    align=True,
)


class Against(IntEnum):
    NOTHING = 0
    LIMIT = 1   # an absolute limit
    PEERS = 2   # the endpoint's other clients
    SERVER = 3  # all that is taken from the server


class Threshold(IntEnum):
    """Items of `thresholds`, float64; those of records follow those of bytes."""

    STRETCH_NS = 0
    REPORT_NS = 1
    RATIO = 2
    DEVIATIONS = 3
    PEERS = 4
    ALONE_RATIO = 5
    ALONE_RESPONSES = 6
    ALONE_KNOWN_NS = 7
    KNOWN_NS = 8
    ANSWERS = 9
    AT_ONCE = 10
    LEAST = 11        # and 12
    ALONE_LEAST = 13  # and 14
    LIMIT = 15        # and 16


class Progress(IntEnum):
    ROW = 0
    HITS = 1
    ANSWERS = 2


@inline_kernel
def _members(population, metric):
    return np.int64(population["bytes_members"] if metric == BYTES else population["records_members"])


@inline_kernel
def _against_peers(histograms, base, members, thresholds, credentials, hit):
    """Fill baseline and threshold from the others of the endpoint."""
    median = quantile_bin(histograms, base, members, 0.5)
    scale = max(1.4826 * spread(histograms, base, members, median), SCALE_MIN)
    share = max(
        thresholds[Threshold.RATIO] * MIDDLES[median],
        np.expm1(LOGS[median] + thresholds[Threshold.DEVIATIONS] * scale),
    )
    hit["baseline"] = MIDDLES[median]
    hit["threshold"] = max(share * credentials, ROLE_RATIO * MIDDLES[top_bin(histograms, base, -1, ROLE_MEMBERS)])
    hit["deviations"] = (np.log1p(hit["taken"] / credentials) - LOGS[median]) / scale


@inline_kernel
def _against_server(histograms, base, members, thresholds, credentials, hit):
    """Fill baseline and threshold from what nine in ten of the server's other cells stay below."""
    high = quantile_bin(histograms, base, members, 0.9)
    hit["baseline"] = MIDDLES[high]
    hit["threshold"] = thresholds[Threshold.ALONE_RATIO] * MIDDLES[high] * credentials
    hit["deviations"] = 0.0


@part_kernel
def judge(cell, metric, now, populations, histograms, thresholds, hit):
    """Whether a cell takes too much, and against what; fills the hit's figures."""
    taken = np.int64(cell["bytes"] if metric == BYTES else cell["records"])
    hit["taken"] = taken
    hit["credentials"] = cell["credentials"]
    hit["peers"] = 0
    hit["baseline"] = 0.0
    limit = thresholds[Threshold.LIMIT + metric]
    if 0 < limit < taken:
        hit["threshold"] = limit
        hit["deviations"] = 0.0
        return Against.LIMIT
    least = thresholds[Threshold.LEAST + metric]
    place = np.int64(cell["bytes_bin"] if metric == BYTES else cell["records_bin"])
    if taken < least or place < 0:
        return Against.NOTHING
    credentials = max(np.int64(cell["credentials"]), 1)
    against = Against.PEERS
    row = np.int64(cell["endpoint"])
    members = _members(populations[row], metric) - 1
    if members >= thresholds[Threshold.PEERS]:
        if now - np.int64(populations[row]["began"]) < thresholds[Threshold.KNOWN_NS]:
            return Against.NOTHING
    else:
        against = Against.SERVER
        least = thresholds[Threshold.ALONE_LEAST + metric]
        row = np.int64(cell["server"])
        members = _members(populations[row], metric) - 1
        known = np.int64(cell["began"]) - np.int64(populations[row]["began"])
        if (
            members < 3 * thresholds[Threshold.PEERS]
            or taken < least
            or cell["responses"] < thresholds[Threshold.ALONE_RESPONSES]
            or known < thresholds[Threshold.ALONE_KNOWN_NS]
        ):
            return Against.NOTHING
    base = (2 * row + metric) * BINS
    histograms[base + place] -= 1
    if against == Against.PEERS:
        _against_peers(histograms, base, members, thresholds, credentials, hit)
    else:
        _against_server(histograms, base, members, thresholds, credentials, hit)
    histograms[base + place] += 1
    hit["peers"] = members
    hit["threshold"] = max(hit["threshold"], least)
    return against if taken >= hit["threshold"] else Against.NOTHING


@part_kernel
def is_habit(cell, metric, now):
    """Whether a cell that takes too much has done so, and as much, on HABIT_DAYS earlier days; notes that it does."""
    day = now // DAY_NS
    if day != cell["peak_day"]:
        if cell["peak_day"] > 0:
            cell["peak_days"] += 1
            cell["habit_bytes"] = cell["peak_bytes"]
            cell["habit_records"] = cell["peak_records"]
        cell["peak_day"] = day
        cell["peak_bytes"] = 0
        cell["peak_records"] = 0
    cell["peak_bytes"] = max(np.int64(cell["peak_bytes"]), np.int64(cell["bytes"]))
    cell["peak_records"] = max(np.int64(cell["peak_records"]), np.int64(cell["records"]))
    taken = np.int64(cell["bytes"] if metric == BYTES else cell["records"])
    habit = np.int64(cell["habit_bytes"] if metric == BYTES else cell["habit_records"])
    return cell["peak_days"] >= HABIT_DAYS and taken <= 2 * habit


@part_kernel
def follow_run(cell, stretches, row, hit, transaction, against, thresholds):
    """Begin or continue the run of a cell that takes too much; returns whether it is due to be reported."""
    now = np.int64(transaction["now"])
    if cell["run_now"] == 0:
        cell["run_now"] = now
        cell["run_responses"] = cell["responses"]
        cell["run_answers"] = 0
        cell["reported_taken"] = 0
        cell["run_first_ts"] = transaction["ts"]
        first = first_stretch(cell, np.int64(thresholds[Threshold.STRETCH_NS]))
        if cell["present_responses"] > 0:
            cell["run_first_ts"] = min(np.int64(cell["run_first_ts"]), np.int64(cell["present_first_ts"]))
        for stretch in range(first, np.int64(cell["stretch"])):
            sums = stretches[row * STRETCHES + stretch % STRETCHES]
            if not is_empty(np.int64(cell["empty"]), stretch) and sums["responses"] > 0:
                cell["run_first_ts"] = min(np.int64(cell["run_first_ts"]), np.int64(sums["first_ts"]))
    else:
        cell["run_responses"] += 1
    cell["run_answers"] += 1
    at_once = against == Against.LIMIT or hit["taken"] >= thresholds[Threshold.AT_ONCE] * hit["threshold"]
    if cell["run_answers"] < thresholds[Threshold.ANSWERS] and not at_once:
        return False
    reported = np.int64(cell["reported_taken"])
    long_ago = now - np.int64(cell["reported_now"]) >= thresholds[Threshold.REPORT_NS]
    if hit["taken"] - reported <= reported >> 6 and not long_ago:
        return False
    cell["reported_now"] = now
    cell["reported_taken"] = hit["taken"]
    hit["run_now"] = cell["run_now"]
    hit["first_ts"] = cell["run_first_ts"]
    hit["responses"] = cell["run_responses"]
    return True


@part_kernel
def is_hit(cell, stretches, row, transaction, populations, histograms, thresholds, again, hit):
    """Whether a cell takes too much of either and is due to be reported; fills the hit. `again`: see is_repeat."""
    now = np.int64(transaction["now"])
    metric = BYTES
    against = judge(cell, BYTES, now, populations, histograms, thresholds, hit)
    if against == Against.NOTHING:
        metric = RECORDS
        against = judge(cell, RECORDS, now, populations, histograms, thresholds, hit)
    if against == Against.NOTHING:
        cell["run_now"] = 0
        return False
    if against != Against.LIMIT and (again or is_habit(cell, metric, now)):
        return False
    if metric != cell["metric"]:
        cell["metric"] = metric
        cell["reported_taken"] = 0
    hit["metric"] = metric
    hit["against"] = against
    return follow_run(cell, stretches, row, hit, transaction, against, thresholds)


@inline_kernel
def _floor(thresholds, metric):
    """What a cell must reach of a metric before it is worth a look."""
    least = thresholds[Threshold.LEAST + metric]
    limit = thresholds[Threshold.LIMIT + metric]
    return min(least, limit) if limit > 0 else least


@part_kernel
def is_repeat(cell, transaction, strings):
    """Whether a read is of the same target, with the same credential, and gets as much as those just before it."""
    target = np.uint64(0)
    if transaction["request_body_len"] == 0:
        target = mix(strings[np.int64(transaction["uri"])]["hash"], np.uint64(transaction["response_body_len"]))
        target = mix(target, transaction["user"])
    alike = target != 0 and target == cell["target"]
    cell["repeats"] = cell["repeats"] + 1 if alike else 0
    cell["target"] = target
    return cell["repeats"] >= REPEATS_MIN


@inline_kernel
def _is_answer(transaction):
    """Whether a transaction gave its client anything."""
    return 200 <= np.int64(transaction["status_code"]) < 300 and transaction["response_body_len"] > 0


@inline_kernel
def _key(transaction, strings):
    """The last two words of a cell's key: server with method, and path; and the method with the port."""
    method = mix(strings[np.int64(transaction["method"])]["hash"], np.uint64(transaction["server_port"]))
    path = strings[np.int64(transaction["endpoint"])]["hash"]
    place = mix(mix(transaction["server_hi"], transaction["server_lo"]), method)
    return place, path, method


@part_kernel
def look_ahead(
    transactions, strings, start, entities, slots, seeds, cells, words, stretches, users, histograms, hashes, stretch_ns
):  # fmt: skip
    """Hash the keys of the transactions from row `start` on, as many as `hashes` has room for, and ask for what their
    cells seem to be.

    One read of memory that is in no cache takes as long as all else that a transaction costs. Here none waits for the
    one before, so that many are under way at once. Returns the row to look ahead from next: a row that names no string
    ends it, for the kernel to raise on that row and no other.
    """
    stop = min(start + len(hashes), len(transactions))
    for row in range(start, stop):
        transaction = transactions[row]
        if max(np.int64(transaction["method"]), np.int64(transaction["endpoint"])) >= len(strings):
            stop = row
            break
        if _is_answer(transaction):
            place, path, _ = _key(transaction, strings)
            hashed = hash_key(seeds, transaction["client_hi"], transaction["client_lo"], place, path)
            hashes[row - start] = hashed
            prefetch(slots, home(slots, hashed))
    for row in range(start, stop):
        cell_row = row_of(slots[home(slots, hashes[row - start])])
        if cell_row >= 0:
            prefetch(entities, cell_row)
            for line in range(_CELL_LINES):
                prefetch(words, cell_row * CELL_WORDS + 8 * line)
    for row in range(start, stop):
        cell_row = row_of(slots[home(slots, hashes[row - start])])
        if cell_row >= 0:
            stretch = np.int64(transactions[row]["now"]) // stretch_ns
            ask_for_window(cells[cell_row], stretches, users, histograms, cell_row, stretch)
    return max(stop, start + 1)


@kernel
def find_bulk(
    transactions: TRANSACTION, strings: ENTRY, start: int,
    population_entities: ENTITY, population_slots: U64s, population_state: I64s, population_seeds: U64s,
    populations: POPULATION, histograms: I32s,
    entities: ENTITY, slots: U64s, state: I64s, seeds: U64s,
    cells: CELL, words: U64s, stretches: STRETCH, users: USER,
    hashes: U64s, thresholds: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `strings` are the string pool's entries; each population has 2 * BINS items of `histograms`, each cell STRETCHES
    rows of `stretches` and CREDENTIALS of `users`; `words` are those of `cells`; `hashes` is room for AHEAD.
    """
    progress[Progress.HITS] = 0
    stretch_ns = np.int64(thresholds[Threshold.STRETCH_NS])
    bytes_floor = 0.5 * _floor(thresholds, BYTES)  # so that what is read again and again shows before it is judged
    records_floor = 0.5 * _floor(thresholds, RECORDS)
    ahead = first = start
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if row == ahead:
            first = row
            ahead = look_ahead(
                transactions, strings, row, entities, slots, seeds, cells, words, stretches, users, histograms, hashes,
                stretch_ns,
            )  # fmt: skip
        transaction = transactions[row]
        if not _is_answer(transaction):
            continue
        if progress[Progress.HITS] == len(hits):
            return row
        progress[Progress.ANSWERS] += 1
        client_hi = transaction["client_hi"]
        client_lo = transaction["client_lo"]
        place, path, method = _key(transaction, strings)
        hashed = hashes[row - first]
        cell_row = find_hashed(entities, slots, hashed, client_hi, client_lo, place, path)
        if cell_row >= 0:
            use(entities, cell_row)
        else:
            cell_row = admit(entities, slots, state, hashed, client_hi, client_lo, place, path)
            leave(populations, histograms, cells[cell_row])
            now = np.int64(transaction["now"])
            clear_cell(cells[cell_row], now, now // stretch_ns)
            cells[cell_row]["endpoint_generation"] = -1
        cell = cells[cell_row]
        if is_settled(cell, populations):
            use(population_entities, np.int64(cell["endpoint"]))
            use(population_entities, np.int64(cell["server"]))
        else:
            settle(
                population_entities, population_slots, population_state, population_seeds, populations, histograms,
                cell, transaction, method, path,
            )  # fmt: skip
        add_answer(cell, stretches, users, cell_row, transaction, stretch_ns)
        join(populations, histograms, cell)
        if cell["bytes"] < bytes_floor and cell["records"] < records_floor:
            if cell["run_now"] != 0:
                cell["run_now"] = 0
            continue
        again = is_repeat(cell, transaction, strings)
        hit = hits[progress[Progress.HITS]]
        if is_hit(cell, stretches, cell_row, transaction, populations, histograms, thresholds, again, hit):
            hit["row"] = row
            progress[Progress.HITS] += 1
    return len(transactions)
