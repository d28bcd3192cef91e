"""WebSocket frames (RFC 6455, 5): in: chunks in order of packet time; out: what each side sent, counted, and a notice
of each connection that ended.

Only flows that were handed over are looked at. The one law: what a side gives depends on its bytes alone, however they
were cut into segments; behind a loss frames are counted again only from where several of them fit together.
"""

import numpy as np

from sensor._jit import Bytes, at, inline_kernel, kernel, part_kernel
from sensor.protocols.websocket.tables import (
    FRAME_BYTES_MAX,
    NOTICES,
    Count,
    Fault,
    Opcode,
    Scalar,
    State,
    Tables,
)
from sensor.schema import CHUNK, ChunkKind, ChunkSource

_FIN, _COMPRESSED, _RESERVED = 0x80, 0x40, 0x30
_MASKED, _LENGTH = 0x80, 0x7F
_UNKNOWN = 2
_UNSEEN = 3


@inline_kernel
def _is_opcode(first):
    opcode = first & 0x0F
    return first & _RESERVED == 0 and (opcode <= Opcode.BINARY or Opcode.CLOSE <= opcode <= Opcode.PONG)


@inline_kernel
def _length_bytes(second):
    """Bytes of a length that does not fit in the second byte."""
    short = second & _LENGTH
    return 0 if short < 126 else (2 if short == 126 else 8)


@inline_kernel
def _is_shortest(second, length):
    return (second & _LENGTH != 126 or length >= 126) and (second & _LENGTH != 127 or length >= 65_536)


@inline_kernel
def lose_frames(t, side):
    """Where the next frame begins is not known any more. Of `t` here and below: `sides` and `counts`."""
    side["state"] = State.LOST
    side["faults"] = side["faults"] | Fault.LOSS
    side["have"] = 0
    side["left"] = 0
    t.counts[Count.LOSSES] += 1


@inline_kernel
def _note_close(side):
    """The close frame is over: is its code one that may be sent?"""
    code, seen = np.int64(side["close_code"]), side["close_seen"]
    defined = 1000 <= code <= 1014 and code != 1004 and code != 1005 and code != 1006
    if seen == 1 or (seen == 2 and not defined and not 3000 <= code <= 4999):
        side["faults"] = side["faults"] | Fault.CLOSE_INVALID


@inline_kernel
def _end_frame(side):
    first = np.int64(side["first"])
    opcode = first & 0x0F
    if opcode == Opcode.CLOSE:
        _note_close(side)
        side["closed"] = 1
    if opcode >= Opcode.CLOSE:
        return
    whole = side["open"] != _UNKNOWN or opcode != Opcode.CONTINUATION
    if first & _FIN == 0:
        side["open"] = 1 if whole else _UNKNOWN
        return
    if whole:
        side["messages"] += 1
        side["message_max"] = max(side["message_max"], side["message"])
    side["open"] = 0


@inline_kernel
def _judge_fragments(side, opcode):
    """Whether a data frame fits to the message before it (RFC 6455, 5.4)."""
    if opcode != Opcode.CONTINUATION:
        if side["open"] == 1:
            side["faults"] = side["faults"] | Fault.FRAGMENT_INVALID
        side["open"] = 0
        side["message"] = 0
    elif side["open"] == 0:
        side["faults"] = side["faults"] | Fault.FRAGMENT_INVALID
        side["message"] = 0


