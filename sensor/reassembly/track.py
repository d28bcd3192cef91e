"""The loop of reassembly: in: decoded segments in frame order; out: chunks, ended flows, figures.

The one law: returns before anything could overflow. Call again from the row it gives back, after the chunks were used.
"""

import numpy as np

from sensor._jit import Bytes, kernel, part_kernel
from sensor.limits import NS
from sensor.reassembly.datagrams import read_datagram
from sensor.reassembly.duplicates import (
    Copy,
    count_double,
    fingerprint,
    look_up,
    may_repeat,
    note_report,
    note_unsure,
    remember,
)
from sensor.reassembly.expiry import end_flow, end_next, evict_oldest, expire, link
from sensor.reassembly.flow_table import create_flow, find_flow, path_of
from sensor.reassembly.lookahead import begin_looking, look_ahead
from sensor.reassembly.measures import LETTER_D, measure_packet, note
from sensor.reassembly.reuse import Anew, asked_for, begin_asked, goes_on_anew, may_be_over, opens_another
from sensor.reassembly.tables import CHUNKS_PER_STEP, LIVE_NS, NODES_PER_STEP, Count, Scalar, Tables
from sensor.reassembly.tcp import tcp_segment
from sensor.reassembly.tell import tell
from sensor.schema import SEGMENT, EndReason, Proto, SegmentFlag, TcpFlag


@kernel
def recycle(t: Tables) -> None:
    """Rows and pages that ended in the last batch are free from here on; the outputs are empty again."""
    for i in range(t.state[Scalar.PENDING]):
        t.free[t.state[Scalar.FREE]] = t.pending[i]
        t.state[Scalar.FREE] += 1
    for i in range(t.state[Scalar.NODE_PENDING]):
        t.node_free[t.state[Scalar.NODE_FREE]] = t.node_pending[i]
        t.state[Scalar.NODE_FREE] += 1
    t.state[Scalar.PENDING] = 0
    t.state[Scalar.NODE_PENDING] = 0
    t.state[Scalar.CHUNKS] = 0
    t.state[Scalar.DNS_CHUNKS] = 0
    t.state[Scalar.TOLD] = 0
    t.state[Scalar.ENDED] = 0


@part_kernel
def _take_over(t, old, segment, hashed, path, anew):
    """End the flow of stream `old`; the segment's connection has the same ends. Returns its 2*flow + direction."""
    flags, peer = np.int64(segment["tcp_flags"]), 1 if anew == Anew.PEER else 0
    number, ts = np.int64(0), np.int64(0)
    if anew != Anew.JOINED and (peer == 1 or flags & TcpFlag.SYN == 0):
        number, ts = asked_for(t, old ^ peer, segment, peer)
    if number != 0:
        flags = TcpFlag.SYN | (TcpFlag.ACK if peer == 1 else 0)
    end_flow(t, old >> 1, EndReason.REUSED)
    stream_row = create_flow(t, segment, hashed, path, flags)
    link(t, stream_row >> 1, t.state[Scalar.TICK])
    if number != 0:
        begin_asked(t, stream_row ^ peer, number, ts)
    return stream_row


@kernel
def track(t: Tables, data: Bytes, datagrams: Bytes, segments: SEGMENT, start: int, stop: int) -> int:
    """Work on segments[start:stop], whose payload lies in the block's `data` or in rebuilt `datagrams`.

    Returns the row to go on from, `stop` when done.
    """
    state = t.state
    begin_looking(t, segments, start, stop)
    for i in range(start, stop):
        state[Scalar.CURSOR] = i
        state[Scalar.FLOW] = -1
        segment = segments[i]
        if state[Scalar.TICK] < 0:
            state[Scalar.TICK] = segment["ts"] // NS + 1
        if segment["ts"] >= state[Scalar.TICK] * NS and not expire(t, segment["ts"]):
            return i
        if len(t.chunks) - state[Scalar.CHUNKS] < 3 * CHUNKS_PER_STEP or state[Scalar.FREE] == 0:
            return i
        if state[Scalar.NODE_FREE] < NODES_PER_STEP and state[Scalar.NODE_PENDING] > 0:
            return i
        state[Scalar.NOW] = max(state[Scalar.NOW], segment["ts"])
        hashed, path = look_ahead(t, segments, i, stop), path_of(segment)
        buffer = datagrams if segment["flags"] & SegmentFlag.REBUILT != 0 else data
        word = fingerprint(t, segment, hashed, buffer)
        stream_row = find_flow(t, segment, hashed, path)
        copy = Copy.NEW + 0
        if stream_row < 0 or may_repeat(t, stream_row, segment):
            copy, original = look_up(t, stream_row, segment, path, word)
            if copy == Copy.DOUBLE:
                count_double(t, stream_row, segment, original)
                continue
            if stream_row >= 0 and segment["proto"] == Proto.TCP:
                note_report(t.streams[stream_row], segment)
        anew = Anew.NO + 0
        if stream_row >= 0 and segment["proto"] == Proto.TCP:
            if segment["tcp_flags"] & TcpFlag.SYN != 0:
                anew = opens_another(t, stream_row, segment)
            elif state[Scalar.ASKED] != 0 or may_be_over(t, stream_row):
                anew = goes_on_anew(t, stream_row, segment)
        if anew != Anew.NO:
            stream_row = _take_over(t, stream_row, segment, hashed, path, anew)
        elif stream_row < 0:
            if state[Scalar.LIVE] >= state[Scalar.FLOWS_MAX]:
                evict_oldest(t)
            stream_row = create_flow(t, segment, hashed, path, np.int64(segment["tcp_flags"]))
            link(t, stream_row >> 1, state[Scalar.TICK])
        state[Scalar.FLOW] = stream_row >> 1
        flow = t.flows[stream_row >> 1]
        flow["last_ts"] = max(flow["last_ts"], segment["ts"])
        if copy == Copy.UNSURE:
            note_unsure(t, stream_row)
        remember(t, stream_row, segment, path, word)
        measure_packet(t.streams[stream_row], segment, path)
        if segment["proto"] == Proto.TCP:
            tcp_segment(t, stream_row, segment, buffer)
        elif segment["proto"] == Proto.UDP:
            note(flow, LETTER_D, stream_row & 1)
            read_datagram(t, stream_row, segment, buffer)
        if segment["ts"] - flow["told_ts"] >= LIVE_NS:
            tell(t, stream_row >> 1, segment["ts"])
        t.counts[Count.PACKETS] += 1
    return stop


@kernel
def pass_time(t: Tables, now: int) -> bool:
    """End the flows that are due when packet time comes to `now` without a packet; False: call again after the chunks
    were used.
    """
    if t.state[Scalar.TICK] < 0:
        return True
    if not expire(t, now):
        return False
    t.state[Scalar.NOW] = max(t.state[Scalar.NOW], now)
    return True


@kernel
def end_all(t: Tables) -> bool:
    """End the live flows; False when there was no room for all: call again after the chunks were used."""
    while len(t.chunks) - t.state[Scalar.CHUNKS] >= CHUNKS_PER_STEP:
        if not end_next(t):
            return True
    return False
