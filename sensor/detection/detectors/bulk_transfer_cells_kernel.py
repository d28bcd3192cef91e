"""Cells and populations of bulk transfers: in: answers; out: sums over a sliding window, and how they spread.

A cell is one (client, endpoint): the bytes and records of its successful answers over a sliding window, and with how
many credentials it asked. A population is the cells of one endpoint, or of one server: a histogram of what each of them
took per credential when it last took something. The one law: a histogram holds each cell that is remembered once.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.structures.entity_table_kernels import touch
from sensor.structures.log_histogram import BINS, bin_of
from sensor.structures.prefetch import prefetch

STRETCHES = 10
"""Steps in which the window slides."""
CREDENTIALS = 16
"""Different credentials counted per cell: an address with more users is judged as if it had these."""
BYTES, RECORDS = range(2)
_ALL_EMPTY = (1 << STRETCHES) - 1

CELL = np.dtype(
    [
        ("endpoint", "i4"),             # row of the population
        ("endpoint_generation", "i4"),  # -1 while there is none
        ("server", "i4"),
        ("server_generation", "i4"),
        ("bytes_bin", "i4"),            # where its populations count it, -1 when they do not
        ("records_bin", "i4"),
        ("credentials", "i4"),          # seen in the window
        ("users", "i4"),                # credentials remembered
        ("stretch", "i8"),              # number of the present stretch
        ("bytes", "i8"),                # in the window
        ("records", "i8"),
        ("responses", "i8"),
        ("present_bytes", "i8"),        # of the present stretch, which goes to the others when it is over
        ("present_records", "i8"),
        ("present_responses", "i8"),
        ("present_first_ts", "i8"),
        ("run_now", "i8"),              # packet time at which the run began, 0 while there is none
        ("user", "u8"),                 # the latest credential
        ("first_user", "u8"),           # the one remembered first, and when it was last noted
        ("first_user_now", "i8"),
        ("began", "i8"),                # packet time of the first answer
        ("empty", "i4"),                # a bit for each of its stretches: set when nothing is in it, whatever it says
        ("metric", "i4"),               # what the present run was last about
        ("run_first_ts", "i8"),
        ("run_responses", "i8"),
        ("run_answers", "i8"),          # of them, those that found it above the threshold
        ("reported_now", "i8"),
        ("reported_taken", "i8"),
        ("peak_day", "i4"),             # the latest day on which it took too much
        ("peak_days", "i4"),            # such days before that
        ("peak_bytes", "i8"),           # the most in a window of that day
        ("peak_records", "i8"),
        ("habit_bytes", "i8"),          # the same of the day before that
        ("habit_records", "i8"),
        ("target", "u8"),               # what was asked for last, and how long the answer was
        ("repeats", "i8"),              # answers in a row that were alike
    ],
    align=True,
)
"""What each answer needs comes first: behind `empty` is what runs alone need."""
CELL_WORDS = CELL.itemsize // 8

STRETCH = np.dtype(
    [
        ("bytes", "i8"),
        ("records", "i8"),
        ("responses", "i8"),
        ("first_ts", "i8"),  # of the first of its answers
    ],
    align=True,
)

USER = np.dtype([("user", "u8"), ("now", "i8")], align=True)
"""A credential and the packet time at which it was last noted; the first one of a cell stands in the cell itself."""
_USERS_IN_LINE = 4

POPULATION = np.dtype(
    [
        ("began", "i8"),
        ("generation", "i4"),           # another each time the row gets a new owner
        ("bytes_members", "i4"),
        ("records_members", "i4"),
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


@inline_kernel
def _count_twice(populations, histograms, cell, metric, place, step):
    """Add `step` members to one bin of those of the cell's populations that still belong to the same owner."""
    endpoint = np.int64(cell["endpoint"])
    if populations[endpoint]["generation"] == cell["endpoint_generation"]:
        _count(populations, histograms, endpoint, metric, place, step)
    server = np.int64(cell["server"])
    if populations[server]["generation"] == cell["server_generation"]:
        _count(populations, histograms, server, metric, place, step)


@part_kernel
def leave(populations, histograms, cell):
    """Take a cell out of the populations that count it."""
    if cell["bytes_bin"] >= 0:
        _count_twice(populations, histograms, cell, BYTES, np.int64(cell["bytes_bin"]), -1)
    if cell["records_bin"] >= 0:
        _count_twice(populations, histograms, cell, RECORDS, np.int64(cell["records_bin"]), -1)
    cell["bytes_bin"] = -1
    cell["records_bin"] = -1


