"""What is measured of every packet: in: a segment and its stream; out: counts, sizes, inter-arrival times, Zeek's
history.
"""

import numpy as np

from sensor._jit import inline_kernel
from sensor.schema import HISTORY_LETTERS

LETTER_S, LETTER_H, LETTER_A, LETTER_D = (HISTORY_LETTERS.index(x) + 1 for x in "SHAD")
LETTER_F, LETTER_R, LETTER_G, LETTER_T = (HISTORY_LETTERS.index(x) + 1 for x in "FRGT")
LETTER_W, LETTER_I, LETTER_Q, LETTER_FLIPPED = (HISTORY_LETTERS.index(x) + 1 for x in "WIQ^")


@inline_kernel
def measure_packet(stream, segment, path):
    """Add one packet to its stream's figures."""
    size = np.int64(segment["ip_len"])
    ts = segment["ts"]
    if stream["packets"] == 0:
        stream["path"] = path
        stream["first_ts"] = ts
        stream["size_min"] = size
        stream["size_max"] = size
    else:
        gap = max(np.int64(0), ts - stream["last_ts"])
        if stream["packets"] == 1:
            stream["gap_min"] = gap
            stream["gap_max"] = gap
        else:
            stream["gap_min"] = min(stream["gap_min"], gap)
            stream["gap_max"] = max(stream["gap_max"], gap)
        stream["gap_sum"] += gap
        stream["gap_sumsq"] += np.float64(gap) * np.float64(gap)
        stream["size_min"] = min(stream["size_min"], size)
        stream["size_max"] = max(stream["size_max"], size)
    stream["packets"] += 1
    stream["ip_bytes"] += size
    stream["payload_bytes"] += np.int64(segment["payload_len"])
    stream["size_sumsq"] += np.float64(size) * np.float64(size)
    stream["last_ts"] = ts
    stream["tcp_flags"] = np.uint8(stream["tcp_flags"] | segment["tcp_flags"])


@inline_kernel
def note(flow, letter, direction):
    """Add a letter to the flow's history, once per direction (Zeek's `history`)."""
    bit = np.int64(1) << (letter + direction)
    if np.int64(flow["history_seen"]) & bit != 0:
        return
    flow["history_seen"] = np.uint32(np.int64(flow["history_seen"]) | bit)
    code = np.uint64(letter + direction)
    length = np.int64(flow["history_len"])
    if length < 12:
        flow["history_low"] |= code << np.uint64(5 * length)
    else:
        flow["history_high"] |= code << np.uint64(5 * (length - 12))
    flow["history_len"] = length + 1
