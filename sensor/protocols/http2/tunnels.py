"""Streams that carry another protocol: in: CONNECT and its answer; out: what passes through them counted as bodies, and
WebSocket's frames among it.

The stream stays open until one of its ends, or its connection, is over (RFC 9113, 8.5); `:protocol` names a WebSocket
(RFC 8441). The one law: bytes behind a grant are never read as a message of HTTP, only counted.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.messages import set_lengths
from sensor.protocols.http1.tables import Count, Method, Scalar, TunnelKind
from sensor.protocols.http1.tunnels import name_tunnel, tunnel_row
from sensor.protocols.http1.words import folded, short_word
from sensor.protocols.http2.tables import WEBSOCKET_STACK, Part, Tunnel
from sensor.protocols.websocket.frames_kernel import end_frames, lose_frames, skip_frames, walk_frames
from sensor.protocols.websocket.tables import State as FramesState
from sensor.schema import Anomaly, TransactionFlag

_WEBSOCKE = folded("websocke")


@inline_kernel
def ask_tunnel(t, record, message):
    """Note a request for a tunnel; its answer is to be read like any other."""
    h = t.h2
    if t.links[message]["method"] == Method.CONNECT:
        t.links[message]["method"] = Method.OTHER
        protocol = h.parts[Part.PROTOCOL]
        named = h.parts[Part.PROTOCOL + 1] == 9 and short_word(h.text, protocol, 8) == _WEBSOCKE
        record["tunnel"] = Tunnel.WEBSOCKET if named else Tunnel.ASKED


@part_kernel
def _open_websocket(t, record, flow_row, message, start, used, ts):
    """Count frames on this stream; of the answer's head text[start:start + used] is told what was agreed upon."""
    h = t.h2
    if h.parts[Part.WEBSOCKETS_FREE] == 0:
        t.numbers[Count.TUNNELS_LEFT_OUT] += 1
        return
    row = t.open[message]
    number = tunnel_row(t, flow_row, TunnelKind.WEBSOCKET_STREAM, row["trans_depth"], ts)
    if number < 0:
        return
    name_tunnel(t, number, row, h.text, start, used)
    h.parts[Part.WEBSOCKETS_FREE] -= 1
    pair = np.int64(h.free[WEBSOCKET_STACK + h.parts[Part.WEBSOCKETS_FREE]])
    record["websocket"] = pair + 1
    for direction in range(2):
        side = h.websockets.sides[2 * pair + direction]
        side["left"] = side["length"] = side["message"] = side["bytes"] = side["control_bytes"] = 0
        side["messages"] = side["frame_max"] = side["message_max"] = side["missing"] = 0
        for opcode in range(len(side["frames"])):
            side["frames"][opcode] = 0
        side["key"] = side["close_code"] = side["faults"] = 0
        side["have"] = side["open"] = side["closed"] = side["close_seen"] = side["compressed"] = 0
        side["state"] = FramesState.FRAMES
        side["client"] = 1 if t.http_flows[flow_row]["client"] == direction else 0


@part_kernel
def grant_tunnel(t, record, flow_row, message, start, used, ts):
    """The answer to CONNECT was 2xx: its head is text[start:start + used]. The request is over with its head, though
    its side goes on.
    """
    named = record["tunnel"] == Tunnel.WEBSOCKET
    record["tunnel"] = Tunnel.GRANTED
    record["declared"][0] = record["declared"][1] = -1
    t.numbers[Count.TUNNELS] += 1
    row = t.open[message]
    row["anomalies"] &= ~np.uint64(Anomaly.EARLY_RESPONSE)
    t.http_streams[2 * flow_row]["json_flags"] = 0
    t.http_streams[2 * flow_row + 1]["json_flags"] = 0
    if named:
        _open_websocket(t, record, flow_row, message, start, used, ts)


@inline_kernel
def pass_through(t, record, direction, data, start, stop):
    """Bytes of a tunnel."""
    t.numbers[Count.TUNNEL_BYTES] += stop - start
    if record["websocket"] > 0:
        walk_frames(t.h2.websockets, 2 * (np.int64(record["websocket"]) - 1) + direction, data, start, stop)


@inline_kernel
def lose_through(t, record, direction, length):
    """`length` bytes of a tunnel that nobody saw; -1 when it is not known how many."""
    if record["websocket"] > 0:
        side = t.h2.websockets.sides[2 * (np.int64(record["websocket"]) - 1) + direction]
        if length >= 0:
            skip_frames(t.h2.websockets, side, length)
        elif side["state"] != FramesState.LOST:
            lose_frames(t.h2.websockets, side)


@part_kernel
def leave_tunnel(t, stream_row):
    """The connection, or the stream, is over without a word: so is what this side sent through it."""
    message = np.int64(t.http_streams[stream_row]["message"])
    if message >= 0:
        set_lengths(t, stream_row, True)
        client = np.int64(t.http_flows[stream_row >> 1]["client"]) == (stream_row & 1)
        row = t.open[message]
        row["flags"] = row["flags"] | (TransactionFlag.REQUEST_DONE if client else TransactionFlag.RESPONSE_DONE)


@part_kernel
def close_websocket(t, record, flow_row):
    """The stream is forgotten: tell what was counted, if there is room to."""
    h = t.h2
    pair = np.int64(record["websocket"]) - 1
    record["websocket"] = 0
    depth = np.int64(t.http_flows[flow_row]["depth"])
    number = tunnel_row(t, flow_row, TunnelKind.WEBSOCKET_OVER, depth, t.numbers[Scalar.NOW])
    for direction in range(2):
        end_frames(h.websockets.sides[2 * pair + direction])
        if number >= 0:
            h.websockets.over[2 * number + direction] = h.websockets.sides[2 * pair + direction]
    h.free[WEBSOCKET_STACK + h.parts[Part.WEBSOCKETS_FREE]] = pair
    h.parts[Part.WEBSOCKETS_FREE] += 1
