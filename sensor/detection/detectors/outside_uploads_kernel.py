"""Uploads to outside in flows: in: flows that ended or are told of while they live; out: rows of hits.

A pair is one inside client and one server outside. What it sent and got is summed over a sliding window, whatever the
protocol: the payload of TLS is as long as what is in it. The one law: a byte is counted once, when its flow is first
told of after it was sent.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import F64s, I32s, I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.limits import NS
from sensor.schema import FLOW, STREAM
from sensor.structures.entity_table_kernels import ENTITY, touch
from sensor.structures.log_histogram import MIDDLES, bin_of, quantile_bin, top_bin
from sensor.structures.sliding import clear_ring, slide

STRETCHES = 10
HABIT_DAYS = 3
"""Earlier days on which a pair sent as much make it its habit: the nightly backup."""
ROLE_MEMBERS = 3
ROLE_RATIO = 1.5
DAY_NS = 86_400 * NS

PAIR = np.dtype(
    [
        ("head", "i8"),          # the latest stretch
        ("sent", "i8"),          # in the window
        ("got", "i8"),
        ("peak", "i8"),          # the most sent in a window of the latest day
        ("habit", "i8"),         # the same of the day before it that had any
        ("day", "i8"),
        ("big_days", "i8"),      # earlier days on which it sent too much
        ("began_ts", "i8"),      # first packet of what the window holds
        ("run_now", "i8"),       # packet time at which it went over, 0 while it has not
        ("flows", "i8"),         # of the run
        ("reported", "i8"),
        ("reported_now", "i8"),
        ("bin", "i4"),           # 1 + where the histogram counts it
        ("is_big", "i4"),        # whether it sent too much today
    ],
    align=True,
)

HIT = np.dtype(
    [
        ("row", "i8"),
        ("sent", "i8"),
        ("got", "i8"),
        ("flows", "i8"),
        ("run_now", "i8"),
        ("first_ts", "i8"),
        ("threshold", "f8"),
        ("baseline", "f8"),
        ("others", "i8"),
    ],
    align=True,
)


class Threshold(IntEnum):
    """Items of `thresholds`, float64."""

    STRETCH_NS = 0
    REPORT_NS = 1
    LEAST = 2
    ALONE_LEAST = 3
    UP_RATIO = 4
    OTHERS_RATIO = 5
    PEERS = 6


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _is_inside(ranges, hi, lo):
    """Whether an address lies in one of the ranges: four words each, first and last address."""
    for i in range(0, len(ranges), 4):
        above = hi > ranges[i] or (hi == ranges[i] and lo >= ranges[i + 1])
        below = hi < ranges[i + 2] or (hi == ranges[i + 2] and lo <= ranges[i + 3])
        if above and below:
            return True
    return False


@inline_kernel
def _carried(stream):
    """Payload bytes sent for the first time since the flow was last told of."""
    sent = np.int64(stream["payload_bytes"]) - np.int64(stream["retransmitted_bytes"])
    return max(sent - np.int64(stream["told_bytes"]), 0)


@inline_kernel
def _count(pair, histogram, members):
    place = bin_of(max(np.int64(pair["peak"]), np.int64(pair["habit"]))) + 1
    if place == pair["bin"]:
        return
    if pair["bin"] > 0:
        histogram[np.int64(pair["bin"]) - 1] -= 1
    else:
        members[0] += 1
    histogram[place - 1] += 1
    pair["bin"] = place


@part_kernel
def _clear(pair, histogram, members, rings, row):
    if pair["bin"] > 0:
        histogram[np.int64(pair["bin"]) - 1] -= 1
        members[0] -= 1
    clear_ring(rings, 2 * row * STRETCHES, 2 * STRETCHES)
    pair["bin"] = 0
    pair["head"] = 0
    pair["sent"] = 0
    pair["got"] = 0
    pair["peak"] = 0
    pair["habit"] = 0
    pair["day"] = 0
    pair["big_days"] = 0
    pair["is_big"] = 0
    pair["run_now"] = 0


@part_kernel
def _add(pair, rings, row, sent, got, flow, stretch_ns):
    """Add what a flow carried to its pair's window."""
    now = np.int64(flow["end_now"])
    stretch = now // stretch_ns
    base = 2 * row * STRETCHES
    head = np.int64(pair["head"])
    if stretch > head:
        pair["sent"] -= slide(rings, base, STRETCHES, head, stretch)
        pair["got"] -= slide(rings, base + STRETCHES, STRETCHES, head, stretch)
        pair["head"] = stretch
        head = stretch
    if pair["sent"] == 0:
        pair["began_ts"] = flow["start_ts"]
    pair["began_ts"] = min(pair["began_ts"], flow["start_ts"])
    rings[base + head % STRETCHES] += sent
    rings[base + STRETCHES + head % STRETCHES] += got
    pair["sent"] += sent
    pair["got"] += got
    day = now // DAY_NS
    if day != pair["day"]:
        if pair["peak"] > 0:
            pair["habit"] = pair["peak"]
        pair["big_days"] += np.int64(pair["is_big"])
        pair["is_big"] = 0
        pair["peak"] = 0
        pair["day"] = day
    pair["peak"] = max(pair["peak"], pair["sent"])


