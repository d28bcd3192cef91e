"""HTTP/2 connections: in: a flow that speaks HTTP/2; out: its row, taken, given back, or told that bytes were lost.

The one law: behind a loss nothing is assumed. The framing is looked for, the header table is not known, and what the
open streams may have lost bounds their lengths.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.body import stop_reading
from sensor.protocols.http1.holds import release_hold
from sensor.protocols.http1.messages import end_message, mark, set_client
from sensor.protocols.http1.pairing import finish_row
from sensor.protocols.http1.tables import Count, Handover, State
from sensor.protocols.http2.hpack import forget_entries, reset_table
from sensor.protocols.http2.slots import finish_slot, flow_of, open_slot
from sensor.protocols.http2.tables import (
    CONNECTION_STACK,
    PREFACE_BYTES,
    BlockState,
    FrameState,
    Part,
)
from sensor.protocols.http2.tunnels import lose_through
from sensor.schema import Anomaly

_HIGHEST = (1 << 31) - 1


@inline_kernel
def _open_side(t, side_row, state, lost):
    h = t.h2
    side = h.sides[side_row]
    side["state"] = state
    side["have"] = 0
    side["left"] = 0
    side["slot"] = -1
    side["lost_bytes"] = 0
    side["block_state"] = BlockState.NONE
    side["last"] = 0
    side["lost_from"] = 0
    side["lost_to"] = _HIGHEST if lost else 0
    reset_table(h, side_row, 1 if lost else 0)


@part_kernel
def open_connection(t, stream_row, how):
    """Take a row for the flow, which from here on speaks HTTP/2 (`how`: Handover); False when there is none."""
    h = t.h2
    flow_row = stream_row >> 1
    direction = stream_row & 1
    opposite = t.http_streams[stream_row ^ 1]
    unseen = opposite["delivered"] == 0 or opposite["state"] == State.INNER
    for side in range(2):
        t.http_streams[2 * flow_row + side]["state"] = State.OPAQUE
    if h.parts[Part.CONNECTIONS_FREE] == 0:
        t.numbers[Count.HTTP2_CONNECTIONS_EXHAUSTED] += 1
        return False
    h.parts[Part.CONNECTIONS_FREE] -= 1
    connection = np.int64(h.free[CONNECTION_STACK + h.parts[Part.CONNECTIONS_FREE]])
    owner = h.connections[connection]
    owner["flow"] = flow_row
    owner["oldest"] = -1
    owner["newest"] = -1
    owner["streams"] = 0
    owner["orphans"] = 0
    owner["resets"] = 0
    owner["reset_ts"] = 0
    owner["tentative"] = 1 if how == Handover.SETTINGS else 0
    t.http_flows[flow_row]["http2"] = connection + 1
    t.numbers[Count.HTTP2_CONNECTIONS] += 1
    if how == Handover.FRAMES:
        _open_side(t, 2 * connection + direction, FrameState.HEADER, True)
        _open_side(t, 2 * connection + 1 - direction, FrameState.LOST, True)
        return True
    asks = how == Handover.PREFACE
    _open_side(t, 2 * connection + direction, FrameState.PREFACE if asks else FrameState.START, False)
    if asks:
        set_client(t, stream_row)
        state = FrameState.START if unseen else FrameState.LOST
        _open_side(t, 2 * connection + 1 - direction, state, not unseen)
        side = h.sides[2 * connection + direction]
    else:
        _open_side(t, 2 * connection + 1 - direction, FrameState.PREFACE, False)
        side = h.sides[2 * connection + 1 - direction]
    side["left"] = PREFACE_BYTES
    return True


@part_kernel
def adopt_upgraded(t, flow_row, message, ts):
    """The request that asked to go on in HTTP/2 is stream 1, and over (RFC 7540, 3.2)."""
    connection = np.int64(t.http_flows[flow_row]["http2"]) - 1
    client = np.int64(t.http_flows[flow_row]["client"])
    if t.http_streams[2 * flow_row + client]["message"] == message:
        end_message(t, 2 * flow_row + client, ts)
        t.http_streams[2 * flow_row + client]["state"] = State.OPAQUE
    slot = open_slot(t, connection, 1) if connection >= 0 else -1
    if slot < 0:
        finish_row(t, message)
        return
    row = flow_of(t, slot)
    flow, link = t.http_flows[row], t.links[message]
    flow["first"] = message
    flow["last"] = message
    flow["queued"] = 1
    link["next"] = -1
    link["ack"] = -1
    link["broken"] = 0
    t.http_streams[2 * row + client]["delivered"] = 1
    t.h2.slots[slot]["ended"] = 1 << client
    t.h2.sides[2 * connection + client]["last"] = 1
    t.open[message]["version"] = 20


@part_kernel
def finish_streams(t, connection):
    """The connection is over: hand out whatever is open."""
    owner = t.h2.connections[connection]
    while owner["oldest"] >= 0:
        finish_slot(t, np.int64(owner["oldest"]))


@part_kernel
def close_connection(t, flow_row):
    """Give the flow's row back."""
    h = t.h2
    connection = np.int64(t.http_flows[flow_row]["http2"]) - 1
    finish_streams(t, connection)
    reset_table(h, 2 * connection, 0)
    reset_table(h, 2 * connection + 1, 0)
    h.free[CONNECTION_STACK + h.parts[Part.CONNECTIONS_FREE]] = connection
    h.parts[Part.CONNECTIONS_FREE] += 1
    t.http_flows[flow_row]["http2"] = 0


