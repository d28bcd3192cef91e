"""What one TCP segment does to its flow: in: a segment and its stream's row; out: chunks, and the state of the
connection.

Stream offsets are 64 bits with the sequence number as their lower 32, so a wrapped sequence goes on counting.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.reassembly.expiry import link, unlink
from sensor.reassembly.measures import (
    LETTER_A,
    LETTER_D,
    LETTER_F,
    LETTER_H,
    LETTER_I,
    LETTER_Q,
    LETTER_R,
    LETTER_S,
    LETTER_W,
    note,
)
from sensor.reassembly.order import (
    count_again,
    deliver,
    drain,
    emit,
    emit_gap,
    hold_segment,
    skip_hole,
    skip_lost_holes,
)
from sensor.reassembly.tables import FAR_BYTES, NODES_PER_STEP, RST_BYTES, Count, Scalar
from sensor.schema import ChunkKind, ChunkSource, FlowFlag, SegmentFlag, TcpFlag, TcpState

_HALF = 1 << 31
_MASK = 0xFFFFFFFF
_FIRST_LAP = 1 << 32


@inline_kernel
def _unwrap(expected, number):
    """The 64-bit offset nearest to `expected` whose lower 32 bits are `number`."""
    return expected + ((number - expected + _HALF) & _MASK) - _HALF


@inline_kernel
def _note_flags(flow, stream, peer, flags, length, window, direction):
    """A packet with SYN, FIN or RST is noted for that alone, one with several of them for being odd."""
    control = flags & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST)
    if control == 0:
        if length > 0:
            note(flow, LETTER_D, direction)
        elif flags & TcpFlag.ACK != 0:
            note(flow, LETTER_A, direction)
    elif control == TcpFlag.SYN:
        note(flow, LETTER_H if flags & TcpFlag.ACK != 0 else LETTER_S, direction)
    elif control == TcpFlag.FIN:
        note(flow, LETTER_F, direction)
    elif control == TcpFlag.RST:
        note(flow, LETTER_R, direction)
    else:
        note(flow, LETTER_I if control & TcpFlag.SYN == 0 else LETTER_Q, direction)
    if (
        window == 0  # of no interest where nothing is going to come
        and control & TcpFlag.RST == 0
        and stream["reset"] == 0
        and (peer["fin"] < 0 or peer["reset"] != 0)
    ):
        note(flow, LETTER_W, direction)


@inline_kernel
def _acknowledges_syn(peer, segment):
    return peer["tcp_flags"] & TcpFlag.SYN != 0 and (np.int64(segment["ack"]) - peer["first"]) & _MASK == 0


@inline_kernel
def _acknowledge(t, stream_row, segment):
    """Note what the segment acknowledges of the other stream; returns its 64-bit offset."""
    peer = t.streams[stream_row ^ 1]
    number = np.int64(segment["ack"])
    if peer["first"] == 0:
        stream, begun = t.streams[stream_row], np.int64(segment["seq"])
        if segment["tcp_flags"] & TcpFlag.SYN == 0 and (begun - stream["first"]) & _MASK != 0:
            flow = t.flows[stream_row >> 1]  # this is not the first that was sent: nobody saw where the peer began
            flow["flags"] = flow["flags"] | FlowFlag.MIDSTREAM
        peer["first"] = _FIRST_LAP + number
        peer["next"] = peer["first"]
        peer["acked"] = peer["first"]
        return peer["first"]
    ack = _unwrap(peer["next"], number)
    if peer["acked"] < ack < peer["next"] + FAR_BYTES:
        peer["acked"] = ack
        if 0 <= peer["round_end"] <= ack:
            taken = max(segment["ts"] - peer["round_ts"], np.int64(1))
            peer["round_min"] = min(peer["round_min"], taken) if peer["round_min"] != 0 else taken
            peer["round_end"] = -1
    return ack


@inline_kernel
def _time_round(stream, end, ts):
    """Measure the time until `end` is acknowledged, unless one is being measured."""
    if stream["round_end"] < 0:
        stream["round_end"] = end
        stream["round_ts"] = ts


@inline_kernel
def _payload(t, stream_row, segment, data, seq, ack):
    """Deliver, hold or recognise the payload."""
    stream = t.streams[stream_row]
    length, caplen = np.int64(segment["payload_len"]), np.int64(segment["payload_caplen"])
    offset = segment["payload_offset"]
    source = ChunkSource.DATAGRAMS if segment["flags"] & SegmentFlag.REBUILT != 0 else ChunkSource.BLOCK
    skipped = stream["next"] - seq
    if skipped > 0 and length > 1 and stream["payload_bytes"] == length and stream["tcp_flags"] & TcpFlag.SYN == 0:
        stream["first"] = stream["next"] = seq  # an acknowledgement came before what it acknowledges
        skipped = np.int64(0)
    if skipped > 0:
        if skipped >= length:
            if length > 1:
                count_again(t, stream_row, length)
            return
        count_again(t, stream_row, skipped)
        offset += skipped
        length -= skipped
        caplen = max(caplen - skipped, 0)
        seq += skipped
    if skipped >= 0 and stream["hold_head"] < 0:
        deliver(t, stream_row, source, offset, caplen, length, ack, segment["ts"])
        return
    if skipped < 0:
        stream["out_of_order_packets"] += 1
        t.counts[Count.OUT_OF_ORDER_PACKETS] += 1
    if t.state[Scalar.NODE_FREE] < NODES_PER_STEP:
        t.counts[Count.PAGES_EXHAUSTED] += 1
        while stream["hold_head"] >= 0:
            skip_hole(t, stream_row)
        skipped = min(stream["next"] - seq, length)
        if skipped > 0:
            count_again(t, stream_row, skipped)
        elif skipped < 0:
            emit_gap(t, stream_row, -skipped, ack, segment["ts"], 0)
            skipped = np.int64(0)
        caplen = max(caplen - skipped, 0)
        deliver(t, stream_row, source, offset + skipped, caplen, length - skipped, ack, segment["ts"])
        return
    hold_segment(t, stream_row, data, offset, caplen, length, seq, ack)
    drain(t, stream_row)


@inline_kernel
def _close(t, row, flow):
    if flow["state"] != TcpState.CLOSED:
        flow["state"] = TcpState.CLOSED
        unlink(t, row)
        link(t, row, t.state[Scalar.TICK])


@inline_kernel
def _handshake(flow, flags, direction, length):
    state = flow["state"]
    if flags & TcpFlag.SYN != 0:
        if flags & TcpFlag.ACK != 0:
            if state < TcpState.SYN_ACK:
                flow["state"] = TcpState.SYN_ACK
        elif state == TcpState.NONE:
            flow["state"] = TcpState.SYN
    elif (
        state < TcpState.ESTABLISHED
        and flags & (TcpFlag.ACK | TcpFlag.RST) == TcpFlag.ACK
        and (direction == 0 or length > 0)
        and (direction == 1 or state != TcpState.SYN or length > 0)
    ):
        flow["state"] = TcpState.ESTABLISHED


@part_kernel
def _begin_late(flow, stream, flags, number, direction):
    """A SYN that the mirror swapped with what came next, before any data: all of the connection was seen."""
    if stream["first"] == 0 or (number + 1 - stream["first"]) & _MASK != 0:
        return
    known = np.int64(FlowFlag.MIDSTREAM)
    if direction == (1 if flags & TcpFlag.ACK != 0 else 0):
        known |= FlowFlag.ORIG_GUESSED
    flow["flags"] = np.uint16(np.int64(flow["flags"]) & ~known)


@inline_kernel
def tcp_segment(t, stream_row, segment, data):
    """Everything one segment changes, except the packet's own figures."""
    row = stream_row >> 1
    direction = stream_row & 1
    flow = t.flows[row]
    stream = t.streams[stream_row]
    peer = t.streams[stream_row ^ 1]
    flags = np.int64(segment["tcp_flags"])
    length = np.int64(segment["payload_len"])
    number = np.int64(segment["seq"])
    _note_flags(flow, stream, peer, flags, length, segment["window"], direction)
    _handshake(flow, flags, direction, length)
    syn = 1 if flags & TcpFlag.SYN != 0 else 0
    if (
        syn != 0
        and flow["flags"] & FlowFlag.MIDSTREAM != 0
        and stream["payload_bytes"] + peer["payload_bytes"] == length
    ):
        _begin_late(flow, stream, flags, number, direction)
    if stream["first"] == 0 and flags & TcpFlag.RST == 0:
        stream["first"] = _FIRST_LAP + number + syn
        stream["next"] = stream["first"]
        stream["acked"] = stream["first"]
        if syn != 0:
            stream["acked"] -= 1
            _time_round(stream, stream["first"], segment["ts"])
        else:
            flow["flags"] = flow["flags"] | FlowFlag.MIDSTREAM  # nobody saw where this side began
    elif (
        syn != 0
        and flags & TcpFlag.ACK != 0
        and (stream["payload_bytes"] == length or (peer["payload_bytes"] == 0 and _acknowledges_syn(peer, segment)))
        and (number + 1 - stream["first"]) & _MASK != 0
    ):  # what this side sent before was not the connection's
        stream["first"] = _FIRST_LAP + number + 1
        stream["next"] = stream["first"]
        stream["acked"] = stream["first"] - 1
        stream["fin"] = -1
    seq = _unwrap(stream["next"], (number + syn) & _MASK)
    if flags & TcpFlag.RST != 0:
        inside = stream["acked"] - 1 <= seq <= stream["next"] + RST_BYTES
        if stream["first"] == 0 or inside or (number == 0 and flow["state"] < TcpState.ESTABLISHED):
            if stream["fin"] < 0 or peer["fin"] < 0:  # behind both FINs it ends nothing
                stream["reset"] = 1
            _close(t, row, flow)
        else:
            t.counts[Count.RST_IGNORED] += 1
        return
    ack = np.int64(-1)
    if flags & TcpFlag.ACK != 0:
        ack = _acknowledge(t, stream_row, segment)
    if length > 0:
        if seq - stream["next"] >= FAR_BYTES or stream["next"] - seq >= FAR_BYTES:
            t.counts[Count.FAR_SEGMENTS] += 1
        else:
            if seq == stream["next"]:
                _time_round(stream, seq + length, segment["ts"])
            _payload(t, stream_row, segment, data, seq, ack)
    if flags & TcpFlag.FIN != 0 and stream["fin"] < 0 and abs(seq - stream["next"]) < FAR_BYTES:
        stream["fin"] = seq + length
        if peer["fin"] >= 0 and stream["reset"] == 0:
            peer["reset"] = 0  # the peer had ended before it reset: both have
    skip_lost_holes(t, stream_row, peer)
    if peer["hold_head"] >= 0:
        skip_lost_holes(t, stream_row ^ 1, stream)
    if stream["fin"] >= 0 and stream["next"] == stream["fin"]:
        emit(t, stream_row, ChunkKind.FIN, 0, 0, 0, stream["next"], ack, segment["ts"])
        stream["next"] += 1
    if stream["fin"] >= 0 and peer["fin"] >= 0:
        _close(t, row, flow)