@inline_kernel
def _move(populations, histograms, cell, metric, old, new):
    """Count a cell in another bin of its populations, which are its present ones; -1 is none."""
    if old >= 0 and new >= 0:
        endpoint = (2 * np.int64(cell["endpoint"]) + metric) * BINS
        server = (2 * np.int64(cell["server"]) + metric) * BINS
        histograms[endpoint + old] -= 1
        histograms[endpoint + new] += 1
        histograms[server + old] -= 1
        histograms[server + new] += 1
    elif old >= 0:
        _count_twice(populations, histograms, cell, metric, old, -1)
    else:
        _count_twice(populations, histograms, cell, metric, new, 1)


@inline_kernel
def join(populations, histograms, cell):
    """Count a cell where its present sums belong, in both of its populations."""
    taken = np.int64(cell["bytes"])
    records = np.int64(cell["records"])
    if cell["credentials"] > 1:
        taken //= np.int64(cell["credentials"])
        records //= np.int64(cell["credentials"])
    bytes_bin = bin_of(taken)
    if bytes_bin != cell["bytes_bin"]:
        _move(populations, histograms, cell, BYTES, np.int64(cell["bytes_bin"]), bytes_bin)
        cell["bytes_bin"] = bytes_bin
    records_bin = bin_of(records) if cell["records"] > 0 else np.int64(-1)
    if records_bin != cell["records_bin"]:
        _move(populations, histograms, cell, RECORDS, np.int64(cell["records_bin"]), records_bin)
        cell["records_bin"] = records_bin


@part_kernel
def _population_row(entities, slots, state, seeds, populations, histograms, key0, key1, key2, key3, now):
    """The population's row, emptied when it is a new owner's."""
    row = touch(entities, slots, state, seeds, key0, key1, key2, key3)
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
def is_settled(cell, populations):
    """Whether both of the cell's populations still belong to the same owner."""
    return (
        populations[np.int64(cell["endpoint"])]["generation"] == cell["endpoint_generation"]
        and populations[np.int64(cell["server"])]["generation"] == cell["server_generation"]
    )


@part_kernel
def settle(entities, slots, state, seeds, populations, histograms, cell, transaction, method, path):
    """Look up both populations of a cell, and let those that it had forget it."""
    leave(populations, histograms, cell)
    now = np.int64(transaction["now"])
    hi = transaction["server_hi"]
    lo = transaction["server_lo"]
    port = np.uint64(transaction["server_port"])
    server = _population_row(
        entities, slots, state, seeds, populations, histograms, hi, lo, ~np.uint64(0), port, now
    )
    endpoint = _population_row(entities, slots, state, seeds, populations, histograms, hi, lo, method, path, now)
    cell["server"] = server
    cell["server_generation"] = populations[server]["generation"]
    cell["endpoint"] = endpoint
    cell["endpoint_generation"] = populations[endpoint]["generation"]


@inline_kernel
def clear_cell(cell, now, stretch):
    """Begin a cell; of its stretches, those before the first answer's are never looked at."""
    _clear_present(cell)
    cell["credentials"] = 0
    cell["users"] = 0
    cell["stretch"] = stretch
    cell["began"] = now
    cell["empty"] = _ALL_EMPTY
    cell["bytes"] = 0
    cell["records"] = 0
    cell["responses"] = 0
    cell["user"] = np.uint64(0)
    cell["run_now"] = 0
    cell["peak_day"] = 0
    cell["peak_days"] = 0
    cell["peak_bytes"] = 0
    cell["peak_records"] = 0


@inline_kernel
def _clear_present(cell):
    cell["present_bytes"] = 0
    cell["present_records"] = 0
    cell["present_responses"] = 0
    cell["present_first_ts"] = 0