@inline_kernel
def _begin_frame(t, side):
    """The header is whole; False when it is none."""
    first, second, length = np.int64(side["first"]), np.int64(side["second"]), side["length"]
    opcode = first & 0x0F
    faults = np.int64(side["faults"])
    if not _is_opcode(first) or length >= FRAME_BYTES_MAX:
        side["faults"] = faults | (Fault.OPCODE_INVALID if length < FRAME_BYTES_MAX else Fault.LENGTH_INVALID)
        return False
    masked = second & _MASKED != 0
    if masked != (side["client"] != 0):
        faults |= Fault.MASKED if masked else Fault.UNMASKED
    if not _is_shortest(second, length):
        faults |= Fault.LENGTH_INVALID
    if side["closed"] != 0:
        faults |= Fault.AFTER_CLOSE
    control = opcode >= Opcode.CLOSE
    if control and (first & _FIN == 0 or length > 125):
        faults |= Fault.CONTROL_INVALID
    side["faults"] = faults
    side["frames"][opcode] += 1
    t.counts[Count.FRAMES] += 1
    side["left"] = length
    if control:
        side["control_bytes"] += length
        side["close_seen"] = 0 if opcode == Opcode.CLOSE and side["closed"] == 0 else _UNSEEN
    else:
        _judge_fragments(side, opcode)
        side["message"] += length
        side["bytes"] += length
        side["frame_max"] = max(side["frame_max"], length)
        if first & _COMPRESSED != 0:
            side["compressed"] = 1
    if length == 0:
        _end_frame(side)
    return True


@inline_kernel
def _header_byte(side, byte):
    """One more byte of a header; whether it is whole now."""
    have = side["have"]
    if have == 0:
        side["first"], side["length"], side["key"], side["need"] = byte, 0, 0, 2
    elif have == 1:
        side["second"] = byte
        extended = _length_bytes(byte)
        side["need"] = 2 + extended + (4 if byte & _MASKED != 0 else 0)
        if extended == 0:
            side["length"] = byte & _LENGTH
    elif have < 2 + _length_bytes(np.int64(side["second"])):
        side["length"] = min(side["length"] << 8 | byte, FRAME_BYTES_MAX << 8)
    else:
        side["key"] = (np.int64(side["key"]) << 8 | byte) & 0xFFFFFFFF
    side["have"] += 1
    return side["have"] == side["need"]


@inline_kernel
def _payload(side, buffer, position, length):
    """Bytes of the present frame's payload: of a close the first two are its code."""
    done = side["length"] - side["left"]
    if side["first"] & 0x0F == Opcode.CLOSE:
        i = 0
        while side["close_seen"] < 2 and i < length:
            mask = (np.int64(side["key"]) >> (24 - 8 * ((done + i) & 3))) & 0xFF
            side["close_code"] = np.int64(side["close_code"]) << 8 | (at(buffer, position + i) ^ mask)
            side["close_seen"] += 1
            i += 1
    side["left"] -= length
    if side["left"] == 0:
        _end_frame(side)


@inline_kernel
def _fits(side, first, second):
    """Whether two bytes can begin a frame of this side, of an opcode and length as real ones have."""
    if not _is_opcode(first) or (first & _COMPRESSED != 0 and side["compressed"] == 0):
        return False
    if (second & _MASKED != 0) != (side["client"] != 0):
        return False
    return first & 0x0F < Opcode.CLOSE or (first & _FIN != 0 and second & _LENGTH <= 125)


@part_kernel
def _begins_with_frames(side, buffer, position, stop):
    """Whether frames follow each other from `position` on, the last to the very end; or two and the start of a third,
    or one so long that its length takes eight bytes. Empty frames and messages inside each other do not count, as
    constant bytes look like them.
    """
    frames, inside = 0, _UNKNOWN
    while position + 2 <= stop:
        first, second = at(buffer, position), at(buffer, position + 1)
        extended = _length_bytes(second)
        if not _fits(side, first, second):
            return False
        if position + 2 + extended > stop:
            break
        length = 0
        for i in range(extended):
            length = min(length << 8 | at(buffer, position + 2 + i), FRAME_BYTES_MAX)
        if extended == 0:
            length = second & _LENGTH
        if length >= FRAME_BYTES_MAX or not _is_shortest(second, length):
            return False
        if first & 0x0F < Opcode.CLOSE:
            continues = 1 if first & 0x0F == Opcode.CONTINUATION else 0
            if length == 0 or (inside != _UNKNOWN and continues != inside):
                return False
            inside = 1 if first & _FIN == 0 else 0
        frames += 1
        position += 2 + extended + (4 if second & _MASKED != 0 else 0) + length
        if position > stop and extended == 8:
            return True
    return (position == stop and frames > 0) or frames >= 2


