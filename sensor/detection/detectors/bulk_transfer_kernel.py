"""Bulk transfers in transactions: in: transactions; out: rows of hits.

A cell is one (client, endpoint): the bytes and records of its successful answers over a sliding window, and with how many
credentials it asked. A population is the cells of one endpoint, or of one server: a histogram of what each of them took per
credential when it last took something. A cell is compared with its endpoint's other clients where there are enough, else with
what all cells of the server take, far more cautiously. The one law: nothing is judged against itself, and nothing below the floors.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import F64s, I32s, I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION
from sensor.structures.entity_table_kernels import ENTITY, touch
from sensor.structures.hashing import mix
from sensor.structures.log_histogram import BINS, LOGS, MIDDLES, bin_of, quantile_bin, spread
from sensor.structures.string_pool_kernels import ENTRY
from sensor.structures.windows import buckets_advance, clear_times, count_within, distinct_touch

STRETCHES = 10
"""Steps in which the window slides."""
CREDENTIALS = 16
"""Different credentials counted per cell: an address with more users is judged as if it had these."""
SCALE_MIN = 0.5
"""Least deviation of log1p that peers are taken to have: they differ by two thirds anyway."""
LANES = 4
BYTES, RECORDS, RESPONSES, FIRST_TS = range(LANES)

CELL = np.dtype(
    [
        ("endpoint", "i4"),             # row of the population
        ("endpoint_generation", "i4"),
        ("server", "i4"),
        ("server_generation", "i4"),
        ("bytes_bin", "i4"),            # where its populations count it, -1 when they do not
        ("records_bin", "i4"),
        ("credentials", "i4"),
        ("metric", "i4"),               # what the present run is about
        ("stretch", "i8"),              # number of the present stretch
        ("began", "i8"),                # packet time of the first answer
        ("bytes", "i8"),                # in the window
        ("records", "i8"),
        ("responses", "i8"),
        ("user", "u8"),                 # the latest credential
        ("run_now", "i8"),              # packet time at which the run began, 0 while there is none
        ("run_first_ts", "i8"),
        ("run_responses", "i8"),
        ("reported_now", "i8"),
        ("reported_taken", "i8"),
    ],
    align=True,
)

POPULATION = np.dtype(
    [
        ("generation", "i4"),           # another each time the row gets a new owner
        ("bytes_members", "i4"),
        ("records_members", "i4"),
        ("began", "i8"),
    ],
    align=True,
)

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
    LEAST = 8        # and 9
    ALONE_LEAST = 10 # and 11
    LIMIT = 12       # and 13


class Progress(IntEnum):
    ROW = 0
    HITS = 1
    ANSWERS = 2


@inline_kernel
def _members(population, metric):
    return np.int64(population["bytes_members"] if metric == BYTES else population["records_members"])


@inline_kernel
def _count(populations, histograms, row, metric, place, step):
    """Add `step` members to one bin of a population."""
    histograms[(2 * row + metric) * BINS + place] += step
    if metric == BYTES:
        populations[row]["bytes_members"] += step
    else:
        populations[row]["records_members"] += step


@part_kernel
def leave(populations, histograms, cell):
    """Take a cell out of the populations that count it and still belong to the same owner."""
    for metric in range(2):
        place = np.int64(cell["bytes_bin"] if metric == BYTES else cell["records_bin"])
        if place >= 0:
            if populations[np.int64(cell["endpoint"])]["generation"] == cell["endpoint_generation"]:
                _count(populations, histograms, np.int64(cell["endpoint"]), metric, place, -1)
            if populations[np.int64(cell["server"])]["generation"] == cell["server_generation"]:
                _count(populations, histograms, np.int64(cell["server"]), metric, place, -1)
    cell["bytes_bin"] = -1
    cell["records_bin"] = -1


@part_kernel
def join(populations, histograms, cell, endpoint, server):
    """Count a cell where its present sums belong, in both populations, moving it there when it was counted elsewhere."""
    credentials = max(np.int64(cell["credentials"]), 1)
    bytes_bin = bin_of(np.int64(cell["bytes"]) // credentials)
    records_bin = bin_of(np.int64(cell["records"]) // credentials) if cell["records"] > 0 else -1
    same = (
        cell["endpoint"] == endpoint
        and cell["server"] == server
        and cell["endpoint_generation"] == populations[endpoint]["generation"]
        and cell["server_generation"] == populations[server]["generation"]
    )
    if same and bytes_bin == cell["bytes_bin"] and records_bin == cell["records_bin"]:
        return
    leave(populations, histograms, cell)
    cell["endpoint"] = endpoint
    cell["server"] = server
    cell["endpoint_generation"] = populations[endpoint]["generation"]
    cell["server_generation"] = populations[server]["generation"]
    cell["bytes_bin"] = bytes_bin
    cell["records_bin"] = records_bin
    _count(populations, histograms, endpoint, BYTES, bytes_bin, 1)
    _count(populations, histograms, server, BYTES, bytes_bin, 1)
    if records_bin >= 0:
        _count(populations, histograms, endpoint, RECORDS, records_bin, 1)
        _count(populations, histograms, server, RECORDS, records_bin, 1)


@part_kernel
def population_row(entities, slots, use, seeds, populations, histograms, key0, key1, key2, key3, now):
    """The population's row, emptied when it is a new owner's."""
    row = touch(entities, slots, use, seeds, key0, key1, key2, key3)
    if row >= 0:
        return row
    row = -1 - row
    population = populations[row]
    population["generation"] += 1
    population["bytes_members"] = 0
    population["records_members"] = 0
    population["began"] = now
    for i in range(2 * row * BINS, 2 * (row + 1) * BINS):
        histograms[i] = 0
    return row


@inline_kernel
def clear_cell(cell, sums, user_times, row, now, stretch):
    for i in range(row * LANES * STRETCHES, (row + 1) * LANES * STRETCHES):
        sums[i] = 0
    clear_times(user_times, row * CREDENTIALS, CREDENTIALS)
    cell["credentials"] = 0
    cell["stretch"] = stretch
    cell["began"] = now
    cell["bytes"] = 0
    cell["records"] = 0
    cell["responses"] = 0
    cell["user"] = np.uint64(0)
    cell["run_now"] = 0


@inline_kernel
def _slide(cell, sums, row, stretch):
    """Let the cell's window end at `stretch`."""
    base = row * LANES * STRETCHES
    last = np.int64(cell["stretch"])
    cell["bytes"] -= buckets_advance(sums, base + BYTES * STRETCHES, STRETCHES, last, stretch)
    cell["records"] -= buckets_advance(sums, base + RECORDS * STRETCHES, STRETCHES, last, stretch)
    cell["responses"] -= buckets_advance(sums, base + RESPONSES * STRETCHES, STRETCHES, last, stretch)
    buckets_advance(sums, base + FIRST_TS * STRETCHES, STRETCHES, last, stretch)
    cell["stretch"] = stretch


