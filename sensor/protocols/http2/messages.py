"""A stream's heads: in: header blocks; out: its open transaction filled.

Everything that a head or a body means is what it means in HTTP/1: heads are written out as text and read there. The one
law: what belongs together is told by the stream's id, so nothing is paired by order or by guess.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.head import parse_head
from sensor.protocols.http1.messages import begin_message, set_client
from sensor.protocols.http1.request import put
from sensor.protocols.http1.settle import resolve_waiting
from sensor.protocols.http1.tables import Count, Field, State
from sensor.protocols.http1.words import folded, short_word
from sensor.protocols.http2.endings import end_side, open_message
from sensor.protocols.http2.hpack import read_block
from sensor.protocols.http2.lines import write_head
from sensor.protocols.http2.slots import (
    find_slot,
    flow_of,
    has_all,
    open_slot,
    settle_slot,
)
from sensor.protocols.http2.tables import DECODED_MAX, Flag, Kind, Part, Tunnel
from sensor.protocols.http2.tunnels import ask_tunnel, grant_tunnel
from sensor.schema import Anomaly, TransactionFlag
from sensor.structures.bytesearch import find_byte

_GRPC = folded("grpc")
_ALWAYS = 1 << 31


@inline_kernel
def _is_grpc(t, data):
    start, length = t.numbers[Field.CONTENT_TYPE], t.numbers[Field.CONTENT_TYPE + 1]
    return length >= 16 and short_word(data, start + 12, 4) == _GRPC


@inline_kernel
def _fill_grpc(t, slot, message, response):
    """The method that is called is the path as it stands, and its messages are counted."""
    text = t.h2.text
    row = t.open[message]
    record = t.h2.slots[slot]
    client = np.int64(t.http_flows[flow_of(t, slot)]["client"])
    record["grpc"] = record["grpc"] | (1 << (1 - client if response else client))
    if response:
        row["grpc_status"] = t.h2.parts[Part.GRPC_STATUS]
        row["anomalies"] &= ~np.uint64(Anomaly.EARLY_RESPONSE)  # both sides of a call may talk at the same time
    elif t.h2.parts[Part.PATH + 1] > 0:
        start, length = t.numbers[Field.URI], t.numbers[Field.URI + 1]
        row["endpoint"] = put(t, text, start, find_byte(text, start, start + length, 0x3F) - start)


@inline_kernel
def _forget_unknown(t, message, response):
    """What was not known is absent, not a dash."""
    row = t.open[message]
    parts = t.h2.parts
    if not response and parts[Part.METHOD + 1] == 0:
        row["method"] = 0
    if not response and parts[Part.PATH + 1] == 0 and parts[Part.AUTHORITY + 1] == 0:
        row["uri"] = 0
        row["endpoint"] = 0


@part_kernel
def _begin(t, slot, side_row, response, ts):
    """A head: written out as text, read as HTTP/1's are, and begun as a message whose body ends with the stream."""
    h = t.h2
    parts, field = h.parts, t.numbers
    flow_row = flow_of(t, slot)
    client = np.int64(t.http_flows[flow_row]["client"])
    direction = 1 - client if response else client
    stream_row = 2 * flow_row + direction
    over = not response and h.sides[side_row]["block_flags"] & Flag.END_STREAM != 0
    begin = write_head(h, response)
    stop = parse_head(h.text, begin, parts[Part.LINES_END], False, field)
    if stop < 0:
        field[Count.HTTP2_HEADS_INVALID] += 1
        return
    anomalies = field[Field.ANOMALIES] & ~Anomaly.VERSION_INVALID
    field[Field.ANOMALIES] = anomalies | parts[Part.ANOMALIES]
    declared = field[Field.LENGTH]
    h.slots[slot]["declared"][direction] = declared
    if over and declared > 0:
        field[Field.ANOMALIES] |= Anomaly.LENGTH_MISMATCH
    field[Field.LENGTH] = 0 if over else (declared if declared > 0 else -1)
    field[Field.CHUNKED] = 0 if over or declared > 0 else 1
    begin_message(t, h.text, stream_row, 0, stop - begin, -1, ts)
    stream = t.http_streams[stream_row]
    if stream["state"] == State.CHUNK_SIZE or stream["state"] == State.LENGTH:
        stream["state"] = State.CLOSE
        stream["known"] = 0
        stream["body"] = 0
        stream["remaining"] = 0
        stream["line"] = 0
    else:
        h.slots[slot]["declared"][direction] = -1  # an answer to HEAD, 304: nothing comes, whatever it says
    message = open_message(t, slot)
    if message >= 0:
        if not response:
            ask_tunnel(t, h.slots[slot], message)
        elif has_all(t, slot, client):
            t.open[message]["anomalies"] &= ~np.uint64(Anomaly.EARLY_RESPONSE)
        elif h.slots[slot]["tunnel"] != Tunnel.NONE and 200 <= t.numbers[Field.STATUS] < 300:
            grant_tunnel(t, h.slots[slot], flow_row, message, begin, stop - begin, ts)
        if _is_grpc(t, h.text):
            _fill_grpc(t, slot, message, response)
        _forget_unknown(t, message, response)


