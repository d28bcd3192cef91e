"""Lost bytes of HTTP/2: in: a gap; out: bodies that keep their length, or a side whose frames are looked for.

The one law: as long as a gap lies inside of one frame, nothing but that frame's payload is lost.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.feed import gap
from sensor.protocols.http1.tables import State
from sensor.protocols.http2.blocks import end_skipped
from sensor.protocols.http2.connections import drop_block, leave_http2, lose_side
from sensor.protocols.http2.endings import end_side, mark_slot
from sensor.protocols.http2.feed import end_data
from sensor.protocols.http2.slots import find_slot, finish_slot, flow_of
from sensor.protocols.http2.tables import (
    BlockState,
    Flag,
    FrameState,
    Kind,
)
from sensor.protocols.http2.tunnels import lose_through
from sensor.schema import Anomaly


@inline_kernel
def _lose_data(t, connection, stream_row, length, ts):
    """Lost bytes of a DATA frame's payload: the body keeps its length."""
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    slot, direction = np.int64(side["slot"]), stream_row & 1
    if slot >= 0:
        row = 2 * flow_of(t, slot) + direction
        stream = t.http_streams[row]
        if side["padding"] < 0:
            stream["unknown"] += length
            lose_through(t, t.h2.slots[slot], direction, -1)
            mark_slot(t, slot, Anomaly.REQUEST_GAP if t.http_flows[row >> 1]["client"] == direction else
                      Anomaly.RESPONSE_GAP)
        else:
            body = min(length, np.int64(side["left"]) - np.int64(side["padding"]))
            if body > 0 and stream["state"] == State.CLOSE:
                gap(t, row, body, 0, ts)
                lose_through(t, t.h2.slots[slot], direction, body)
                if stream["remaining"] >= body:
                    stream["remaining"] -= body
                else:
                    t.h2.slots[slot]["messages"][direction] = -1
    side["padding"] = max(np.int64(side["padding"]), 0)
    side["left"] -= length
    side["padding"] = min(np.int64(side["padding"]), np.int64(side["left"]))
    if side["left"] == 0:
        end_data(t, connection, stream_row, ts)


@inline_kernel
def _lose_collected(t, connection, stream_row, length, ts):
    """Lost bytes of a header block: the framing goes on, the table is not known."""
    side_row = 2 * connection + (stream_row & 1)
    side = t.h2.sides[side_row]
    direction = stream_row & 1
    over = side["flags"] & Flag.END_HEADERS != 0
    if side["kind"] != Kind.GOAWAY:
        drop_block(t, side_row, stream_row)
        slot = find_slot(t.h2, connection, np.int64(side["block_stream"]))
        client = np.int64(t.http_flows[stream_row >> 1]["client"])
        if direction == client:
            side["lost_from"] = min(np.int64(side["last"]), np.int64(side["block_stream"]) - 1)
            side["lost_to"] = side["block_stream"] + 1
        if slot >= 0:
            t.h2.slots[slot]["gap"] = t.h2.slots[slot]["gap"] | (1 << direction)
            mark_slot(t, slot, Anomaly.REQUEST_GAP if direction == client else Anomaly.RESPONSE_GAP)
            if side["block_flags"] & Flag.END_STREAM != 0 and t.h2.slots[slot]["ended"] & (1 << direction) == 0:
                if t.http_streams[2 * flow_of(t, slot) + direction]["state"] == State.CLOSE:
                    end_side(t, slot, direction, ts)
                elif direction != client:
                    finish_slot(t, slot)
    side["left"] -= length
    side["state"] = FrameState.SKIP
    if side["left"] == 0:
        side["state"] = FrameState.HEADER
        if side["kind"] != Kind.GOAWAY and over:
            side["block_state"] = BlockState.NONE


@part_kernel
def lose_bytes(t, stream_row, length, ts):
    """Bytes that nobody saw."""
    connection = np.int64(t.http_flows[stream_row >> 1]["http2"]) - 1
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    state = np.int64(side["state"])
    inside = min(length, np.int64(side["left"]))
    if inside > 0:
        if state == FrameState.DATA:
            _lose_data(t, connection, stream_row, inside, ts)
            length -= inside
        elif state == FrameState.COLLECT:
            _lose_collected(t, connection, stream_row, inside, ts)
            length -= inside
        elif state == FrameState.SKIP:
            side["left"] -= inside
            length -= inside
            if side["left"] == 0:
                end_skipped(t, connection, stream_row, ts)
    if length > 0:
        if t.h2.connections[connection]["tentative"] != 0:
            leave_http2(t, stream_row)
        else:
            lose_side(t, connection, stream_row, length)
