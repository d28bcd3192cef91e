"""How identities vote on an endpoint by what they read there: in: reads, whether the ids were given; out: counts.

A family is an endpoint, a cohort those of one role there, a reader one identity there. The one law: each reader that
has a vote is counted once in its cohort and in its family, and a vote that is void is counted nowhere.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.structures.entity_table_kernels import touch

_ZERO = np.uint64(0)
_VOTE_READS, _LATELY = 4, 32
"""Reads before an identity votes, and those after which older ones count half."""
_FAITHFUL_PART = 10
"""One read in so many of an id that was not given is still faithful."""
_TRUSTED_READS = 8


class Vote(IntEnum):
    NONE = 0
    FAITHFUL = 1
    UNFAITHFUL = 2


FAMILY = np.dtype(
    [
        ("generation", "u4"),
        ("prefix", "i4"),         # bytes of the template before its id, 0 when it has not just one
        ("serial", "u4"),         # of the votes, which begin anew when it was left alone
        ("voters", "i4"),
        ("faithful", "i4"),
        ("rests", "i4"),          # 1 while it is left alone, because its ids are not given before
        ("rests_now", "i8"),      # since when
    ],
    align=True,
)
COHORT = np.dtype(
    [("serial", "u4"), ("endpoint", "i4"), ("endpoint_generation", "u4"), ("family_serial", "u4"), ("voters", "i4"),
     ("faithful", "i4")], align=True,
)  # fmt: skip
READER = np.dtype(
    [
        ("generation", "u4"),
        ("cohort", "i4"),
        ("cohort_serial", "u4"),
        ("today", "i4"),          # different ids read in this window
        ("ungiven", "i4"),        # of which not given before
        ("past", "i4"),           # most not given in one window before
        ("reported", "i4"),
        ("reads", "u1"),          # lately, for the vote
        ("strays", "u1"),         # of which not given before
        ("vote", "u1"),           # Vote
        ("trusted", "u1"),        # 1 when it was faithful in the window before
        ("window_now", "i8"),
        ("first_ts", "i8"),       # of the first id that was not given in this window
        ("run_now", "i8"),        # when it went over the threshold, 0 before
        ("reported_now", "i8"),
    ],
    align=True,
)

@inline_kernel
def _is_current(cohort, families):
    """Whether the votes that a cohort counts are among those of its endpoint."""
    endpoint = np.int64(cohort["endpoint"])
    return (
        families[endpoint]["generation"] == cohort["endpoint_generation"]
        and families[endpoint]["serial"] == cohort["family_serial"]
    )


@part_kernel
def _cast(reader, cohort, families, vote, sign):
    """Add a vote to its cohort and endpoint, or take it away."""
    faithful = sign if vote == Vote.FAITHFUL else 0
    cohort["voters"] += sign
    cohort["faithful"] += faithful
    if _is_current(cohort, families):
        family = families[np.int64(cohort["endpoint"])]
        family["voters"] += sign
        family["faithful"] += faithful
    reader["vote"] = vote if sign > 0 else Vote.NONE


@inline_kernel
def withdraw(reader, cohorts, families):
    """Take the vote of a reader away."""
    if reader["vote"] != Vote.NONE:
        cohort = cohorts[np.int64(reader["cohort"])]
        if cohort["serial"] == reader["cohort_serial"]:
            _cast(reader, cohort, families, np.int64(reader["vote"]), -1)
        reader["vote"] = Vote.NONE


@part_kernel
def begin_reader(reader, generation, now):
    reader["generation"] = generation
    reader["today"] = 0
    reader["ungiven"] = 0
    reader["past"] = 0
    reader["reported"] = 0
    reader["reads"] = 0
    reader["strays"] = 0
    reader["trusted"] = 0
    reader["window_now"] = now
    reader["run_now"] = 0
    reader["reported_now"] = 0


@inline_kernel
def begin_window(reader, now):
    reader["trusted"] = reader["vote"] == Vote.FAITHFUL and reader["today"] >= _TRUSTED_READS
    reader["past"] = max(reader["past"], reader["ungiven"])
    reader["today"] = 0
    reader["ungiven"] = 0
    reader["reported"] = 0
    reader["run_now"] = 0
    reader["window_now"] = now


@part_kernel
def join(reader, cohorts, families, table, slots, use, seeds, endpoint, role):
    """The cohort of the reader's role on this endpoint; a vote in another is taken away."""
    family = families[endpoint]
    key = (np.uint64(family["generation"]) << np.uint64(32)) | np.uint64(endpoint)
    touched = touch(table, slots, use, seeds, key, role, np.uint64(family["serial"]), _ZERO)
    row = touched if touched >= 0 else -1 - touched
    cohort = cohorts[row]
    if touched < 0:
        if cohort["voters"] > 0 and _is_current(cohort, families):
            families[np.int64(cohort["endpoint"])]["voters"] -= cohort["voters"]
            families[np.int64(cohort["endpoint"])]["faithful"] -= cohort["faithful"]
        cohort["serial"] += 1
        cohort["endpoint"] = endpoint
        cohort["endpoint_generation"] = family["generation"]
        cohort["family_serial"] = family["serial"]
        cohort["voters"] = 0
        cohort["faithful"] = 0
    if reader["cohort"] != row or reader["cohort_serial"] != cohort["serial"]:
        withdraw(reader, cohorts, families)
        reader["cohort"] = row
        reader["cohort_serial"] = cohort["serial"]
    return row


@part_kernel
def count_read(reader, cohort, families, ungiven):
    """Count a read, and vote anew."""
    if reader["reads"] >= _LATELY:
        reader["reads"] = reader["reads"] >> 1
        reader["strays"] = reader["strays"] >> 1
    reader["reads"] += 1
    reader["strays"] += 1 if ungiven else 0
    reader["today"] += 1
    reader["ungiven"] += 1 if ungiven else 0
    if reader["reads"] >= _VOTE_READS:
        faithful = _FAITHFUL_PART * np.int64(reader["strays"]) <= np.int64(reader["reads"])
        vote = np.int64(Vote.FAITHFUL if faithful else Vote.UNFAITHFUL)
        if vote != reader["vote"]:
            if reader["vote"] != Vote.NONE:
                _cast(reader, cohort, families, np.int64(reader["vote"]), -1)
            _cast(reader, cohort, families, vote, 1)
