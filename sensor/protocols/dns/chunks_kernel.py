"""The loop of DNS: in: chunks that may be DNS, in order of packet time; out: lookups.

Over UDP a chunk is a message, over TCP messages follow each other with their length in front (RFC 1035, 4.2.2). The
one law: what a chunk means depends on the chunks of its flow before it and on nothing else.
"""

import numpy as np

from sensor._jit import Bytes, I64s, inline_kernel, kernel, part_kernel
from sensor.protocols.dns.messages_kernel import HEADER_BYTES, is_header
from sensor.protocols.dns.names_kernel import u16
from sensor.protocols.dns.pairing_kernel import expire, has_room, read_message
from sensor.protocols.dns.tables import HELD_BYTES, Count, Scalar, SideState, Tables
from sensor.schema import CHUNK, ChunkKind, ChunkSource, Proto, Service
from sensor.structures.bytesearch import copy_bytes

_PREFIX_BYTES = 2


@inline_kernel
def _connection(t, flow_row):
    """Row of a TCP flow's connection, a new one for a new flow; -1 when there is no room."""
    connection = np.int64(t.connections[flow_row]) - 1
    if connection >= 0:
        return connection
    if t.numbers[Scalar.CONNECTIONS_FREE] == 0:
        t.counts[Count.CONNECTIONS_EXHAUSTED] += 1
        return np.int64(-1)
    t.numbers[Scalar.CONNECTIONS_FREE] -= 1
    connection = np.int64(t.connections_free[t.numbers[Scalar.CONNECTIONS_FREE]])
    t.connections[flow_row] = connection + 1
    for side in (2 * connection, 2 * connection + 1):
        t.sides[side]["have"], t.sides[side]["need"] = 0, _PREFIX_BYTES
        t.sides[side]["state"] = SideState.READS
    return connection


@inline_kernel
def _close(t, flow_row):
    connection = t.connections[flow_row] - 1
    if connection >= 0:
        t.connections_free[t.numbers[Scalar.CONNECTIONS_FREE]] = connection
        t.numbers[Scalar.CONNECTIONS_FREE] += 1
        t.connections[flow_row] = 0


@inline_kernel
def _lose(t, stream_row, side):
    """Where messages begin is unknown from here on; a flow that had none is left to others."""
    side["state"] = SideState.LOST
    if t.flows[stream_row >> 1]["service"] != Service.DNS:
        t.flows[stream_row >> 1]["service"] = Service.UNKNOWN
        _close(t, stream_row >> 1)
    else:
        t.counts[Count.LOSSES] += 1


@part_kernel
def _read_stream(t, stream_row, data, start, length, ts, now):
    """Bytes of one direction of a TCP flow; returns how many were read, less than all when there is no more room."""
    connection = _connection(t, stream_row >> 1)
    if connection < 0:
        return length
    side_row = 2 * connection + (stream_row & 1)
    side = t.sides[side_row]
    place, done = side_row * HELD_BYTES, np.int64(0)
    while done < length and side["state"] == SideState.READS:
        if not has_room(t):
            return done
        have, need = np.int64(side["have"]), np.int64(side["need"])
        if have == 0:
            side["ts"] = ts
        taken = min(need - have, length - done)
        if have < HELD_BYTES:
            copy_bytes(data, start + done, min(taken, HELD_BYTES - have), t.held, place + have)
        have += taken
        done += taken
        side["have"] = have
        if have == _PREFIX_BYTES:
            side["need"] = _PREFIX_BYTES + u16(t.held, place)
            if side["need"] < _PREFIX_BYTES + HEADER_BYTES:
                _lose(t, stream_row, side)
        elif have - taken < _PREFIX_BYTES + HEADER_BYTES <= have and not is_header(t.held, place + _PREFIX_BYTES):
            _lose(t, stream_row, side)
        elif have == need:
            begin, end = place + _PREFIX_BYTES, place + min(have, HELD_BYTES)
            if read_message(t, stream_row, t.held, begin, end, need - _PREFIX_BYTES, side["ts"], now):
                side["have"], side["need"] = 0, _PREFIX_BYTES
            else:
                t.counts[Count.MALFORMED] += 1
                _lose(t, stream_row, side)
    return length


@inline_kernel
def _of_stream(t, stream_row, kind):
    """A part of a TCP flow that is no bytes."""
    connection = np.int64(t.connections[stream_row >> 1]) - 1
    if kind == ChunkKind.END:
        _close(t, stream_row >> 1)
    elif kind == ChunkKind.GAP and connection >= 0:
        side = t.sides[2 * connection + (stream_row & 1)]
        if side["state"] == SideState.READS:
            _lose(t, stream_row, side)
    elif kind == ChunkKind.GAP and t.flows[stream_row >> 1]["service"] == Service.MAYBE_DNS:
        t.flows[stream_row >> 1]["service"] = Service.UNKNOWN


@kernel
def read_chunks(
    t: Tables, data: Bytes, datagrams: Bytes, pages: Bytes, chunks: CHUNK, places: I64s, start: int, now: int
) -> int:
    """Work on the chunks at places[start:]; `now` is packet time behind them.

    Returns the item to go on from, len(places) + 1 when done. What was told before is overwritten.
    """
    numbers = t.numbers
    numbers[Scalar.ROWS] = numbers[Scalar.ANSWERS] = numbers[Scalar.TEXTS] = 0
    for k in range(start, len(places)):
        numbers[Scalar.CURSOR] = k
        chunk = chunks[places[k]]
        stream_row = np.int64(chunk["stream"])
        kind = chunk["kind"]
        if not expire(t, chunk["now"]) or not has_room(t):
            return k
        if t.flows[stream_row >> 1]["service"] < Service.MAYBE_DNS:
            continue
        udp = t.flows[stream_row >> 1]["proto"] == Proto.UDP
        if kind != ChunkKind.DATA:
            if not udp:
                _of_stream(t, stream_row, kind)
            continue
        buffer = data
        if chunk["source"] != ChunkSource.BLOCK:
            buffer = pages if chunk["source"] == ChunkSource.PAGES else datagrams
        offset, length = chunk["offset"], chunk["length"]
        if udp:
            stop = offset + length
            if not read_message(t, stream_row, buffer, offset, stop, length, chunk["ts"], chunk["now"]):
                t.counts[Count.MALFORMED] += 1
            continue
        done = numbers[Scalar.DONE]
        numbers[Scalar.DONE] = 0
        taken = _read_stream(t, stream_row, buffer, offset + done, length - done, chunk["ts"], chunk["now"])
        if taken < length - done:
            numbers[Scalar.DONE] = done + taken
            return k
    return len(places) + 1 if expire(t, now) else len(places)