@part_kernel
def walk_frames(t, side_row, buffer, position, stop):
    """Go through the bytes [position:stop] of a side, which begin where a segment does."""
    side = t.sides[side_row]
    if side["state"] == State.LOST:
        if not _begins_with_frames(side, buffer, position, stop):
            side["missing"] += stop - position
            return
        side["state"] = State.FRAMES
        side["open"] = _UNKNOWN
        side["message"] = 0
        t.counts[Count.RESYNCHRONISED] += 1
    while position < stop:
        if side["left"] > 0:
            length = min(side["left"], stop - position)
            _payload(side, buffer, position, length)
            position += length
        elif _header_byte(side, at(buffer, position)):
            side["have"] = 0
            if not _begin_frame(t, side):
                lose_frames(t, side)
                side["missing"] += stop - position
                return
            position += 1
        else:
            position += 1


@inline_kernel
def skip_frames(t, side, length):
    """Bytes that nobody saw: harmless inside a payload."""
    side["missing"] += length
    if side["state"] == State.FRAMES and side["left"] >= length:
        if side["close_seen"] < 2:
            side["close_seen"], side["close_code"] = _UNSEEN, 0
        side["left"] -= length
        if side["left"] == 0:
            _end_frame(side)
    elif side["state"] != State.LOST:
        lose_frames(t, side)


@inline_kernel
def end_frames(side):
    """Nothing more comes from this side."""
    if side["state"] == State.FRAMES and (side["left"] > 0 or side["have"] > 0):
        side["faults"] = side["faults"] | Fault.UNFINISHED


@inline_kernel
def _end(t, flow_row, connection, now):
    for side_row in (2 * connection, 2 * connection + 1):
        end_frames(t.sides[side_row])
    notice = t.notices[t.numbers[Scalar.NOTICES]]
    notice["now"], notice["flow"], notice["connection"] = now, flow_row, connection
    t.numbers[Scalar.NOTICES] += 1
    t.slots[flow_row] = 0


@kernel
def read_frames(t: Tables, data: Bytes, datagrams: Bytes, pages: Bytes, chunks: CHUNK, start: int, stop: int) -> int:
    """Work on chunks[start:stop]; returns the row to go on from, `stop` when done. Notices are good until then."""
    t.numbers[Scalar.NOTICES] = 0
    for i in range(start, stop):
        chunk = chunks[i]
        stream_row = np.int64(chunk["stream"])
        connection = np.int64(t.slots[stream_row >> 1]) - 1
        if connection < 0:
            continue
        if t.numbers[Scalar.NOTICES] == NOTICES:
            return i
        t.numbers[Scalar.CURSOR] = i
        side_row = 2 * connection + (stream_row & 1)
        side = t.sides[side_row]
        offset, length, kind = chunk["offset"], chunk["length"], chunk["kind"]
        if kind == ChunkKind.END:
            _end(t, stream_row >> 1, connection, chunk["now"])
            continue
        if kind > ChunkKind.GAP:
            continue
        if side["state"] == State.WAITS:
            before = side["begins"] - chunk["seq"]
            if before >= length:
                continue
            if before > 0:
                offset, length = offset + before, length - before
            side["state"] = State.FRAMES
        if kind == ChunkKind.GAP:
            skip_frames(t, side, length)
            continue
        buffer = data
        if chunk["source"] != ChunkSource.BLOCK:
            buffer = pages if chunk["source"] == ChunkSource.PAGES else datagrams
        walk_frames(t, side_row, buffer, offset, offset + length)
    return stop
