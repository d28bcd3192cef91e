"""The loop of HTTP/2: in: bytes of one side in order; out: frames, given to the streams they belong to.

The one law: what a side's bytes mean does not depend on how they were cut into segments; and a loss inside a frame
whose header was seen costs nothing but the bytes themselves.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.holds import release_hold
from sensor.protocols.http1.tables import Count
from sensor.protocols.http2.blocks import begin_block, collect, end_collected, end_skipped
from sensor.protocols.http2.bodies import take_body
from sensor.protocols.http2.connections import drop_block, find_side, leave_http2, lose_side
from sensor.protocols.http2.endings import end_side
from sensor.protocols.http2.frames import (
    frame_fits,
    frame_shape,
    frame_stream,
    frames_go_on,
    is_padded,
    preface_byte,
)
from sensor.protocols.http2.slots import find_slot, give_up_orphans
from sensor.protocols.http2.tables import (
    FRAME_HEADER_BYTES,
    PREFACE_BYTES,
    BlockState,
    Flag,
    FrameState,
    Kind,
)

_NEW_STREAMS = 256
_HTTP = 0x4854


@inline_kernel
def _frame_header(side, data, position, stop):
    """Take bytes of a frame header; returns the position behind them. The header is whole when `have` is 9."""
    while side["have"] < FRAME_HEADER_BYTES - 1 and position < stop:
        side["head"] = (side["head"] << 8) | at(data, position)
        side["have"] += 1
        position += 1
    if position < stop:
        head = side["head"]
        side["left"] = (head >> 40) & 0xFFFFFF
        side["kind"] = (head >> 32) & 255
        side["flags"] = (head >> 24) & 255
        side["stream"] = ((head & 0x7FFFFF) << 8) | at(data, position)
        side["have"] = FRAME_HEADER_BYTES
        position += 1
    return position


@part_kernel
def _begin_frame(t, connection, stream_row, ts):
    """A frame header is whole: see what its payload is for."""
    h = t.h2
    side_row = 2 * connection + (stream_row & 1)
    side = h.sides[side_row]
    kind, stream, left = np.int64(side["kind"]), np.int64(side["stream"]), np.int64(side["left"])
    first = side["state"] == FrameState.START
    side["have"] = 0
    if first and (kind != Kind.SETTINGS or not frame_fits(left, kind, stream)):
        plain = (side["head"] >> 48) & 0xFFFF == _HTTP
        if h.connections[connection]["tentative"] != 0 or plain:
            leave_http2(t, stream_row)
        else:
            lose_side(t, connection, stream_row, FRAME_HEADER_BYTES)
        return
    if first:
        h.connections[connection]["tentative"] = 0
    if not frame_fits(left, kind, stream):
        t.numbers[Count.HTTP2_FRAMES_INVALID] += 1
        lose_side(t, connection, stream_row, FRAME_HEADER_BYTES)
        return
    block = np.int64(side["block_state"])
    if block != BlockState.NONE and (kind != Kind.CONTINUATION or stream != side["block_stream"]):
        if block == BlockState.OPEN:
            drop_block(t, side_row, stream_row)  # nothing may come between (RFC 9113, 6.10)
        side["block_state"] = BlockState.NONE
    if kind == Kind.DATA:
        side["state"] = FrameState.DATA
        side["padding"] = -1 if is_padded(np.int64(side["flags"])) and left > 0 else 0
        side["slot"] = find_slot(h, connection, stream)
    elif kind == Kind.HEADERS or kind == Kind.PUSH_PROMISE or kind == Kind.CONTINUATION:
        begin_block(t, side_row, stream_row, ts)
    elif kind == Kind.GOAWAY:
        side["state"] = FrameState.COLLECT
        release_hold(t, t.http_streams[stream_row])
    else:
        side["state"] = FrameState.SKIP


@part_kernel
def end_data(t, connection, stream_row, ts):
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    side["state"] = FrameState.HEADER
    slot = np.int64(side["slot"])
    side["slot"] = -1
    direction = stream_row & 1
    over = slot >= 0 and side["flags"] & Flag.END_STREAM != 0
    if over and t.h2.slots[slot]["ended"] & (1 << direction) == 0:
        end_side(t, slot, direction, ts)


@inline_kernel
def _data(t, connection, stream_row, data, position, stop, ts):
    """Payload of a DATA frame; returns the position behind what was used."""
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    if side["padding"] < 0:
        side["padding"] = min(at(data, position), side["left"] - 1)
        side["left"] -= 1
        position += 1
    taken = min(np.int64(side["left"]), stop - position)
    body = min(taken, np.int64(side["left"]) - np.int64(side["padding"]))
    if body > 0 and side["slot"] >= 0:
        take_body(t, np.int64(side["slot"]), stream_row & 1, data, position, position + body)
    side["left"] -= taken
    if side["left"] == 0:
        end_data(t, connection, stream_row, ts)
    return position + taken


@inline_kernel
def _is_known_stream(t, connection, stream_row, stream, kind):
    """Whether a frame of this kind could come on this stream now."""
    h = t.h2
    if stream == 0 or find_slot(h, connection, stream) >= 0:
        return True
    client = np.int64(t.http_flows[stream_row >> 1]["client"])
    last = np.int64(h.sides[2 * connection + (client if client >= 0 else 0)]["last"])
    if kind == Kind.DATA or client < 0 or stream & 1 == 0:
        return False
    return stream <= last or last == 0 or (stream - last <= _NEW_STREAMS and kind == Kind.HEADERS)


@inline_kernel
def _resync(t, connection, stream_row, data, position, stop):
    """Look for a frame header of this connection behind a loss; returns where it begins, or `stop`."""
    for i in range(position, stop - FRAME_HEADER_BYTES + 1):
        if at(data, i) != 0:
            continue
        length = frame_shape(data, i)
        if length < 0 or not _is_known_stream(t, connection, stream_row, frame_stream(data, i), at(data, i + 3)):
            continue
        if frames_go_on(data, i + FRAME_HEADER_BYTES + length, stop):
            lose_side(t, connection, stream_row, i - position)
            find_side(t, connection, stream_row & 1)
            return i
    lose_side(t, connection, stream_row, stop - position)
    return stop


@inline_kernel
def _preface(t, connection, stream_row, data, position, stop):
    """Bytes of the connection preface (RFC 9113, 3.4)."""
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    while position < stop and side["left"] > 0:
        if at(data, position) != preface_byte(PREFACE_BYTES - np.int64(side["left"])):
            if t.h2.connections[connection]["tentative"] != 0:
                leave_http2(t, stream_row)
            else:
                lose_side(t, connection, stream_row, 0)
            return position
        position += 1
        side["left"] -= 1
    if side["left"] == 0:
        side["state"] = FrameState.HEADER
    return position


@part_kernel
def read_frames(t, stream_row, data, position, stop, ack, ts):
    """Bytes in order: work through every frame they touch."""
    flow = t.http_flows[stream_row >> 1]
    connection = np.int64(flow["http2"]) - 1
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    while position < stop and flow["http2"] != 0:
        state = np.int64(side["state"])
        if state == FrameState.DATA:
            position = _data(t, connection, stream_row, data, position, stop, ts)
        elif state == FrameState.HEADER or state == FrameState.START:
            position = _frame_header(side, data, position, stop)
            if side["have"] == FRAME_HEADER_BYTES:
                _begin_frame(t, connection, stream_row, ts)
                if side["left"] == 0 and flow["http2"] != 0:
                    if side["state"] == FrameState.COLLECT:
                        end_collected(t, connection, stream_row, ts, ack)
                    elif side["state"] == FrameState.DATA:
                        end_data(t, connection, stream_row, ts)
                    elif side["state"] == FrameState.SKIP:
                        end_skipped(t, connection, stream_row, ts)
        elif state == FrameState.COLLECT:
            position = collect(t, connection, stream_row, data, position, stop, ts, ack)
        elif state == FrameState.SKIP:
            taken = min(np.int64(side["left"]), stop - position)
            side["left"] -= taken
            position += taken
            if side["left"] == 0:
                end_skipped(t, connection, stream_row, ts)
        elif state == FrameState.PREFACE:
            position = _preface(t, connection, stream_row, data, position, stop)
        else:
            position = _resync(t, connection, stream_row, data, position, stop)
    if flow["http2"] != 0 and t.h2.connections[connection]["orphans"] > 0:
        client = np.int64(flow["client"])
        give_up_orphans(t, connection, t.http_streams[2 * (stream_row >> 1) + client]["delivered"])
