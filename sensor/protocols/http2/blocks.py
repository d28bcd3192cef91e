"""Header blocks: in: HEADERS, PUSH_PROMISE, CONTINUATION (and GOAWAY) payloads; out: whole blocks, without padding.

A block that lies in one segment is read where it is; others are put together in the side's hold slot. The one law: a
block that is not read to its end makes the header table unknown, and is counted.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.holds import held_start, hold_bytes, release_hold
from sensor.protocols.http2.connections import drop_block
from sensor.protocols.http2.endings import refuse_streams, reset_stream
from sensor.protocols.http2.frames import (
    is_padded,
)
from sensor.protocols.http2.messages import take_block
from sensor.protocols.http2.tables import (
    CONTINUATIONS_MAX,
    BlockState,
    Flag,
    FrameState,
    Kind,
)
from sensor.schema import Anomaly

_PROMISE_BYTES = 4
_PRIORITY_BYTES = 5


@inline_kernel
def begin_block(t, side_row, stream_row, ts):
    """A HEADERS, PUSH_PROMISE or CONTINUATION frame (RFC 9113, 4.3)."""
    side = t.h2.sides[side_row]
    side["state"] = FrameState.COLLECT
    if side["kind"] == Kind.CONTINUATION:
        side["block_frames"] += 1
        if side["block_state"] == BlockState.NONE:
            drop_block(t, side_row, stream_row)  # the frame it continues was lost
        if side["block_state"] == BlockState.DROPPED:
            side["state"] = FrameState.SKIP
        return
    side["block_state"] = BlockState.OPEN
    side["block_kind"] = side["kind"]
    side["block_stream"] = side["stream"]
    side["block_flags"] = side["flags"]
    side["block_frames"] = 1
    side["block_start"] = 1 if is_padded(np.int64(side["flags"])) else 0
    if side["kind"] == Kind.PUSH_PROMISE:
        side["block_start"] += _PROMISE_BYTES
    elif side["flags"] & Flag.PRIORITY != 0:
        side["block_start"] += _PRIORITY_BYTES
    side["block_ts"] = ts
    release_hold(t, t.http_streams[stream_row])


@inline_kernel
def is_block(side):
    return side["kind"] == Kind.HEADERS or side["kind"] == Kind.PUSH_PROMISE or side["kind"] == Kind.CONTINUATION


@inline_kernel
def _strip(side, data, start, stop):
    """Where the header block's part lies in a HEADERS or PUSH_PROMISE payload: (start, stop), start -1 when nowhere."""
    flags = np.int64(side["flags"])
    if side["kind"] == Kind.CONTINUATION:
        return start, stop
    padding = 0
    if is_padded(flags):
        if start == stop:
            return -1, stop
        padding = at(data, start)
        start += 1
    if side["kind"] == Kind.PUSH_PROMISE:
        if start + _PROMISE_BYTES > stop:
            return -1, stop
        high = ((at(data, start) & 127) << 24) | (at(data, start + 1) << 16)
        side["block_stream"] = high | (at(data, start + 2) << 8) | at(data, start + 3)
        start += _PROMISE_BYTES
    elif flags & Flag.PRIORITY != 0:
        start += _PRIORITY_BYTES
    return (start, stop - padding) if start + padding <= stop else (-1, stop)


@part_kernel
def _take_collected(t, connection, stream_row, data, start, stop, ts, ack, odd):
    """A collected payload is whole: data[start:stop] is a header block, or what GOAWAY says."""
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    if side["kind"] == Kind.GOAWAY:
        if t.http_flows[stream_row >> 1]["client"] == 1 - (stream_row & 1) and stop - start >= 8:
            last = ((at(data, start) & 127) << 24) | (at(data, start + 1) << 16)
            refuse_streams(t, connection, last | (at(data, start + 2) << 8) | at(data, start + 3))
        return
    take_block(t, connection, stream_row, data, start, stop, ts, ack, odd)


