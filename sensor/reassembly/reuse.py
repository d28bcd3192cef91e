"""Ports that are used again: in: a segment, and the flow that has its addresses and ports; out: whether it belongs to
another connection, which begins with it.

A SYN on a connection that is over, or that nobody heard of for a while, opens another one. On one that is busy it may
be a stray or a forgery: it is noted, and changes nothing until something is seen of the connection that it asks for:
the answer to it, or, where that was lost or goes another way, what either side sends with its numbers. The one law:
what a busy connection goes on with is its own.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.limits import NS
from sensor.reassembly.flow_table import NEAR_BYTES
from sensor.reassembly.measures import LETTER_S, note
from sensor.reassembly.tables import Count, Scalar
from sensor.schema import FlowFlag, TcpFlag, TcpState

_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_FIRST_LAP = 1 << 32
_BUSY_NS = 2 * NS
_BEGIN_BYTES = 1 << 20
"""So much of a new connection can be lost before it is known for one."""


class Anew(IntEnum):
    """Whether a segment begins another connection, and whose SYN that has."""

    NO = 0
    ITSELF = 1   # its sender asked for it
    PEER = 2     # the other side did
    JOINED = 3   # nobody saw who


@inline_kernel
def _apart(number, other):
    """How far two sequence numbers are from each other, negative when the first is behind."""
    return ((number - other + _HALF) & _MASK) - _HALF


@inline_kernel
def note_asked(t, stream_row, segment):
    """A SYN that changes nothing for now."""
    asked = t.asked[stream_row]
    if asked["next"] == 0:
        t.state[Scalar.ASKED] += 1
    asked["next"] = _FIRST_LAP + np.int64(segment["seq"]) + 1
    asked["ts"] = segment["ts"]


@inline_kernel
def asked_for(t, stream_row, segment, peer):
    """The offset behind the SYN that was noted of the stream, and when it came, if the segment is of the connection
    that it asked for, as far as its numbers tell; `peer`: the segment is the other side's. (0, 0) otherwise.
    """
    asked = t.asked[stream_row]
    number = np.int64(segment["ack"]) if peer == 1 else np.int64(segment["seq"])
    if asked["next"] == 0 or (number - asked["next"]) & _MASK >= _BEGIN_BYTES:
        return np.int64(0), np.int64(0)
    return np.int64(asked["next"]), np.int64(asked["ts"])


@part_kernel
def forget_asked(t, row):
    """The flow is over."""
    for stream_row in range(2 * row, 2 * row + 2):
        if t.asked[stream_row]["next"] != 0:
            t.asked[stream_row]["next"] = 0
            t.state[Scalar.ASKED] -= 1


@part_kernel
def opens_another(t, stream_row, segment):
    """Anew, for a segment with SYN."""
    stream = t.streams[stream_row]
    if stream["first"] == 0:
        return Anew.NO + 0
    flow = t.flows[stream_row >> 1]
    known = (np.int64(segment["seq"]) + 1 - stream["first"]) & _MASK == 0
    if segment["tcp_flags"] & TcpFlag.ACK != 0:
        if t.asked[stream_row ^ 1]["next"] != 0 and asked_for(t, stream_row ^ 1, segment, 1)[0] != 0:
            return Anew.PEER + 0
        asked = t.streams[stream_row ^ 1]["first"]
        if flow["flags"] & FlowFlag.MIDSTREAM != 0 or asked == 0 or flow["state"] < TcpState.ESTABLISHED:
            return Anew.NO + 0
        again = (np.int64(segment["ack"]) - asked) & _MASK == 0
        return Anew.NO + 0 if known or again or segment["payload_len"] > 0 else Anew.PEER + 0
    if known:
        return Anew.NO + 0
    if flow["state"] == TcpState.CLOSED or flow["state"] == TcpState.SYN:
        return Anew.ITSELF + 0
    if t.state[Scalar.NOW] - flow["last_ts"] > _BUSY_NS:
        return Anew.ITSELF + 0
    t.counts[Count.SYN_IGNORED] += 1
    note_asked(t, stream_row, segment)
    return Anew.NO + 0


@inline_kernel
def may_be_over(t, stream_row):
    """Whether the stream has come to its end, or the connection has."""
    return t.streams[stream_row]["fin"] >= 0 or t.flows[stream_row >> 1]["state"] == TcpState.CLOSED


@part_kernel
def goes_on_anew(t, stream_row, segment):
    """Anew, for a segment without SYN on a flow that may be over, or of which a SYN was noted."""
    flags = np.int64(segment["tcp_flags"])
    if flags & TcpFlag.RST != 0:
        return Anew.NO + 0
    stream, peer = t.streams[stream_row], t.streams[stream_row ^ 1]
    away = _apart(np.int64(segment["seq"]), stream["next"])
    own, other = t.asked[stream_row]["next"], t.asked[stream_row ^ 1]["next"]
    if own != 0:
        begun = (np.int64(segment["seq"]) - own) & _MASK
        if begun < min(abs(away), _BEGIN_BYTES):
            return Anew.ITSELF + 0
    if other != 0 and flags & TcpFlag.ACK != 0:
        begun = (np.int64(segment["ack"]) - other) & _MASK
        if begun < min(abs(_apart(np.int64(segment["ack"]), peer["next"])), _BEGIN_BYTES):
            return Anew.PEER + 0
    if segment["payload_len"] <= 1 or stream["first"] == 0 or not may_be_over(t, stream_row):
        return Anew.NO + 0
    beyond = 0 <= stream["fin"] < stream["next"] + away
    return Anew.JOINED + 0 if beyond or abs(away) >= NEAR_BYTES else Anew.NO + 0


@inline_kernel
def begin_asked(t, stream_row, number, ts):
    """The new flow's stream whose SYN was noted on the old flow: `number` is the offset behind it."""
    stream = t.streams[stream_row]
    stream["tcp_flags"] = TcpFlag.SYN
    stream["first"] = stream["next"] = number
    stream["acked"] = number - 1
    flow = t.flows[stream_row >> 1]
    flow["start_ts"] = ts
    flow["history_low"], flow["history_len"] = np.uint64(0), 0
    note(flow, LETTER_S, stream_row & 1)