@part_kernel
def add_answer(cell, sums, users, user_times, row, transaction, stretch_ns):
    """Add one answer to its cell's window."""
    now = np.int64(transaction["now"])
    stretch = now // stretch_ns
    user = transaction["user"]
    known = user == cell["user"] and stretch == cell["stretch"]
    if stretch != cell["stretch"]:
        _slide(cell, sums, row, stretch)
    if not known:
        cell["user"] = user
        since = now - STRETCHES * stretch_ns
        if user != 0:
            distinct_touch(users, user_times, row * CREDENTIALS, CREDENTIALS, user, now, since)
        cell["credentials"] = count_within(user_times, row * CREDENTIALS, CREDENTIALS, since)
    place = row * LANES * STRETCHES + stretch % STRETCHES
    taken = np.int64(transaction["response_body_len"])
    records = max(np.int64(transaction["records"]), 0)
    if sums[place + RESPONSES * STRETCHES] == 0:
        sums[place + FIRST_TS * STRETCHES] = transaction["ts"]
    sums[place + BYTES * STRETCHES] += taken
    sums[place + RECORDS * STRETCHES] += records
    sums[place + RESPONSES * STRETCHES] += 1
    cell["bytes"] += taken
    cell["records"] += records
    cell["responses"] += 1


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
    hit["threshold"] = share * credentials
    hit["deviations"] = (np.log1p(hit["taken"] / credentials) - LOGS[median]) / scale


@inline_kernel
def _against_server(histograms, base, members, thresholds, credentials, hit):
    """Fill baseline and threshold from what nine in ten of the server's other cells stay below."""
    high = quantile_bin(histograms, base, members, 0.9)
    hit["baseline"] = MIDDLES[high]
    hit["threshold"] = thresholds[Threshold.ALONE_RATIO] * MIDDLES[high] * credentials
    hit["deviations"] = 0.0


