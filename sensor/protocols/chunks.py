"""The loop of the protocols: in: chunks in order of packet time; out: finished transactions.

A flow is HTTP/1's until its bytes show that it speaks HTTP/2: it is handed over then, once. The one law: what a chunk
means depends on the chunks of its flow before it and on nothing else.
"""

import numpy as np

from sensor._jit import Bytes, inline_kernel, kernel, part_kernel
from sensor.protocols.http1.contents import begin_part, is_part_full
from sensor.protocols.http1.feed import feed, finish_messages, gap, stop_message, suppose_waiting
from sensor.protocols.http1.messages import end_message
from sensor.protocols.http1.settle import resolve_waiting
from sensor.protocols.http1.start import reset_flow
from sensor.protocols.http1.tables import (
    OPEN_PER_FLOW_MAX,
    ROWS_PER_CHUNK,
    Handover,
    Scalar,
    State,
    Tables,
)
from sensor.protocols.http2.connections import adopt_upgraded, close_connection, open_connection
from sensor.protocols.http2.endings import leave_streams
from sensor.protocols.http2.feed import read_frames
from sensor.protocols.http2.losses import lose_bytes
from sensor.schema import CHUNK, ChunkKind, ChunkSource, Service
from sensor.structures.prefetch import prefetch
from sensor.structures.string_pool_kernels import State as PoolState

_AHEAD = 8


@part_kernel
def _take_over(t, stream_row, delivered, ts):
    """The flow speaks HTTP/2 from `HANDOVER_AT` on; False when there is no room to follow it."""
    flow_row = stream_row >> 1
    how, message = t.numbers[Scalar.HANDOVER], t.numbers[Scalar.HANDOVER_MESSAGE]
    t.numbers[Scalar.HANDOVER] = Handover.NONE
    opened = open_connection(t, stream_row, how)
    t.http_streams[stream_row]["delivered"] = delivered
    if opened and how == Handover.PREFACE:
        connection = np.int64(t.http_flows[flow_row]["http2"]) - 1
        t.h2.sides[2 * connection + (stream_row & 1)]["left"] -= t.numbers[Scalar.HANDOVER_HELD]
    if message >= 0:
        adopt_upgraded(t, flow_row, message, ts)
    return opened


@inline_kernel
def _end(t, flow_row):
    """The flow is over: hand out everything that is open, and forget it."""
    if t.http_flows[flow_row]["http2"] != 0:
        close_connection(t, flow_row)
    finish_messages(t, flow_row)
    reset_flow(t, flow_row)


@inline_kernel
def _look_ahead(t, data, chunks, i, stop):
    """Ask for what the chunks after `i` will read: flows and streams lie anywhere in tables larger than a cache."""
    if i + _AHEAD < stop:
        stream_row = np.int64(chunks[i + _AHEAD]["stream"])
        prefetch(t.flows, stream_row >> 1)
        prefetch(t.http_flows, stream_row >> 1)
        prefetch(t.http_streams, stream_row)
        prefetch(t.http_streams, stream_row ^ 1)