@inline_kernel
def _block_anomalies(h, good):
    """What was odd about a header block as a whole."""
    parts = h.parts
    if parts[Part.DECODED] > DECODED_MAX:
        parts[Part.ANOMALIES] |= Anomaly.HEADER_BOMB
    elif not good:
        parts[Part.ANOMALIES] |= Anomaly.HEADER_INVALID | Anomaly.HPACK_LOST
    if parts[Part.OVERFLOW] != 0:
        parts[Part.ANOMALIES] |= Anomaly.HEAD_TOO_LARGE
    if parts[Part.UNKNOWN] > 0:
        parts[Part.ANOMALIES] |= Anomaly.HPACK_LOST


@part_kernel
def _find_client(t, flow_row, direction, pushed):
    """Which side asks, by the first header list that tells; when it does not, whoever opened the connection."""
    parts = t.h2.parts
    client = 0
    if pushed or parts[Part.STATUS + 1] > 0:
        client = 1 - direction
    elif parts[Part.METHOD + 1] > 0 or parts[Part.PATH + 1] > 0 or parts[Part.AUTHORITY + 1] > 0:
        client = direction
    set_client(t, 2 * flow_row + client)


@inline_kernel
def _begin_request(t, slot, side_row, ts):
    flow_row = np.int64(t.h2.connections[side_row >> 1]["flow"])
    row = flow_of(t, slot)
    t.http_streams[2 * row + np.int64(t.http_flows[row]["client"])]["delivered"] = 1
    t.http_flows[row]["depth"] = t.http_flows[flow_row]["depth"]
    _begin(t, slot, side_row, False, ts)
    t.http_flows[flow_row]["depth"] = t.http_flows[row]["depth"]


@part_kernel
def _take_request(t, connection, side_row, stream_id, direction, ts):
    """A header list from the client; returns the stream's slot, -1 when there is nothing to go on with."""
    h = t.h2
    side = h.sides[side_row]
    slot = find_slot(h, connection, stream_id)
    if slot < 0:
        missed = side["lost_from"] < stream_id < side["lost_to"]
        if stream_id <= side["last"] and not missed:
            return -1  # of a stream that is over
        slot = open_slot(t, connection, stream_id)
        if slot < 0:
            return -1
    if stream_id > side["last"]:
        if side["lost_to"] == _ALWAYS - 1:
            side["lost_to"] = stream_id
        side["last"] = stream_id
    stream = t.http_streams[2 * flow_of(t, slot) + direction]
    if stream["state"] != State.HEAD or h.slots[slot]["ended"] & (1 << direction) != 0:
        return slot  # trailers
    _begin_request(t, slot, side_row, ts)
    if t.http_flows[flow_of(t, slot)]["waiting"] > 0:
        answer = 1 - direction
        over = h.slots[slot]["ended"] & (1 << answer) != 0
        resolve_waiting(t, flow_of(t, slot), False)
        if over and h.slots[slot]["orphan"] != 0:
            h.slots[slot]["orphan"] = 0
            h.connections[connection]["orphans"] -= 1
    return slot


@part_kernel
def _take_promise(t, connection, side_row, promised, client, ts):
    """The request that the server makes up for the client (RFC 9113, 8.4)."""
    h = t.h2
    if find_slot(h, connection, promised) >= 0 or promised <= h.sides[side_row]["last"]:
        return
    h.sides[side_row]["last"] = promised
    slot = open_slot(t, connection, promised)
    if slot >= 0:
        h.parts[Part.ANOMALIES] |= Anomaly.PUSHED
        _begin_request(t, slot, side_row, ts)
        end_side(t, slot, client, ts)