@part_kernel
def leave_http2(t, stream_row):
    """It was not HTTP/2 after all, or the server does not speak it: go on as if HTTP/1 had to be found."""
    close_connection(t, stream_row >> 1)
    for row in (stream_row, stream_row ^ 1):
        t.http_streams[row]["state"] = State.SYNC
        release_hold(t, t.http_streams[row])


@part_kernel
def drop_block(t, side_row, stream_row):
    """A part of a header block is not there: what it does to the table is not known."""
    side = t.h2.sides[side_row]
    forget_entries(side)
    release_hold(t, t.http_streams[stream_row])
    side["block_state"] = BlockState.DROPPED
    t.numbers[Count.HTTP2_BLOCKS_LOST] += 1


@part_kernel
def lose_side(t, connection, stream_row, length):
    """`length` bytes are lost of which it is not known what they were."""
    h = t.h2
    direction = stream_row & 1
    side = h.sides[2 * connection + direction]
    side["lost_bytes"] += length
    if side["state"] == FrameState.LOST:
        return
    t.numbers[Count.HTTP2_LOSSES] += 1
    drop_block(t, 2 * connection + direction, stream_row)
    side["block_state"] = BlockState.NONE
    side["state"] = FrameState.LOST
    side["have"] = 0
    side["left"] = 0
    side["slot"] = -1
    side["lost_from"] = side["last"]
    side["lost_to"] = _HIGHEST
    slot = np.int64(h.connections[connection]["oldest"])
    while slot >= 0:
        record = h.slots[slot]
        row = 2 * flow_of(t, slot) + direction
        record["gap"] = record["gap"] | (1 << direction)
        record["messages"][direction] = -1
        mark(t, row, Anomaly.REQUEST_GAP, Anomaly.RESPONSE_GAP)
        stop_reading(t, row)
        lose_through(t, record, direction, -1)
        slot = np.int64(record["newer"])


@part_kernel
def find_side(t, connection, direction):
    """A frame header was found again: what was lost since may have been of any stream that was open then."""
    h = t.h2
    side = h.sides[2 * connection + direction]
    slot = np.int64(h.connections[connection]["oldest"])
    while slot >= 0:
        stream = t.http_streams[2 * flow_of(t, slot) + direction]
        if stream["message"] >= 0:
            stream["unknown"] += side["lost_bytes"]
        slot = np.int64(h.slots[slot]["newer"])
    side["lost_bytes"] = 0
    side["state"] = FrameState.HEADER
    t.numbers[Count.RESYNCHRONISED] += 1