@inline_kernel
def end_collected(t, connection, stream_row, ts, ack):
    """All of a frame is on hold: strip it, and go on when its header block goes on."""
    side_row = 2 * connection + (stream_row & 1)
    side, stream = t.h2.sides[side_row], t.http_streams[stream_row]
    side["state"] = FrameState.HEADER
    if stream["hold"] == 0:
        if side["kind"] != Kind.GOAWAY and side["flags"] & Flag.END_HEADERS != 0:
            side["block_state"] = BlockState.NONE
        return
    begin = held_start(stream)
    if side["kind"] == Kind.HEADERS or side["kind"] == Kind.PUSH_PROMISE:
        start, stop = _strip(side, t.work, begin, begin + np.int64(stream["hold_len"]))
        if start < 0:
            drop_block(t, side_row, stream_row)
            side["block_state"] = BlockState.NONE
            return
        side["block_start"] = start - begin
        stream["hold_len"] = stop - begin
    over = side["kind"] == Kind.GOAWAY or side["flags"] & Flag.END_HEADERS != 0
    flood = not over and side["block_frames"] >= CONTINUATIONS_MAX
    if not over and not flood:
        return
    if side["kind"] != Kind.GOAWAY:
        side["block_state"] = BlockState.NONE
    start = begin + np.int64(side["block_start"]) if side["kind"] != Kind.GOAWAY else begin
    odd = Anomaly.CONTINUATION_FLOOD if flood else 0
    _take_collected(t, connection, stream_row, t.work, start, begin + np.int64(stream["hold_len"]), ts, ack, odd)
    if t.http_flows[stream_row >> 1]["http2"] != 0:
        release_hold(t, t.http_streams[stream_row])
        if flood:
            drop_block(t, side_row, stream_row)


@inline_kernel
def collect(t, connection, stream_row, data, position, stop, ts, ack):
    """Payload that is needed as a whole: read where it lies if it is, else put together on hold."""
    side_row = 2 * connection + (stream_row & 1)
    side, stream = t.h2.sides[side_row], t.http_streams[stream_row]
    taken = min(np.int64(side["left"]), stop - position)
    side["left"] -= taken
    whole = side["left"] == 0 and stream["hold"] == 0 and side["kind"] != Kind.CONTINUATION
    if whole and (side["kind"] == Kind.GOAWAY or side["flags"] & Flag.END_HEADERS != 0):
        side["state"] = FrameState.HEADER
        start, end = position, position + taken
        if side["kind"] != Kind.GOAWAY:
            side["block_state"] = BlockState.NONE
            start, end = _strip(side, data, start, end)
        if start < 0:
            drop_block(t, side_row, stream_row)
            side["block_state"] = BlockState.NONE
        else:
            _take_collected(t, connection, stream_row, data, start, end, ts, ack, 0)
        return position + taken
    if hold_bytes(t, stream, data, position, taken) < taken:
        if side["kind"] != Kind.GOAWAY and stream["hold"] > 0:
            begin, size = held_start(stream), np.int64(stream["hold_len"])
            side["block_state"] = BlockState.DROPPED
            start = min(np.int64(side["block_start"]), size)
            _take_collected(
                t, connection, stream_row, t.work, begin + start, begin + size, ts, ack, Anomaly.HEAD_TOO_LARGE
            )
        drop_block(t, side_row, stream_row)
        side["state"] = FrameState.SKIP
        if side["left"] == 0:
            end_skipped(t, connection, stream_row, ts)
    elif side["left"] == 0:
        end_collected(t, connection, stream_row, ts, ack)
    return position + taken


@inline_kernel
def end_skipped(t, connection, stream_row, ts):
    """A payload nobody reads is over."""
    side = t.h2.sides[2 * connection + (stream_row & 1)]
    side["state"] = FrameState.HEADER
    if side["kind"] == Kind.RST_STREAM:
        reset_stream(t, connection, stream_row, np.int64(side["stream"]), ts)
    elif is_block(side) and side["flags"] & Flag.END_HEADERS != 0:
        side["block_state"] = BlockState.NONE