@inline_kernel
def _may_be_unseen(t, connection, stream_id, client):
    """Whether the request of a stream that has no slot may have gone by, or come late."""
    side = t.h2.sides[2 * connection + client]
    flow_row = np.int64(t.h2.connections[connection]["flow"])
    if stream_id & 1 == 0:
        server = t.h2.sides[2 * connection + 1 - client]
        return server["lost_from"] < stream_id < server["lost_to"]
    if t.http_streams[2 * flow_row + client]["delivered"] == 0 or stream_id > side["last"]:
        return True
    return side["lost_from"] < stream_id < side["lost_to"]


@part_kernel
def _take_response(t, connection, stream_id, direction, ts, ack):
    h = t.h2
    client = 1 - direction
    slot = find_slot(h, connection, stream_id)
    if slot < 0:
        if not _may_be_unseen(t, connection, stream_id, client):
            return -1
        slot = open_slot(t, connection, stream_id)
        if slot < 0:
            return -1
    row = flow_of(t, slot)
    stream = t.http_streams[2 * row + direction]
    if stream["state"] != State.HEAD or h.slots[slot]["ended"] & (1 << direction) != 0:
        return slot
    asked = t.http_streams[2 * row + client]
    if asked["delivered"] == 0:
        real = t.http_streams[2 * np.int64(h.connections[connection]["flow"]) + client]["delivered"]
        h.slots[slot]["ack"] = ack
        asked["delivered"] = 1 if real > 0 and ack <= real else 0
    _begin(t, slot, 2 * connection + direction, True, ts)
    if stream["state"] == State.HEAD and stream["message"] < 0 and t.numbers[Field.STATUS] >= 200:
        h.slots[slot]["ended"] = h.slots[slot]["ended"] | (1 << direction)  # a bodiless answer is over with its head
        settle_slot(t, slot)
        return find_slot(h, connection, stream_id)
    return slot


@inline_kernel
def _trailers(t, slot, direction):
    """Fields behind the body: gRPC's status is among them."""
    parts = t.h2.parts
    message = np.int64(t.http_streams[2 * flow_of(t, slot) + direction]["message"])
    if message >= 0 and t.open[message]["flags"] & TransactionFlag.RESPONSE != 0:
        if parts[Part.GRPC_STATUS] >= 0:
            t.open[message]["grpc_status"] = parts[Part.GRPC_STATUS]
        t.open[message]["anomalies"] |= np.uint64(parts[Part.ANOMALIES])


@part_kernel
def take_block(t, connection, stream_row, data, start, stop, ts, ack, odd):
    """A whole header block of the side (`odd`: anomalies of its framing): a request, a response, or trailers."""
    h = t.h2
    direction = stream_row & 1
    side_row = 2 * connection + direction
    side = h.sides[side_row]
    flow_row = stream_row >> 1
    stream_id = np.int64(side["block_stream"])
    pushed = side["block_kind"] == Kind.PUSH_PROMISE
    good = read_block(h, side_row, data, start, stop)
    _block_anomalies(h, good)
    h.parts[Part.ANOMALIES] |= odd
    if t.http_flows[flow_row]["client"] < 0:
        _find_client(t, flow_row, direction, pushed)
    client = np.int64(t.http_flows[flow_row]["client"])
    if pushed:
        if client != direction:
            _take_promise(t, connection, side_row, stream_id, client, ts)
        return
    known = find_slot(h, connection, stream_id)
    trailers = False
    if known >= 0:
        state = t.http_streams[2 * flow_of(t, known) + direction]["state"]
        trailers = state == State.CLOSE or state == State.OPAQUE
    if direction == client:
        slot = _take_request(t, connection, side_row, stream_id, direction, side["block_ts"])
    else:
        slot = _take_response(t, connection, stream_id, direction, side["block_ts"], ack)
    if slot < 0:
        return
    if trailers:
        _trailers(t, slot, direction)
    if side["block_flags"] & Flag.END_STREAM != 0 and h.slots[slot]["ended"] & (1 << direction) == 0:
        end_side(t, slot, direction, ts)
