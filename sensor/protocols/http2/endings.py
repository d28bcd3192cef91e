"""How streams end: in: END_STREAM, RST_STREAM, GOAWAY, the end of the connection; out: transactions handed out, their
lengths settled.

The one law: a body's length is what its DATA frames carried; Content-Length only settles what a loss left open.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.limits import NS
from sensor.protocols.http1.messages import end_message, is_client
from sensor.protocols.http1.tables import Count
from sensor.protocols.http2.slots import find_slot, finish_slot, flow_of, leave_side, note_messages, settle_slot
from sensor.protocols.http2.tables import RESETS_MAX, Tunnel
from sensor.schema import Anomaly


@inline_kernel
def open_message(t, slot):
    """The open transaction of a stream, -1 when none."""
    row = flow_of(t, slot)
    for stream_row in (2 * row, 2 * row + 1):
        if t.http_streams[stream_row]["message"] >= 0:
            return np.int64(t.http_streams[stream_row]["message"])
    first = np.int64(t.http_flows[row]["first"])
    return first if first >= 0 else np.int64(t.http_flows[row]["wait_first"])


@part_kernel
def mark_slot(t, slot, anomaly):
    """Note an anomaly on the stream's open transaction, if there is one."""
    message = open_message(t, slot)
    if message >= 0:
        t.open[message]["anomalies"] |= np.uint64(anomaly)


@inline_kernel
def _may_have_body(t, stream_row, message):
    """Whether it is known that the message is not the answer to HEAD, which tells the length of a body it has not."""
    return is_client(t, stream_row) or t.open[message]["method"] != 0


@part_kernel
def end_side(t, slot, direction, ts):
    """One direction of the stream is over."""
    record = t.h2.slots[slot]
    stream_row = 2 * flow_of(t, slot) + direction
    stream = t.http_streams[stream_row]
    message = np.int64(stream["message"])
    if message >= 0:
        declared = record["declared"][direction]
        seen, most = stream["body"], stream["body"] + stream["unknown"]
        if declared >= 0 and seen != declared:
            if seen < declared <= most:
                stream["body"], stream["unknown"] = declared, 0
            elif most == seen and (seen > 0 or _may_have_body(t, stream_row, message)):
                t.open[message]["anomalies"] |= np.uint64(Anomaly.LENGTH_MISMATCH)
        note_messages(t, slot, direction)
        asks = record["tunnel"] == Tunnel.GRANTED and t.http_flows[stream_row >> 1]["client"] == direction
        carrier = 2 * np.int64(t.h2.connections[record["connection"]]["flow"]) + direction
        end_message(t, stream_row, t.open[message]["ts"] if asks else max(ts, t.http_streams[carrier]["latest"]))
    record["ended"] = record["ended"] | (1 << direction)
    settle_slot(t, slot)


@inline_kernel
def _is_rapid(owner, ts):
    """Whether the client has reset too many streams in the present second."""
    if ts - owner["reset_ts"] > NS:
        owner["reset_ts"] = ts
        owner["resets"] = 0
    owner["resets"] += 1
    return owner["resets"] > RESETS_MAX


@part_kernel
def reset_stream(t, connection, stream_row, stream_id, ts):
    """RST_STREAM: neither side says more (RFC 9113, 6.4)."""
    slot = find_slot(t.h2, connection, stream_id)
    owner = t.h2.connections[connection]
    direction = stream_row & 1
    client = np.int64(t.http_flows[stream_row >> 1]["client"])
    t.numbers[Count.HTTP2_RESETS] += 1
    rapid = direction == client and _is_rapid(owner, ts)
    if slot < 0:
        return
    if direction == client:
        mark_slot(t, slot, Anomaly.REQUEST_RESET)
        if rapid:
            mark_slot(t, slot, Anomaly.RAPID_RESET)
    elif t.h2.slots[slot]["ended"] & (1 << direction) == 0:
        mark_slot(t, slot, Anomaly.RESPONSE_RESET)
    if t.http_flows[flow_of(t, slot)]["waiting"] > 0:  # its request may still come
        note_messages(t, slot, 1 - client)
        leave_side(t, slot, 1 - client)
        t.h2.slots[slot]["ended"] = t.h2.slots[slot]["ended"] | (1 << (1 - client))
        settle_slot(t, slot)
    else:
        finish_slot(t, slot)


@part_kernel
def leave_streams(t, connection, direction):
    """Nothing more comes from this side: what it was sending is unfinished."""
    slot = np.int64(t.h2.connections[connection]["oldest"])
    while slot >= 0:
        note_messages(t, slot, direction)
        if t.h2.slots[slot]["tunnel"] != Tunnel.GRANTED:
            leave_side(t, slot, direction)
        slot = np.int64(t.h2.slots[slot]["newer"])


@part_kernel
def refuse_streams(t, connection, last):
    """GOAWAY from the server: streams above `last` were not looked at and get no answer (RFC 9113, 6.8)."""
    slot = np.int64(t.h2.connections[connection]["oldest"])
    while slot >= 0:
        following = np.int64(t.h2.slots[slot]["newer"])
        stream_id = np.int64(t.h2.slots[slot]["id"])
        if stream_id > last and stream_id & 1 == 1:
            finish_slot(t, slot)
        slot = following