@inline_kernel
def first_stretch(cell, stretch_ns):
    """Number of the first stretch of the window that the cell has."""
    return max(np.int64(cell["began"]) // stretch_ns, np.int64(cell["stretch"]) - STRETCHES + 1)


@inline_kernel
def is_empty(empty, stretch):
    """Whether nothing is in a stretch of a cell, by the cell's bits."""
    return (empty >> (stretch % STRETCHES)) & 1 != 0


@part_kernel
def _slide(cell, stretches, row, stretch, stretch_ns):
    """Let the cell's window end at `stretch`: put its present stretch to the others, take out those that leave."""
    base = row * STRETCHES
    last = np.int64(cell["stretch"])
    if stretch - last >= STRETCHES:
        cell["bytes"] = 0
        cell["records"] = 0
        cell["responses"] = 0
        cell["empty"] = _ALL_EMPTY
    else:
        sums = stretches[base + last % STRETCHES]
        sums["bytes"] = cell["present_bytes"]
        sums["records"] = cell["present_records"]
        sums["responses"] = cell["present_responses"]
        sums["first_ts"] = cell["present_first_ts"]
        empty = np.int64(cell["empty"]) & ~(1 << (last % STRETCHES))
        for left in range(first_stretch(cell, stretch_ns), stretch - STRETCHES + 1):
            if not is_empty(empty, left):
                sums = stretches[base + left % STRETCHES]
                cell["bytes"] -= sums["bytes"]
                cell["records"] -= sums["records"]
                cell["responses"] -= sums["responses"]
        for entered in range(last + 1, stretch):
            empty |= 1 << (entered % STRETCHES)
        cell["empty"] = empty
    _clear_present(cell)
    cell["stretch"] = stretch


@inline_kernel
def ask_for_window(cell, stretches, users, histograms, row, stretch):
    """Ask for what an answer in `stretch` will read or write of a cell's window, and where its endpoint counts it."""
    last = np.int64(cell["stretch"])
    if 0 < stretch - last < STRETCHES:
        prefetch(stretches, row * STRETCHES + last % STRETCHES)
        for left in range(last - STRETCHES + 1, stretch - STRETCHES + 1):
            if not is_empty(np.int64(cell["empty"]), left):
                prefetch(stretches, row * STRETCHES + left % STRETCHES)
    for place in range(1, np.int64(cell["users"]), _USERS_IN_LINE):
        prefetch(users, row * CREDENTIALS + place)
    counts = 2 * np.int64(cell["endpoint"]) * BINS
    prefetch(histograms, counts + np.int64(cell["bytes_bin"]))
    if cell["records_bin"] >= 0:
        prefetch(histograms, counts + BINS + np.int64(cell["records_bin"]))


@part_kernel
def _credentials_within(cell, users, base, user, now, since):
    """Note a sight of `user`, unless 0; returns how many of those remembered, the last CREDENTIALS different ones, were
    seen since `since`. Item 0 of a cell's part of `users` stands in the cell: most cells never have a second one.
    """
    known = np.int64(cell["users"])
    place = np.int64(0) if known > 0 and cell["first_user"] == user else np.int64(-1)
    oldest, oldest_now = np.int64(0), np.int64(cell["first_user_now"])
    within = np.int64(known > 0 and place < 0 and oldest_now >= since)
    for i in range(1, known):
        noted = np.int64(users[base + i]["now"])
        if users[base + i]["user"] == user:
            place = i
        elif noted >= since:
            within += 1
        if noted < oldest_now:
            oldest, oldest_now = i, noted
    if user == 0:
        return within
    if place < 0 and known < CREDENTIALS:
        place = known
        cell["users"] = known + 1
    elif place < 0:
        place = oldest
        within -= np.int64(oldest_now >= since)
    if place == 0:
        cell["first_user"] = user
        cell["first_user_now"] = now
    else:
        users[base + place]["user"] = user
        users[base + place]["now"] = now
    return within + 1


@inline_kernel
def add_answer(cell, stretches, users, row, transaction, stretch_ns):
    """Add one answer to its cell's window."""
    now = np.int64(transaction["now"])
    stretch = now // stretch_ns
    user = transaction["user"]
    if stretch != cell["stretch"] or user != cell["user"]:
        if stretch != cell["stretch"]:
            _slide(cell, stretches, row, stretch, stretch_ns)
        cell["user"] = user
        since = now - STRETCHES * stretch_ns
        cell["credentials"] = _credentials_within(cell, users, row * CREDENTIALS, user, now, since)
    taken = np.int64(transaction["response_body_len"])
    records = max(np.int64(transaction["records"]), 0)
    if cell["present_responses"] == 0:
        cell["present_first_ts"] = transaction["ts"]
    cell["present_bytes"] += taken
    cell["present_records"] += records
    cell["present_responses"] += 1
    cell["bytes"] += taken
    cell["records"] += records
    cell["responses"] += 1