@kernel
def read_chunks(t: Tables, data: Bytes, datagrams: Bytes, pages: Bytes, chunks: CHUNK, start: int, stop: int) -> int:
    """Work on chunks[start:stop]; returns the row to go on from, `stop` when done."""
    state = t.numbers
    if state[Scalar.ROWS] == 0:
        begin_part(t)
    for i in range(start, stop):
        if is_part_full(t):
            return i
        if len(t.rows) - state[Scalar.ROWS] < ROWS_PER_CHUNK + OPEN_PER_FLOW_MAX + 64:
            return i
        if t.pool.state[PoolState.FREE] < state[Scalar.POOL_FLOOR] and i > start:
            return i
        state[Scalar.CURSOR] = i
        _look_ahead(t, data, chunks, i, stop)
        chunk = chunks[i]
        stream_row = np.int64(chunk["stream"])
        if t.flows[stream_row >> 1]["service"] >= Service.NOT_HTTP:
            continue
        if t.http_flows[stream_row >> 1]["serial"] != t.flows[stream_row >> 1]["serial"]:
            if t.http_flows[stream_row >> 1]["http2"] != 0:
                close_connection(t, stream_row >> 1)
            reset_flow(t, stream_row >> 1)
        state[Scalar.NOW] = chunk["now"]
        flow = t.http_flows[stream_row >> 1]
        stream = t.http_streams[stream_row]
        kind = chunk["kind"]
        length = chunk["length"]
        if kind == ChunkKind.DATA:
            ahead = chunk["source"] == ChunkSource.PAGES
            stream["latest"] = max(stream["latest"], chunk["ts"]) if ahead else chunk["ts"]
        if (
            kind == ChunkKind.DATA
            and stream["state"] == State.LENGTH
            and length < stream["remaining"]
            and stream["json_flags"] == 0
        ):
            stream["remaining"] -= length
            stream["delivered"] = chunk["seq"] + length
            continue
        cut_off = np.int64(kind) if stream["state"] == State.HEAD and stream["hold"] > 0 else 0
        if kind == ChunkKind.DATA or cut_off != 0:
            buffer = data
            if chunk["source"] != ChunkSource.BLOCK:
                buffer = pages if chunk["source"] == ChunkSource.PAGES else datagrams
            start_at, stop_at = chunk["offset"], chunk["offset"] + length
            if flow["http2"] != 0:
                stream["delivered"] = chunk["seq"] + length
                read_frames(t, stream_row, buffer, start_at, stop_at, chunk["ack"], chunk["ts"])
            if flow["http2"] == 0:
                feed(t, stream_row, buffer, start_at, stop_at, chunk["seq"], chunk["ack"], chunk["ts"], cut_off)
                if state[Scalar.HANDOVER] != 0 and _take_over(t, stream_row, chunk["seq"] + length, chunk["ts"]):
                    read_frames(t, stream_row, buffer, state[Scalar.HANDOVER_AT], stop_at, chunk["ack"], chunk["ts"])
        if kind == ChunkKind.GAP:
            if flow["http2"] != 0:
                stream["delivered"] = chunk["seq"] + length
                lose_bytes(t, stream_row, length, chunk["ts"])
            else:
                gap(t, stream_row, length, chunk["seq"], chunk["ts"])
                if chunk["offset"] != 0 and stream["state"] == State.SYNC:
                    suppose_waiting(flow)
        elif kind == ChunkKind.FIN:
            stream["delivered"] = chunk["seq"] + 1
            if flow["client"] == (stream_row & 1):
                flow["closing"] = max(chunk["ack"], 0)
            if stream["state"] == State.CLOSE:
                end_message(t, stream_row, chunk["ts"])
        elif kind == ChunkKind.STOP:
            stop_message(t, stream_row)
            if flow["http2"] != 0:
                leave_streams(t, np.int64(flow["http2"]) - 1, stream_row & 1)
        elif kind == ChunkKind.END:
            _end(t, stream_row >> 1)
        if flow["waiting"] > 0:
            resolve_waiting(t, stream_row >> 1, False)
    return stop


@kernel
def mark_open(t: Tables) -> None:
    """Mark the strings that open transactions use, before the pool is swept."""
    entries = t.pool.entries
    for message in range(t.numbers[Scalar.OPEN_USED]):
        row = t.open[message]
        if row["flags"] != 0:
            entries[np.int64(row["method"])]["mark"] = 1
            entries[np.int64(row["host"])]["mark"] = 1
            entries[np.int64(row["uri"])]["mark"] = 1
            entries[np.int64(row["endpoint"])]["mark"] = 1
            entries[np.int64(row["user_agent"])]["mark"] = 1
            entries[np.int64(row["referrer"])]["mark"] = 1
            entries[np.int64(row["request_content_type"])]["mark"] = 1
            entries[np.int64(row["response_content_type"])]["mark"] = 1
            entries[np.int64(row["status_msg"])]["mark"] = 1
            entries[np.int64(row["auth_scheme"])]["mark"] = 1
            entries[np.int64(row["subject_name"])]["mark"] = 1
