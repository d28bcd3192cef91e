"""Scans that stay below every rate: in: flows that ended; out: rows of hits.

Of each client the last `size` different pairs of host and port are kept that it tried in vain. The one law: a client is
over the threshold exactly when all of these were tried within the window, it uses few of the ports that it tries, and
no host and no port alone had so many of them lately that the fast scans' rules tell of it.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.attempts_kernel import is_attempt
from sensor.schema import FLOW, STREAM
from sensor.structures.entity_table_kernels import ENTITY, find, touch
from sensor.structures.hashing import mix
from sensor.structures.windows import clear_times, count_within, distinct_touch

_ZERO = np.uint64(0)
_KEPT = 1_024
"""Flows of a client after which older ones count half."""

SCANNER = np.dtype(
    [
        ("attempts", "i8"),
        ("used", "i8"),           # flows of it that were no attempts, since its first attempt
        ("run_attempts", "i8"),
        ("run_now", "i8"),        # packet time at which it went over the threshold, 0 while it has not
        ("first_ts", "i8"),
        ("last_ts", "i8"),
        ("reported_now", "i8"),
        ("reported_attempts", "i8"),
    ],
    align=True,
)
TRY = np.dtype([("start_ts", "i8"), ("hi", "u8"), ("lo", "u8"), ("port", "i8")], align=True)
HIT = np.dtype(
    [
        ("flow", "i8"),           # row in the batch's flows
        ("run_now", "i8"),
        ("first_ts", "i8"),
        ("last_ts", "i8"),
        ("attempts", "i8"),
        ("hosts", "i8"),          # different ones among the last targets
        ("ports", "i8"),
        ("used", "i8"),
    ],
    align=True,
)


class Limit(IntEnum):
    SIZE = 0
    WINDOW_NS = 1
    FAST_NS = 2
    FAST_PORTS = 3
    FAST_HOSTS = 4
    REPORT_NS = 5


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _is_fast(tries, times, base, flow, now, limits):
    """Whether one host, or one port, had so many of the latest attempts that it is a fast scan."""
    ports = hosts = 0
    for i in range(base, base + limits[Limit.SIZE]):
        if times[i] >= now - limits[Limit.FAST_NS]:
            ports += tries[i]["hi"] == flow["resp_hi"] and tries[i]["lo"] == flow["resp_lo"]
            hosts += tries[i]["port"] == flow["resp_port"]
    return ports >= limits[Limit.FAST_PORTS] or hosts >= limits[Limit.FAST_HOSTS]


@part_kernel
def _spread(tries, base, size, hit):
    """How many different hosts and ports are among the last targets."""
    hosts = ports = 0
    for i in range(base, base + size):
        host_known = port_known = False
        for j in range(base, i):
            host_known |= tries[j]["hi"] == tries[i]["hi"] and tries[j]["lo"] == tries[i]["lo"]
            port_known |= tries[j]["port"] == tries[i]["port"]
        hosts += not host_known
        ports += not port_known
    hit["hosts"] = hosts
    hit["ports"] = ports


@inline_kernel
def _note_flow(scanner, attempts, used):
    if scanner["attempts"] + scanner["used"] >= _KEPT:
        scanner["attempts"] //= 2
        scanner["used"] //= 2
    scanner["attempts"] += attempts
    scanner["used"] += used


@part_kernel
def note_attempt(scanner, targets, times, tries, base, flow, limits):
    """Add one attempt; returns whether its client is over the threshold and due to be reported."""
    now, size = np.int64(flow["end_now"]), limits[Limit.SIZE]
    since = now - limits[Limit.WINDOW_NS]
    target = mix(mix(flow["resp_hi"], flow["resp_lo"]), np.uint64(flow["resp_port"]))
    place = distinct_touch(targets, times, base, size, target, now, since)
    attempt = tries[place if place >= 0 else -1 - place]
    attempt["start_ts"] = flow["start_ts"]
    attempt["hi"], attempt["lo"] = flow["resp_hi"], flow["resp_lo"]
    attempt["port"] = flow["resp_port"]
    _note_flow(scanner, 1, 0)
    if count_within(times, base, size, since) < size or scanner["attempts"] < scanner["used"]:
        scanner["run_now"] = 0
        return False
    if scanner["run_now"] == 0:
        scanner["run_now"] = now
        scanner["run_attempts"] = size
        scanner["reported_attempts"] = 0
        scanner["first_ts"] = flow["start_ts"]
        for i in range(base, base + size):
            scanner["first_ts"] = min(np.int64(scanner["first_ts"]), np.int64(tries[i]["start_ts"]))
    else:
        scanner["run_attempts"] += 1
    scanner["last_ts"] = flow["last_ts"]
    if _is_fast(tries, times, base, flow, now, limits):
        return False
    grown = np.int64(scanner["run_attempts"]) - np.int64(scanner["reported_attempts"])
    long_ago = now - np.int64(scanner["reported_now"]) >= limits[Limit.REPORT_NS]
    if grown <= np.int64(scanner["reported_attempts"]) >> 3 and not (long_ago and grown > 0):
        return False
    scanner["reported_now"] = now
    scanner["reported_attempts"] = scanner["run_attempts"]
    return True


@kernel
def find_slow_scans(
    flows: FLOW, streams: STREAM, start: int, entities: ENTITY, slots: U64s, use: I64s, seeds: U64s,
    scanners: SCANNER, targets: U64s, times: I64s, tries: TRY, limits: I64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at flows from row `start` on; returns the row to go on with.

    `targets`, `times` and `tries` hold limits[Limit.SIZE] items for each client.
    """
    progress[Progress.HITS] = 0
    size = limits[Limit.SIZE]
    for row in range(start, len(flows)):
        progress[Progress.ROW] = row
        if progress[Progress.HITS] == len(hits):
            return row
        flow = flows[row]
        if not is_attempt(flow, streams[2 * row], streams[2 * row + 1]):
            known = find(entities, slots, seeds, flow["orig_hi"], flow["orig_lo"], _ZERO, _ZERO)
            if known >= 0:
                _note_flow(scanners[known], 0, 1)
            continue
        client = touch(entities, slots, use, seeds, flow["orig_hi"], flow["orig_lo"], _ZERO, _ZERO)
        if client < 0:
            client = -1 - client
            clear_times(times, client * size, size)
            scanners[client]["run_now"] = 0
            scanners[client]["attempts"] = 0
            scanners[client]["used"] = 0
        scanner = scanners[client]
        if note_attempt(scanner, targets, times, tries, client * size, flow, limits):
            hit = hits[progress[Progress.HITS]]
            _spread(tries, client * size, size, hit)
            hit["flow"] = row
            hit["run_now"] = scanner["run_now"]
            hit["first_ts"] = scanner["first_ts"]
            hit["last_ts"] = scanner["last_ts"]
            hit["attempts"] = scanner["run_attempts"]
            hit["used"] = scanner["used"]
            progress[Progress.HITS] += 1
    return len(flows)
