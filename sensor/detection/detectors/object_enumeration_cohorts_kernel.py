"""Cohorts: in: pairs of identity and endpoint, and how many objects each has seen; out: what is usual among their like.

A cohort is an endpoint and a role, or a role wherever it reads; its histogram counts the members by how much they have
seen. The one law: a member is counted in one bin of one cohort, and is left out of what it is compared with.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.structures.entity_table_kernels import Use, touch
from sensor.structures.entity_table_kernels import use as use_again

BINS = 16
_ZERO = np.uint64(0)
_DAY = 86_400_000_000_000

COHORT = np.dtype([("known_now", "i8"), ("serial", "u4"), ("members", "i4")], align=True)
READER = np.dtype(
    [("generation", "u4"), ("day", "u4"), ("cohort_serial", "u4"), ("cohort", "i4"), ("bin", "i4"), ("seen", "i4")],
    align=True,
)
"""Of an identity: the most objects that it has read of one endpoint on its latest day, half of those before."""


@inline_kernel
def bin_of(count):
    """Bin of a count: 1, 2, 3-4, 5-8 and so on; the upper edge of bin b is 2**b."""
    number = 0
    while number < BINS - 1 and (1 << number) < count:
        number += 1
    return number


@inline_kernel
def leave_cohort(pair, cohorts, histograms):
    if pair["bin"] >= 0:
        cohort = cohorts[pair["cohort"]]
        if cohort["serial"] == pair["cohort_serial"]:
            histograms[np.int64(pair["cohort"]) * BINS + np.int64(pair["bin"])] -= 1
            cohort["members"] -= 1
        pair["bin"] = -1


@part_kernel
def join_cohort(pair, cohorts, histograms, table, slots, use, seeds, endpoint, role, now):
    """Count the pair in its cohort, by the bin of what it has seen."""
    row, touched = np.int64(pair["cohort"]), np.int64(0)
    if pair["bin"] >= 0 and table[row]["key0"] == endpoint and table[row]["key1"] == role:
        use_again(table, row)  # found without a search: it is where it was
        use[Use.LATEST] = row
    else:
        touched = touch(table, slots, use, seeds, endpoint, role, _ZERO, _ZERO)
        row = touched if touched >= 0 else -1 - touched
    cohort = cohorts[row]
    if touched < 0:
        cohort["serial"] += 1
        cohort["members"] = 0
        cohort["known_now"] = now
        for i in range(BINS):
            histograms[row * BINS + i] = 0
    number = bin_of(np.int64(pair["seen"]))
    member = pair["bin"] >= 0 and pair["cohort"] == row and pair["cohort_serial"] == cohort["serial"]
    if not member:
        leave_cohort(pair, cohorts, histograms)
        pair["cohort"] = row
        pair["cohort_serial"] = cohort["serial"]
        cohort["members"] += 1
    else:
        histograms[row * BINS + np.int64(pair["bin"])] -= 1
    histograms[row * BINS + number] += 1
    pair["bin"] = number
    return row


@part_kernel
def note_reader(reader, generation, seen, role, cohorts, histograms, table, slots, use, seeds, now):
    """Note what an identity has read of one endpoint, and count it among all of its role."""
    day = now // _DAY
    if reader["generation"] != generation:
        if reader["generation"] != 0:
            leave_cohort(reader, cohorts, histograms)
        reader["generation"] = generation
        reader["bin"] = -1
        reader["cohort"] = 0
        reader["seen"] = 0
    elif reader["day"] != day:
        reader["seen"] = reader["seen"] >> 1
    reader["day"] = day
    reader["seen"] = max(np.int64(reader["seen"]), seen)
    cohort = np.int64(reader["cohort"])
    known = cohorts[cohort]["serial"] == reader["cohort_serial"] and table[cohort]["key1"] == role
    if not known or reader["bin"] != bin_of(np.int64(reader["seen"])):
        join_cohort(reader, cohorts, histograms, table, slots, use, seeds, _ZERO, role, now)


@inline_kernel
def usual_of(histograms, base, others, own):
    """What nine in ten of a cohort's others have seen at most; `own` is the bin of the one who is left out."""
    wanted = others - others // 10
    count = 0
    for i in range(BINS):
        count += np.int64(histograms[base + i]) - (1 if i == own else 0)
        if count >= wanted:
            return np.float64(1 << i)
    return np.float64(1 << (BINS - 1))


@part_kernel
def tally_all(table, rows, cohorts, histograms, endpoint, progress, start):
    """Add up the first `rows` cohorts that belong to `endpoint`, whatever their role, in progress[start:start + BINS];
    returns their members, and since when the first was known.
    """
    for i in range(BINS):
        progress[start + i] = 0
    members, known_now = np.int64(0), np.int64((1 << 63) - 1)
    for row in range(rows):
        if table[row]["key0"] == endpoint:
            members += np.int64(cohorts[row]["members"])
            known_now = min(known_now, np.int64(cohorts[row]["known_now"]))
            for i in range(BINS):
                progress[start + i] += np.int64(histograms[row * BINS + i])
    return members, known_now
