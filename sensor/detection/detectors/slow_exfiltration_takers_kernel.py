"""Who takes how much in a day: in: identities and their latest days; out: how many identities take how much, by bin.

The one law: the histograms of a day's bytes and records hold each identity once, where its latest busy day belongs.
"""

import numpy as np

from sensor._jit import part_kernel
from sensor.structures.log_histogram import BINS, bin_of

BYTES, RECORDS = 0, 1

TAKER = np.dtype(
    [
        ("bytes", "i8"),             # of the latest day
        ("records", "i4"),
        ("generation", "u4"),
        ("bytes_look", "f4"),        # at which to judge it next
        ("records_look", "f4"),
        ("hours", "u4"),             # local hours of earlier days in which it was active, a bit each
        ("hours_today", "u4"),
        ("head", "u2"),              # its latest day
        ("days", "u2"),              # days on which it took anything, before the latest
        ("began", "u2"),             # its first answer of the latest day, in steps of 2 s
        ("bytes_bin", "u1"),         # 1 + where the population counts it
        ("records_bin", "u1"),
    ],
    align=True,
)


@part_kernel
def count_taker(taker, populations, members):
    """Count a taker where its latest day belongs in both populations."""
    place = bin_of(np.int64(taker["bytes"])) + 1
    if place != taker["bytes_bin"]:
        if taker["bytes_bin"] > 0:
            populations[np.int64(taker["bytes_bin"]) - 1] -= 1
        else:
            members[BYTES] += 1
        populations[place - 1] += 1
        taker["bytes_bin"] = place
    if taker["records"] <= 0:
        return
    place = bin_of(np.int64(taker["records"])) + 1
    if place != taker["records_bin"]:
        if taker["records_bin"] > 0:
            populations[BINS + np.int64(taker["records_bin"]) - 1] -= 1
        else:
            members[RECORDS] += 1
        populations[BINS + place - 1] += 1
        taker["records_bin"] = place


@part_kernel
def leave_populations(taker, populations, members):
    if taker["bytes_bin"] > 0:
        populations[np.int64(taker["bytes_bin"]) - 1] -= 1
        members[BYTES] -= 1
    if taker["records_bin"] > 0:
        populations[BINS + np.int64(taker["records_bin"]) - 1] -= 1
        members[RECORDS] -= 1
    taker["bytes_bin"] = 0
    taker["records_bin"] = 0