@part_kernel
def judge(cell, metric, populations, histograms, thresholds, hit):
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
    if members < thresholds[Threshold.PEERS]:
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
def follow_run(cell, sums, row, hit, transaction, report_ns):
    """Begin or continue the run of a cell that takes too much; returns whether it is due to be reported."""
    now = np.int64(transaction["now"])
    if cell["run_now"] == 0:
        cell["run_now"] = now
        cell["run_responses"] = cell["responses"]
        cell["reported_taken"] = 0
        cell["run_first_ts"] = transaction["ts"]
        base = row * LANES * STRETCHES
        for i in range(base, base + STRETCHES):
            if sums[i + RESPONSES * STRETCHES] > 0:
                first_ts = sums[i + FIRST_TS * STRETCHES]
                cell["run_first_ts"] = min(np.int64(cell["run_first_ts"]), np.int64(first_ts))
    else:
        cell["run_responses"] += 1
    reported = np.int64(cell["reported_taken"])
    if hit["taken"] - reported <= reported >> 3 and now - np.int64(cell["reported_now"]) < report_ns:
        return False
    cell["reported_now"] = now
    cell["reported_taken"] = hit["taken"]
    hit["run_now"] = cell["run_now"]
    hit["first_ts"] = cell["run_first_ts"]
    hit["responses"] = cell["run_responses"]
    return True


@kernel
def find_bulk(
    transactions: TRANSACTION, strings: ENTRY, start: int,
    population_entities: ENTITY, population_slots: U64s, population_use: I64s, population_seeds: U64s,
    populations: POPULATION, histograms: I32s,
    entities: ENTITY, slots: U64s, use: I64s, seeds: U64s,
    cells: CELL, sums: I64s, users: U64s, user_times: I64s,
    thresholds: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `strings` are the string pool's entries; each population has 2 * BINS items of `histograms`, each cell LANES * STRETCHES
    of `sums` and CREDENTIALS of `users` and `user_times`.
    """
    progress[Progress.HITS] = 0
    stretch_ns = np.int64(thresholds[Threshold.STRETCH_NS])
    report_ns = np.int64(thresholds[Threshold.REPORT_NS])
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        transaction = transactions[row]
        status = np.int64(transaction["status_code"])
        if not 200 <= status < 300 or transaction["response_body_len"] <= 0:
            continue
        if progress[Progress.HITS] == len(hits):
            return row
        progress[Progress.ANSWERS] += 1
        now = np.int64(transaction["now"])
        port = np.uint64(transaction["server_port"])
        method = mix(strings[np.int64(transaction["method"])]["hash"], port)
        path = strings[np.int64(transaction["endpoint"])]["hash"]
        server = population_row(
            population_entities, population_slots, population_use, population_seeds, populations, histograms,
            transaction["server_hi"], transaction["server_lo"], ~np.uint64(0), port, now,
        )  # fmt: skip
        endpoint = population_row(
            population_entities, population_slots, population_use, population_seeds, populations, histograms,
            transaction["server_hi"], transaction["server_lo"], method, path, now,
        )  # fmt: skip
        place = mix(mix(transaction["server_hi"], transaction["server_lo"]), method)
        cell_row = touch(
            entities, slots, use, seeds, transaction["client_hi"], transaction["client_lo"], place, path
        )
        if cell_row < 0:
            cell_row = -1 - cell_row
            leave(populations, histograms, cells[cell_row])
            clear_cell(cells[cell_row], sums, user_times, cell_row, now, now // stretch_ns)
        cell = cells[cell_row]
        add_answer(cell, sums, users, user_times, cell_row, transaction, stretch_ns)
        join(populations, histograms, cell, endpoint, server)
        hit = hits[progress[Progress.HITS]]
        metric = BYTES
        against = judge(cell, BYTES, populations, histograms, thresholds, hit)
        if against == Against.NOTHING:
            metric = RECORDS
            against = judge(cell, RECORDS, populations, histograms, thresholds, hit)
        if against == Against.NOTHING:
            cell["run_now"] = 0
            continue
        if metric != cell["metric"]:
            cell["metric"] = metric
            cell["run_now"] = 0
        if follow_run(cell, sums, cell_row, hit, transaction, report_ns):
            hit["row"] = row
            hit["metric"] = metric
            hit["against"] = against
            progress[Progress.HITS] += 1
    return len(transactions)