@part_kernel
def _is_too_much(pair, histogram, members, thresholds, hit):
    """Whether a pair sends too much; fills threshold, baseline and others."""
    sent = np.int64(pair["sent"])
    if sent < thresholds[Threshold.LEAST] or sent < thresholds[Threshold.UP_RATIO] * pair["got"]:
        return False
    others = members[0] - 1
    hit["others"] = others
    hit["baseline"] = 0.0
    hit["threshold"] = thresholds[Threshold.ALONE_LEAST]
    if others >= thresholds[Threshold.PEERS]:
        own = np.int64(pair["bin"]) - 1
        histogram[own] -= 1
        hit["baseline"] = MIDDLES[quantile_bin(histogram, 0, others, 0.5)]
        role = MIDDLES[top_bin(histogram, 0, -1, ROLE_MEMBERS)]
        histogram[own] += 1
        hit["threshold"] = max(
            thresholds[Threshold.LEAST], thresholds[Threshold.OTHERS_RATIO] * hit["baseline"], ROLE_RATIO * role
        )
    if sent < hit["threshold"]:
        return False
    pair["is_big"] = 1
    return pair["big_days"] < HABIT_DAYS or sent > 2 * np.int64(pair["habit"])


@inline_kernel
def _is_due(pair, now, report_ns):
    """Whether the run is new, has grown by a quarter, or was reported long ago."""
    if 4 * np.int64(pair["sent"]) <= 5 * np.int64(pair["reported"]) and now - pair["reported_now"] < report_ns:
        return False
    pair["reported"] = pair["sent"]
    pair["reported_now"] = now
    return True


@kernel
def find_uploads(
    flows: FLOW, streams: STREAM, start: int, ranges: U64s,
    entities: ENTITY, slots: U64s, use: I64s, seeds: U64s,
    pairs: PAIR, rings: I64s, histogram: I32s, members: I64s, thresholds: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at flows from row `start` on; returns the row to go on with. `rings` has 2 * STRETCHES items a pair."""
    progress[Progress.HITS] = 0
    for row in range(start, len(flows)):
        progress[Progress.ROW] = row
        flow = flows[row]
        sent = _carried(streams[2 * row])
        if sent == 0 or _is_inside(ranges, flow["resp_hi"], flow["resp_lo"]):
            continue
        if not _is_inside(ranges, flow["orig_hi"], flow["orig_lo"]):
            continue
        if progress[Progress.HITS] == len(hits):
            return row
        touched = touch(
            entities, slots, use, seeds, flow["orig_hi"], flow["orig_lo"], flow["resp_hi"], flow["resp_lo"]
        )  # fmt: skip
        place = touched if touched >= 0 else -1 - touched
        pair = pairs[place]
        if touched < 0:
            _clear(pair, histogram, members, rings, place)
        _add(pair, rings, place, sent, _carried(streams[2 * row + 1]), flow, np.int64(thresholds[Threshold.STRETCH_NS]))
        _count(pair, histogram, members)
        hit = hits[progress[Progress.HITS]]
        if not _is_too_much(pair, histogram, members, thresholds, hit):
            pair["run_now"] = 0
            continue
        now = np.int64(flow["end_now"])
        if pair["run_now"] == 0:
            pair["run_now"] = now
            pair["flows"] = 0
            pair["reported"] = 0
        pair["flows"] += 1
        if not _is_due(pair, now, np.int64(thresholds[Threshold.REPORT_NS])):
            continue
        hit["row"] = row
        hit["sent"] = pair["sent"]
        hit["got"] = pair["got"]
        hit["flows"] = pair["flows"]
        hit["run_now"] = pair["run_now"]
        hit["first_ts"] = pair["began_ts"]
        progress[Progress.HITS] += 1
    return len(flows)
