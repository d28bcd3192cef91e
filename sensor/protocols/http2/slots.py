"""Streams of HTTP/2 connections: in: a connection and a stream's id; out: its slot.

To whatever reads heads and bodies a stream is a connection of its own with one request and one response: row
`flow_of` of the HTTP/1 tables. The one law: slots are fixed in number; when there is none, or a connection has too
many, the connection's oldest stream is handed out as it is, and counted.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.feed import finish_messages, leave_unfinished
from sensor.protocols.http1.holds import release_hold
from sensor.protocols.http1.messages import is_client
from sensor.protocols.http1.settle import resolve_waiting
from sensor.protocols.http1.start import clear_flow
from sensor.protocols.http1.tables import Count, State
from sensor.protocols.http2.tables import BUCKETS, ORPHANS_MAX, STREAMS_PER_CONNECTION_MAX, Part, Tunnel
from sensor.protocols.http2.tunnels import close_websocket, leave_tunnel


@inline_kernel
def flow_of(t, slot):
    """Row of HTTP/1's tables that stands for a slot's stream."""
    return len(t.flows) + slot


@inline_kernel
def _bucket(connection, stream_id):
    return connection * BUCKETS + ((stream_id >> 1) & (BUCKETS - 1))


@part_kernel
def find_slot(h, connection, stream_id):
    """Slot of a stream, or -1."""
    slot = np.int64(h.buckets[_bucket(connection, stream_id)]) - 1
    while slot >= 0 and h.slots[slot]["id"] != stream_id:
        slot = np.int64(h.slots[slot]["chain"])
    return slot


@part_kernel
def release_slot(t, slot):
    """Forget a stream whose transaction was handed out."""
    h = t.h2
    record = h.slots[slot]
    connection = np.int64(record["connection"])
    owner = h.connections[connection]
    place = _bucket(connection, np.int64(record["id"]))
    if h.buckets[place] == slot + 1:
        h.buckets[place] = record["chain"] + 1
    else:
        before = np.int64(h.buckets[place]) - 1
        while h.slots[before]["chain"] != slot:
            before = np.int64(h.slots[before]["chain"])
        h.slots[before]["chain"] = record["chain"]
    older, newer = np.int64(record["older"]), np.int64(record["newer"])
    if older >= 0:
        h.slots[older]["newer"] = newer
    else:
        owner["oldest"] = newer
    if newer >= 0:
        h.slots[newer]["older"] = older
    else:
        owner["newest"] = older
    owner["streams"] -= 1
    if record["orphan"] != 0:
        owner["orphans"] -= 1
    for side_row in (2 * connection, 2 * connection + 1):
        if h.sides[side_row]["slot"] == slot:
            h.sides[side_row]["slot"] = -1
    flow_row = flow_of(t, slot)
    if record["websocket"] > 0:
        close_websocket(t, record, flow_row)
    release_hold(t, t.http_streams[2 * flow_row])
    release_hold(t, t.http_streams[2 * flow_row + 1])
    h.free[h.parts[Part.SLOTS_FREE]] = slot
    h.parts[Part.SLOTS_FREE] += 1


@inline_kernel
def note_messages(t, slot, direction):
    """Write how many gRPC messages this direction carried into its open transaction."""
    record = t.h2.slots[slot]
    message = np.int64(t.http_streams[2 * flow_of(t, slot) + direction]["message"])
    if message >= 0 and record["grpc"] & (1 << direction) != 0:
        if t.http_flows[flow_of(t, slot)]["client"] == direction:
            t.open[message]["request_messages"] = record["messages"][direction]
        else:
            t.open[message]["response_messages"] = record["messages"][direction]


@inline_kernel
def has_all(t, slot, direction):
    """Whether all that Content-Length announced has come, though nobody said yet that it was the end."""
    return t.h2.slots[slot]["declared"][direction] == t.http_streams[2 * flow_of(t, slot) + direction]["body"]


@part_kernel
def leave_side(t, slot, direction):
    """Nobody said, or nobody saw, that this side was over: Content-Length tells whether it can have been."""
    stream_row = 2 * flow_of(t, slot) + direction
    stream, declared = t.http_streams[stream_row], t.h2.slots[slot]["declared"][direction]
    if stream["body"] <= declared <= stream["body"] + stream["unknown"]:
        stream["body"], stream["unknown"] = declared, 0
        leave_tunnel(t, stream_row)
        return
    leave_unfinished(t, stream_row)
    if stream["message"] >= 0 and declared >= stream["body"]:
        row = t.open[stream["message"]]
        if is_client(t, stream_row):
            row["request_body_max"] = declared
        else:
            row["response_body_max"] = declared


@part_kernel
def finish_slot(t, slot):
    """Hand out what is open of a stream, unfinished as it is."""
    flow_row = flow_of(t, slot)
    for direction in range(2):
        note_messages(t, slot, direction)
        if t.h2.slots[slot]["tunnel"] == Tunnel.GRANTED:
            leave_tunnel(t, 2 * flow_row + direction)
        else:
            leave_side(t, slot, direction)
    finish_messages(t, flow_row)
    release_slot(t, slot)


@part_kernel
def open_slot(t, connection, stream_id):
    """A slot for a new stream, or -1 when none is left."""
    h = t.h2
    owner = h.connections[connection]
    if owner["streams"] >= STREAMS_PER_CONNECTION_MAX or h.parts[Part.SLOTS_FREE] == 0:
        t.numbers[Count.HTTP2_STREAMS_EXHAUSTED] += 1
        if owner["oldest"] < 0:
            return -1
        finish_slot(t, np.int64(owner["oldest"]))
    h.parts[Part.SLOTS_FREE] -= 1
    slot = np.int64(h.free[h.parts[Part.SLOTS_FREE]])
    record = h.slots[slot]
    place = _bucket(connection, stream_id)
    record["connection"] = connection
    record["id"] = stream_id
    record["chain"] = h.buckets[place] - 1
    h.buckets[place] = slot + 1
    record["older"] = owner["newest"]
    record["newer"] = -1
    if owner["newest"] >= 0:
        h.slots[np.int64(owner["newest"])]["newer"] = slot
    else:
        owner["oldest"] = slot
    owner["newest"] = slot
    owner["streams"] += 1
    record["ack"] = -1
    record["ended"] = 0
    record["grpc"] = 0
    record["gap"] = 0
    record["orphan"] = 0
    record["tunnel"] = Tunnel.NONE
    record["websocket"] = 0
    for direction in range(2):
        record["declared"][direction] = -1
        record["messages"][direction] = 0
    _open_flow(t, slot, np.int64(owner["flow"]))
    t.numbers[Count.HTTP2_STREAMS] += 1
    return slot


@inline_kernel
def _open_flow(t, slot, flow_row):
    """The rows that stand for the stream, as a connection before its first byte."""
    row = flow_of(t, slot)
    clear_flow(t, row)
    flow, real = t.http_flows[row], t.http_flows[flow_row]
    flow["flow"] = flow_row
    flow["client"] = real["client"]
    flow["uid_hi"] = real["uid_hi"]
    flow["uid_lo"] = real["uid_lo"]
    flow["depth"] = real["depth"]
    for stream_row in (2 * row, 2 * row + 1):
        t.http_streams[stream_row]["state"] = State.HEAD


@inline_kernel
def is_idle(t, slot):
    """Whether nothing of the stream is open."""
    row = flow_of(t, slot)
    flow = t.http_flows[row]
    idle = t.http_streams[2 * row]["message"] < 0 and t.http_streams[2 * row + 1]["message"] < 0
    return idle and flow["first"] < 0 and flow["waiting"] == 0


@part_kernel
def settle_slot(t, slot):
    """A direction of the stream is over: forget the stream when all is said; wait for its request if that may come."""
    record = t.h2.slots[slot]
    flow = t.http_flows[flow_of(t, slot)]
    client = np.int64(flow["client"])
    if record["ended"] & (1 << (1 - client)) == 0:
        return
    if flow["waiting"] > 0:
        if record["orphan"] == 0:
            record["orphan"] = 1
            t.h2.connections[np.int64(record["connection"])]["orphans"] += 1
        return
    if is_idle(t, slot):
        release_slot(t, slot)
    elif record["gap"] & (1 << client) != 0 or record["ended"] & (1 << client) != 0:
        finish_slot(t, slot)


@part_kernel
def give_up_orphans(t, connection, delivered):
    """Hand out the answers whose request would have come by now, and the oldest when too many wait."""
    h = t.h2
    owner = h.connections[connection]
    slot = np.int64(owner["oldest"])
    while slot >= 0 and owner["orphans"] > 0:
        record = h.slots[slot]
        following = np.int64(record["newer"])
        late = delivered > 0 and record["ack"] <= delivered
        if record["orphan"] != 0 and (late or owner["orphans"] > ORPHANS_MAX):
            row = flow_of(t, slot)
            client = np.int64(t.http_flows[row]["client"])
            t.http_streams[2 * row + client]["delivered"] = 1
            resolve_waiting(t, row, False)
            record["orphan"] = 0
            owner["orphans"] -= 1
            settle_slot(t, slot)
        slot = following
