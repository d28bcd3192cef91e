"""Port scans in ended flows: in: flows with their streams; out: rows of hits.

What an attempt is says attempts_kernel.py. Vertical counts the ports of one host that a client tried, horizontal the
hosts on which it tried one port. The one law: a pair is over the threshold exactly when its last `size` different
targets were all tried within the window.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.attempts_kernel import is_attempt
from sensor.schema import FLOW, STREAM
from sensor.structures.entity_table_kernels import ENTITY, touch
from sensor.structures.hashing import mix
from sensor.structures.windows import clear_times, count_within, distinct_touch

PAIR = np.dtype(
    [
        ("attempts", "i8"),       # of the present run
        ("targets", "i8"),        # different targets of the run; one that returns after `size` others counts again
        ("run_now", "i8"),        # packet time at which the run went over the threshold, 0 while it has not
        ("first_ts", "i8"),       # first packet of the run's attempts
        ("last_ts", "i8"),
        ("reported_now", "i8"),
        ("reported_attempts", "i8"),
    ],
    align=True,
)

TRY = np.dtype(
    [
        ("start_ts", "i8"),       # of the latest attempt on this target
        ("hi", "u8"),             # the host, or 0 and the port
        ("lo", "u8"),
    ],
    align=True,
)

HIT = np.dtype(
    [
        ("flow", "i8"),           # row in the batch's flows
        ("now", "i8"),
        ("run_now", "i8"),
        ("first_ts", "i8"),
        ("last_ts", "i8"),
        ("attempts", "i8"),
        ("targets", "i8"),
        ("samples", "i8"),        # the hit's first row in `samples`
    ],
    align=True,
)


class Shape(IntEnum):
    VERTICAL = 0    # pairs of client and host, targets are ports
    HORIZONTAL = 1  # pairs of client and port, targets are hosts


class Progress(IntEnum):
    ROW = 0       # the row being looked at
    HITS = 1
    ATTEMPTS = 2


@inline_kernel
def _is_due(pair, now, report_ns):
    """Whether the run has grown by 1/64 since it was last reported, or was last reported long ago."""
    grown = np.int64(pair["attempts"]) - np.int64(pair["reported_attempts"])
    return grown > np.int64(pair["reported_attempts"]) >> 6 or now - np.int64(pair["reported_now"]) >= report_ns


@part_kernel
def note_attempt(pairs, row, targets, times, tries, size, flow, shape, window_ns, report_ns):
    """Add one attempt to its pair; returns whether the pair is over the threshold and due to be reported."""
    pair = pairs[row]
    base = row * size
    now = np.int64(flow["end_now"])
    since = now - window_ns
    if shape == Shape.VERTICAL:
        hi = np.uint64(0)
        lo = np.uint64(flow["resp_port"])
    else:
        hi = flow["resp_hi"]
        lo = flow["resp_lo"]
    place = distinct_touch(targets, times, base, size, mix(hi, lo), now, since)
    attempt = tries[place if place >= 0 else -1 - place]
    attempt["start_ts"] = flow["start_ts"]
    attempt["hi"] = hi
    attempt["lo"] = lo
    if count_within(times, base, size, since) < size:
        pair["run_now"] = 0
        return False
    if pair["run_now"] == 0:
        pair["run_now"] = now
        pair["attempts"] = size
        pair["targets"] = size
        pair["reported_attempts"] = 0
        pair["first_ts"] = flow["start_ts"]
        pair["last_ts"] = flow["last_ts"]
        for i in range(base, base + size):
            pair["first_ts"] = min(np.int64(pair["first_ts"]), np.int64(tries[i]["start_ts"]))
    else:
        pair["attempts"] += 1
        pair["targets"] += place < 0
        pair["first_ts"] = min(np.int64(pair["first_ts"]), np.int64(flow["start_ts"]))
        pair["last_ts"] = max(np.int64(pair["last_ts"]), np.int64(flow["last_ts"]))
    if not _is_due(pair, now, report_ns):
        return False
    pair["reported_now"] = now
    pair["reported_attempts"] = pair["attempts"]
    return True


@inline_kernel
def _report(hits, samples, progress, pair, flow_row, now, tries, base, size):
    hit = hits[progress[Progress.HITS]]
    hit["flow"] = flow_row
    hit["now"] = now
    hit["run_now"] = pair["run_now"]
    hit["first_ts"] = pair["first_ts"]
    hit["last_ts"] = pair["last_ts"]
    hit["attempts"] = pair["attempts"]
    hit["targets"] = pair["targets"]
    hit["samples"] = progress[Progress.HITS] * size
    for i in range(size):
        samples[progress[Progress.HITS] * size + i] = tries[base + i]
    progress[Progress.HITS] += 1


@kernel
def find_scans(
    flows: FLOW, streams: STREAM, start: int, shape: int,
    entities: ENTITY, slots: U64s, use: I64s, seeds: U64s,
    pairs: PAIR, targets: U64s, times: I64s, tries: TRY, size: int, window_ns: int, report_ns: int,
    hits: HIT, samples: TRY, progress: I64s,
) -> int:  # fmt: skip
    """Look at flows from row `start` on; returns the row to go on with.

    `targets`, `times` and `tries` hold `size` items for each pair, `samples` as many for each hit.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(flows)):
        progress[Progress.ROW] = row
        flow = flows[row]
        if not is_attempt(flow, streams[2 * row], streams[2 * row + 1]):
            continue
        if progress[Progress.HITS] == len(hits):
            return row
        key2 = flow["resp_hi"] if shape == Shape.VERTICAL else np.uint64(0)
        key3 = flow["resp_lo"] if shape == Shape.VERTICAL else np.uint64(flow["resp_port"])
        pair_row = touch(entities, slots, use, seeds, flow["orig_hi"], flow["orig_lo"], key2, key3)
        if pair_row < 0:
            pair_row = -1 - pair_row
            clear_times(times, pair_row * size, size)
            pairs[pair_row]["run_now"] = 0
        progress[Progress.ATTEMPTS] += 1
        if note_attempt(pairs, pair_row, targets, times, tries, size, flow, shape, window_ns, report_ns):
            _report(hits, samples, progress, pairs[pair_row], row, flow["end_now"], tries, pair_row * size, size)
    return len(flows)
