"""TLS records: in: chunks in order of packet time; out: notices of handshakes that are over and of connections that
ended.

A side whose first bytes are not those of a hello costs one look at its state from then on. The one law: what a side
gives depends on its bytes alone, however they were cut into segments.
"""

import numpy as np

from sensor._jit import Bytes, at, inline_kernel, kernel, part_kernel
from sensor.protocols.http1.proxies import proxy_header_end
from sensor.protocols.tls.tables import (
    NOTICES,
    RECORD_BYTES_MAX,
    SLOT_BYTES,
    SLOTS,
    Count,
    NoticeKind,
    Scalar,
    SideFlag,
    State,
    Tables,
)
from sensor.schema import CHUNK, ChunkKind, ChunkSource, Proto, Service
from sensor.structures.bytesearch import copy_bytes
from sensor.structures.uid import flow_uid

CHANGE, ALERT, HANDSHAKE, APPLICATION, HEARTBEAT = 20, 21, 22, 23, 24
HEADER_BYTES = 5
LONG_HEADER = 0x80


@inline_kernel
def _say_handshake(t, stream_row, now):
    """The visible handshake of this side is over: hand out what was kept of it."""
    side = t.sides[stream_row]
    t.states[stream_row] = State.RECORDS
    if side["slot"] == 0:
        return
    slot = np.int64(side["slot"]) - 1
    if side["kept"] == 0:
        t.owners[slot] = 0
        side["slot"] = 0
        return
    notice = t.notices[t.numbers[Scalar.NOTICES]]
    notice["kind"], notice["stream"] = NoticeKind.HANDSHAKE, stream_row
    notice["slot"], notice["length"], notice["now"] = slot, side["kept"], now
    t.numbers[Scalar.NOTICES] += 1
    t.owners[slot] = -1
    side["slot"] = 0


@inline_kernel
def _take_slot(t, stream_row):
    """A slot for this side: the next in turn, whose owner, if it has one, gives way."""
    slot = t.numbers[Scalar.NEXT_SLOT]
    while t.owners[slot] < 0:
        slot = (slot + 1) % SLOTS
    owner = np.int64(t.owners[slot]) - 1
    if owner >= 0 and t.sides[owner]["slot"] == slot + 1:
        t.sides[owner]["slot"] = 0
        t.states[owner] = State.RECORDS
        t.counts[Count.HANDSHAKES_EVICTED] += 1
    t.owners[slot] = stream_row + 1
    t.sides[stream_row]["slot"] = slot + 1
    t.numbers[Scalar.NEXT_SLOT] = (slot + 1) % SLOTS


@inline_kernel
def _leave(t, stream_row):
    """What comes is no record: not TLS, or no longer to be followed."""
    side = t.sides[stream_row]
    if side["flags"] & SideFlag.TLS == 0:
        t.states[stream_row] = State.OTHER
    else:
        side["flags"] |= SideFlag.LOSS
        t.states[stream_row] = State.LOST


@inline_kernel
def _measure(side, length, ts):
    """A record of application data begins."""
    if side["sealed_records"] == 0:
        side["size_min"] = length
    else:
        gap = ts - side["sealed_ts"]
        side["gap_min"] = gap if side["sealed_records"] == 1 else min(side["gap_min"], gap)
        side["gap_max"] = max(side["gap_max"], gap)
        side["gaps_sum"] += gap
        side["gaps_sumsq"] += np.float64(gap) * np.float64(gap)
    side["sealed_ts"] = ts
    side["sealed_records"] += 1
    side["sealed_bytes"] += length
    side["size_min"] = min(np.int64(side["size_min"]), length)
    side["size_max"] = max(np.int64(side["size_max"]), length)
    side["sizes_sumsq"] += np.float64(length) * np.float64(length)


@inline_kernel
def _end_of_header(t, stream_row, ts, now):
    """The five bytes are there; False when they are no header of a record."""
    side = t.sides[stream_row]
    kind, length = side["kind"], np.int64(side["length"])
    begun = side["flags"] & SideFlag.TLS != 0
    if kind < CHANGE or kind > HEARTBEAT or length > RECORD_BYTES_MAX:
        return False
    if not begun and (kind != HANDSHAKE or length == 0):
        return False
    side["left"] = length
    if t.states[stream_row] == State.HANDSHAKE and kind != HANDSHAKE and kind != ALERT:
        _say_handshake(t, stream_row, now)
    if kind == CHANGE:
        side["flags"] |= SideFlag.CHANGED
    elif kind == APPLICATION:
        _measure(side, length, ts)
    if kind == APPLICATION or (kind == HANDSHAKE and side["flags"] & SideFlag.CHANGED != 0):
        side["flags"] |= SideFlag.SEALED
    return True


