"""The loop of reassembly: in: decoded segments in frame order; out: chunks, ended flows, figures.

The one law: returns before anything could overflow. Call again from the row it gives back, after the chunks were used.
"""

from sensor._jit import Bytes, kernel
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
from sensor.reassembly.measures import LETTER_S, measure_packet, note
from sensor.reassembly.tables import CHUNKS_PER_STEP, LIVE_NS, NODES_PER_STEP, Count, Scalar, Tables
from sensor.reassembly.tcp import is_new_connection, tcp_segment
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
    t.state[Scalar.TOLD] = 0
    t.state[Scalar.ENDED] = 0


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
        reused = False
        if (
            stream_row >= 0
            and segment["proto"] == Proto.TCP
            and segment["tcp_flags"] & TcpFlag.SYN != 0
            and is_new_connection(t, stream_row, segment)
        ):
            end_flow(t, stream_row >> 1, EndReason.REUSED)
            stream_row = -1
            reused = True
        if stream_row < 0:
            if state[Scalar.LIVE] >= state[Scalar.FLOWS_MAX]:
                evict_oldest(t)
            stream_row = create_flow(t, segment, hashed, path)
            link(t, stream_row >> 1, state[Scalar.TICK])
            if reused and segment["tcp_flags"] & TcpFlag.ACK != 0:  # its SYN was taken for a stray
                t.streams[stream_row ^ 1]["tcp_flags"] = TcpFlag.SYN
                note(t.flows[stream_row >> 1], LETTER_S, (stream_row ^ 1) & 1)
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
