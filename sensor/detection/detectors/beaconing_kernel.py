"""Connections with a beat of their own: in: flows with their streams; out: which, and how they beat."""

import numpy as np

from sensor._jit import F64s, I64s, kernel
from sensor.schema import FLOW, STREAM, FlowFlag, Proto
from sensor.structures.beats import beats_of, carries_beats


@kernel
def find_beats(flows: FLOW, streams: STREAM, rows: I64s, beats: F64s, periods: F64s) -> int:
    """Rows of TCP flows whose originator sends at a steady beat, from their beginning on; returns how many."""
    found = 0
    for row in range(len(flows)):
        flow = flows[row]
        if flow["proto"] != Proto.TCP or flow["flags"] & FlowFlag.MIDSTREAM != 0:
            continue
        number, period = beats_of(streams[2 * row])
        if number > 0.0 and carries_beats(streams[2 * row], number):
            rows[found], beats[found], periods[found] = row, number, period
            found += 1
    return np.int64(found)
