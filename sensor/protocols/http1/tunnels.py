"""Connections that go on in another protocol: in: the answer that allows it; out: a TUNNEL row for who reads on, and
both streams set to look at what comes.

Behind CONNECT may come anything, HTTP too, which is read on; behind an upgrade comes what was agreed upon; and TLS
behind a start in clear of any other protocol (SMTP, IMAP, LDAP, XMPP, PostgreSQL, MySQL, RDP ...), where a segment
begins with a hello. The one law: what is inside is told by its first bytes.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.head import looks_like_head
from sensor.protocols.http1.tables import (
    TUNNEL_HEAD_BYTES,
    Count,
    Field,
    Method,
    Scalar,
    State,
    TunnelKind,
)
from sensor.schema import Service, TransactionFlag
from sensor.structures.bytesearch import copy_bytes, load64

_REQUEST, _RESPONSE = 1, 2
_WEBSOCKET = 3
_HELLO_BYTES = 11
_HANDSHAKE, _CLIENT_HELLO, _SERVER_HELLO = 22, 1, 2
_MYSQL_BYTES = 36
_MYSQL_START, _MYSQL_SSL = np.uint64(0x01000020), np.uint64(0x0800)
"""A MySQL packet of 32 bytes, the second of its connection, which asks for SSL: its hello may follow at once."""


@part_kernel
def tunnel_row(t, flow_row, kind, depth, ts):
    """A TUNNEL row with all that its flow tells; its number, -1 when this part has no more, counted."""
    number = t.numbers[Scalar.TUNNELS]
    if number == len(t.tunnels):
        t.numbers[Count.TUNNELS_LEFT_OUT] += 1
        return -1
    flow = t.http_flows[flow_row]
    real = np.int64(flow["flow"])
    tunnel = t.tunnels[number]
    tunnel["serial"], tunnel["flow"], tunnel["client"] = t.flows[real]["serial"], real, flow["client"]
    tunnel["uid_hi"], tunnel["uid_lo"] = flow["uid_hi"], flow["uid_lo"]
    tunnel["kind"], tunnel["depth"], tunnel["ts"] = kind, depth, ts
    tunnel["host"] = tunnel["uri"] = tunnel["user_agent"] = 0
    tunnel["from_client"] = tunnel["from_server"] = tunnel["head_len"] = 0
    t.numbers[Scalar.TUNNELS] = number + 1
    return number


@part_kernel
def name_tunnel(t, number, row, data, start, used):
    """Add what the transaction `row` that opened it tells, and the answer's head data[start:start + used]."""
    tunnel = t.tunnels[number]
    tunnel["host"], tunnel["uri"], tunnel["user_agent"] = row["host"], row["uri"], row["user_agent"]
    tunnel["head_len"] = min(used, TUNNEL_HEAD_BYTES)
    copy_bytes(data, start, min(used, TUNNEL_HEAD_BYTES), t.tunnel_heads, number * TUNNEL_HEAD_BYTES)


@inline_kernel
def tell_tunnel(t, data, stream_row, used, head_end, ack, ts):
    """Note the tunnel that the head of `used` bytes up to Field.END of data opens; returns its TunnelKind.

    `head_end` and `ack`: stream offsets behind the head and acknowledged with it.
    """
    flow = t.http_flows[stream_row >> 1]
    message = np.int64(t.http_streams[stream_row]["message"])
    row, link = t.open[message], t.links[message]
    kind = np.int64(TunnelKind.UPGRADE)
    if link["method"] == Method.CONNECT and t.numbers[Field.STATUS] != 101:
        kind = np.int64(TunnelKind.CONNECT)
    elif t.numbers[Field.UPGRADE] == _WEBSOCKET:
        kind = np.int64(TunnelKind.WEBSOCKET)
    t.numbers[Count.TUNNELS] += 1
    if np.int64(flow["flow"]) != stream_row >> 1:  # a stream of HTTP/2, whose bytes are not the connection's
        return np.int64(TunnelKind.UPGRADE)
    number = tunnel_row(t, stream_row >> 1, kind, row["trans_depth"], ts)
    if number >= 0:
        asked = row["flags"] & TransactionFlag.REQUEST != 0 and link["end"] > 0
        t.tunnels[number]["from_server"] = head_end
        t.tunnels[number]["from_client"] = link["end"] if asked else ack
        name_tunnel(t, number, row, data, t.numbers[Field.END] - used, used)
    return kind


@part_kernel
def look_inside(t, stream_row, data, start, stop):
    """The first bytes of a side behind CONNECT: HTTP when a client's request, or a server's answer, begins there."""
    stream = t.http_streams[stream_row]
    kind = looks_like_head(data, start, stop)
    asks = np.int64(t.http_flows[stream_row >> 1]["client"]) == (stream_row & 1)
    if kind == (_REQUEST if asks else _RESPONSE):
        stream["state"] = State.HEAD
    else:
        stream["state"] = State.OPAQUE
        t.http_streams[stream_row ^ 1]["state"] = State.OPAQUE


@part_kernel
def hello_at(data, position, stop):
    """Where in data[position:stop], which begins a segment, a record of TLS with a ClientHello or ServerHello begins
    (RFC 8446, 4 and 5.1); -1 when none does.
    """
    if stop - position >= _MYSQL_BYTES:
        word = load64(data, position)
        if word & np.uint64(0xFFFFFFFF) == _MYSQL_START and (word >> np.uint64(32)) & _MYSQL_SSL != 0:
            position += _MYSQL_BYTES
    if stop - position < _HELLO_BYTES or at(data, position) != _HANDSHAKE or at(data, position + 1) != 3:
        return -1
    kind = at(data, position + 5)
    if (kind != _CLIENT_HELLO and kind != _SERVER_HELLO) or at(data, position + 6) != 0:
        return -1
    begins = at(data, position + 2) <= 4 and at(data, position + 9) == 3 and at(data, position + 10) <= 4
    return position if begins else -1


@part_kernel
def leave_to_tls(t, stream_row, kind, offset, ack, ts):
    """The bytes from stream offset `offset` on are TLS: a hello of `kind`, which waited for what it acknowledged."""
    flow_row = stream_row >> 1
    number = tunnel_row(t, flow_row, TunnelKind.TLS, 0, ts)
    if number < 0:
        return
    asks = kind == _CLIENT_HELLO
    other = ack if ack >= 0 else np.int64(t.http_streams[stream_row ^ 1]["delivered"])
    tunnel = t.tunnels[number]
    tunnel["client"] = (stream_row & 1) if asks else 1 - (stream_row & 1)
    tunnel["from_client"], tunnel["from_server"] = (offset, other) if asks else (other, offset)
    t.flows[flow_row]["service"] = Service.SSL
