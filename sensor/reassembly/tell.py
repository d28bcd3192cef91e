"""Flows told of while they live: in: a flow that carries much, or little at a steady beat; out: copies of its rows.

The one law: a flow is told of by its own packets, at packet times that no batch moves.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.reassembly.tables import LIVE_BYTES, LIVE_ROWS, Scalar
from sensor.structures.beats import beats_of


@inline_kernel
def carried(stream):
    """Payload bytes that were sent for the first time."""
    return np.int64(stream["payload_bytes"]) - np.int64(stream["retransmitted_bytes"])


@part_kernel
def tell(t, row, ts):
    """Copy the rows of a flow that has carried enough since it was last told of, or twice as much when it has a beat;
    nothing while there is no room.
    """
    place = t.state[Scalar.TOLD]
    if place >= LIVE_ROWS:
        return
    flow = t.flows[row]
    flow["told_ts"] = ts
    first = carried(t.streams[2 * row])
    second = carried(t.streams[2 * row + 1])
    before = np.int64(t.streams[2 * row]["told_bytes"]) + np.int64(t.streams[2 * row + 1]["told_bytes"])
    since = first + second - before
    if since < LIVE_BYTES and (since < before or beats_of(t.streams[2 * row])[0] == 0.0):
        return
    t.told[place] = flow
    t.told[place]["end_now"] = t.state[Scalar.NOW]
    t.told_streams[2 * place] = t.streams[2 * row]
    t.told_streams[2 * place + 1] = t.streams[2 * row + 1]
    t.streams[2 * row]["told_bytes"] = first
    t.streams[2 * row + 1]["told_bytes"] = second
    t.state[Scalar.TOLD] = place + 1