@inline_kernel
def _keep(t, stream_row, buffer, start, length, now):
    """Add handshake bytes to the side's slot; False when the first of them begins no hello."""
    side = t.sides[stream_row]
    if side["flags"] & SideFlag.TLS == 0:
        first = at(buffer, start)
        if first != 1 and first != 2:
            return False
        side["flags"] |= SideFlag.TLS
        flow = t.flows[stream_row >> 1]
        if flow["service"] != Service.HTTP:
            flow["service"] = Service.SSL
        _take_slot(t, stream_row)
    room = min(length, SLOT_BYTES - np.int64(side["kept"]))
    if side["slot"] != 0:
        place = (np.int64(side["slot"]) - 1) * SLOT_BYTES + side["kept"]
        copy_bytes(buffer, start, room, t.slots, place)
        side["kept"] += room
        if side["kept"] == SLOT_BYTES:
            _say_handshake(t, stream_row, now)
    return True


@part_kernel
def _walk(t, stream_row, buffer, position, stop, ts, now):
    """Go through the bytes [position:stop] of a side."""
    side = t.sides[stream_row]
    while position < stop:
        if side["left"] > 0:
            length = min(np.int64(side["left"]), stop - position)
            if side["kind"] == ALERT and side["length"] == 2 and side["flags"] & SideFlag.CHANGED == 0:
                side["alert"] = at(buffer, position + length - 1)
            if (
                side["kind"] == HANDSHAKE
                and t.states[stream_row] == State.HANDSHAKE
                and not _keep(t, stream_row, buffer, position, length, now)
            ):
                _leave(t, stream_row)
                return
            side["left"] -= length
            position += length
            continue
        byte = at(buffer, position)
        position += 1
        if side["header"] == 0:
            side["kind"] = byte
        elif (side["header"] == 1 and byte != 3) or (side["header"] == 2 and byte > 4):
            _leave(t, stream_row)
            return
        elif side["header"] == 3:
            side["length"] = byte << 8
        elif side["header"] == 4:
            side["length"] = np.int64(side["length"]) | byte
        side["header"] += 1
        if side["header"] == HEADER_BYTES:
            side["header"] = 0
            if not _end_of_header(t, stream_row, ts, now):
                _leave(t, stream_row)
                return


@inline_kernel
def _skip(t, stream_row, length, now):
    """Bytes that nobody saw: harmless inside an encrypted record."""
    side = t.sides[stream_row]
    if t.states[stream_row] == State.HANDSHAKE:
        _say_handshake(t, stream_row, now)
        side = t.sides[stream_row]
    if side["left"] >= length:
        side["left"] -= length
    else:
        _leave(t, stream_row)


@inline_kernel
def _end(t, flow_row, now):
    """The connection has ended: say its figures, and forget it."""
    if (t.sides[2 * flow_row]["flags"] | t.sides[2 * flow_row + 1]["flags"]) & SideFlag.TLS != 0:
        row = t.numbers[Scalar.NOTICES]
        notice = t.notices[row]
        notice["kind"], notice["stream"], notice["now"] = NoticeKind.END, 2 * flow_row, now
        notice["uid_hi"], notice["uid_lo"] = flow_uid(t.flows[flow_row])
        t.ended[2 * row] = t.sides[2 * flow_row]
        t.ended[2 * row + 1] = t.sides[2 * flow_row + 1]
        t.numbers[Scalar.NOTICES] += 1
        t.sides[2 * flow_row]["flags"] = t.sides[2 * flow_row + 1]["flags"] = 0
    t.states[2 * flow_row] = t.states[2 * flow_row + 1] = State.NEW


