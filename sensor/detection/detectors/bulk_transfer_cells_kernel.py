"""Cells and populations of bulk transfers: in: answers; out: sums over a sliding window, and how they spread.

A cell is one (client, endpoint): the bytes and records of its successful answers over a sliding window, and with how
many credentials it asked. A population is the cells of one endpoint, or of one server: a histogram of what each of them
took per credential when it last took something. The one law: a histogram holds each cell that is remembered once.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.structures.entity_table_kernels import touch
from sensor.structures.log_histogram import BINS, bin_of
from sensor.structures.windows import buckets_advance, clear_times, count_within, distinct_touch

STRETCHES = 10
"""Steps in which the window slides."""
CREDENTIALS = 16
"""Different credentials counted per cell: an address with more users is judged as if it had these."""
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
        ("metric", "i4"),               # what the present run was last about
        ("stretch", "i8"),              # number of the present stretch
        ("began", "i8"),                # packet time of the first answer
        ("bytes", "i8"),                # in the window
        ("records", "i8"),
        ("responses", "i8"),
        ("user", "u8"),                 # the latest credential
        ("run_now", "i8"),              # packet time at which the run began, 0 while there is none
        ("run_first_ts", "i8"),
        ("run_responses", "i8"),
        ("run_answers", "i8"),          # of them, those that found it above the threshold
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
    """Count a cell where its present sums belong, in both populations, moving it there when it was counted elsewhere.
    """
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