@inline_kernel
def _begin(t, stream_row, ts):
    side = t.sides[stream_row]
    side["ts"], side["sealed_bytes"], side["sealed_records"] = ts, 0, 0
    side["sealed_ts"] = side["gap_min"] = side["gap_max"] = side["gaps_sum"] = 0
    side["sizes_sumsq"] = side["gaps_sumsq"] = 0.0
    side["left"] = side["slot"] = side["kept"] = side["length"] = side["size_min"] = side["size_max"] = 0
    side["alert"] = -1
    side["header"] = side["kind"] = side["flags"] = 0


@inline_kernel
def _recognise(t, stream_row, first, ts):
    """The state of a side whose first byte is `first`."""
    if t.flows[stream_row >> 1]["proto"] == Proto.UDP:
        if t.flows[stream_row >> 1]["service"] == Service.QUIC and first < LONG_HEADER:
            return State.OTHER + 0
        _begin(t, stream_row, ts)
        t.sides[stream_row]["flags"] = SideFlag.TLS
        return State.DATAGRAMS + 0
    if first == HANDSHAKE:
        _begin(t, stream_row, ts)
        return State.HANDSHAKE + 0
    if first == ALERT and t.sides[stream_row ^ 1]["flags"] & SideFlag.TLS != 0:  # a hello is refused, or warned of
        _begin(t, stream_row, ts)
        t.sides[stream_row]["flags"] = SideFlag.TLS
        _take_slot(t, stream_row)
        return State.HANDSHAKE + 0
    return State.OTHER + 0


@inline_kernel
def _say_datagram(t, stream_row, row, now):
    notice = t.notices[t.numbers[Scalar.NOTICES]]
    notice["kind"], notice["stream"], notice["slot"], notice["now"] = NoticeKind.DATAGRAM, stream_row, row, now
    t.numbers[Scalar.NOTICES] += 1


@kernel
def read_records(t: Tables, data: Bytes, datagrams: Bytes, pages: Bytes, chunks: CHUNK, start: int, stop: int) -> int:
    """Work on chunks[start:stop]; returns the row to go on from, `stop` when done. Notices are good until then."""
    t.numbers[Scalar.NOTICES] = 0
    for i in range(start, stop):
        chunk = chunks[i]
        stream_row = np.int64(chunk["stream"])
        state = t.states[stream_row]
        kind = chunk["kind"]
        if state == State.OTHER and kind != ChunkKind.END:
            continue
        if t.numbers[Scalar.NOTICES] + 2 > NOTICES:
            return i
        t.numbers[Scalar.CURSOR] = i
        if kind == ChunkKind.END:
            _end(t, stream_row >> 1, chunk["now"])
            continue
        if state == State.LOST:
            continue
        length = chunk["length"]
        offset = chunk["offset"]
        if state == State.WAITS:
            before = t.sides[stream_row]["waits_for"] - chunk["seq"]
            if before >= length and kind != ChunkKind.STOP:
                continue
            state = np.uint8(State.NEW)
            t.states[stream_row] = state
            if before > 0:
                offset, length = offset + before, length - before
        if kind == ChunkKind.DATA:
            left = np.int64(t.sides[stream_row]["left"])
            if state == State.RECORDS and length <= left and t.sides[stream_row]["kind"] == APPLICATION:
                t.sides[stream_row]["left"] = left - length
                continue
            buffer = data
            if chunk["source"] != ChunkSource.BLOCK:
                buffer = pages if chunk["source"] == ChunkSource.PAGES else datagrams
            if state == State.NEW:
                if t.flows[stream_row >> 1]["service"] >= Service.MAYBE_DNS:
                    continue
                behind = proxy_header_end(buffer, offset, offset + length)
                offset, length = behind, offset + length - behind
                if length == 0:
                    continue
                state = _recognise(t, stream_row, at(buffer, offset), chunk["ts"])
                t.states[stream_row] = state
            if state == State.DATAGRAMS:
                _say_datagram(t, stream_row, i, chunk["now"])
            if state == State.DATAGRAMS or state == State.OTHER:
                continue
            _walk(t, stream_row, buffer, offset, offset + length, chunk["ts"], chunk["now"])
        elif state == State.NEW:
            t.states[stream_row] = State.OTHER
        elif kind == ChunkKind.GAP:
            _skip(t, stream_row, length, chunk["now"])
        elif state == State.HANDSHAKE:
            _say_handshake(t, stream_row, chunk["now"])
    return stop
