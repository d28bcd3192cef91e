"""Connections that go on in another protocol: in: the answer that allows it; out: a TUNNEL row for who reads on, and
both streams set to look at what comes.

Behind CONNECT may come anything, HTTP too, which is read on; behind an upgrade comes what was agreed upon. The one law:
what is inside is told by its first bytes.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
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
from sensor.schema import TransactionFlag
from sensor.structures.bytesearch import copy_bytes

_REQUEST, _RESPONSE = 1, 2
_WEBSOCKET = 3


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
    number = t.numbers[Scalar.TUNNELS]
    if number == len(t.tunnels):
        t.numbers[Count.TUNNELS_LEFT_OUT] += 1
        return kind
    asked = row["flags"] & TransactionFlag.REQUEST != 0 and link["end"] > 0
    tunnel = t.tunnels[number]
    tunnel["serial"], tunnel["flow"], tunnel["client"] = flow["serial"], stream_row >> 1, 1 - (stream_row & 1)
    tunnel["uid_hi"], tunnel["uid_lo"], tunnel["depth"] = flow["uid_hi"], flow["uid_lo"], row["trans_depth"]
    tunnel["host"], tunnel["uri"], tunnel["user_agent"] = row["host"], row["uri"], row["user_agent"]
    tunnel["from_server"], tunnel["ts"], tunnel["kind"] = head_end, ts, kind
    tunnel["from_client"] = link["end"] if asked else ack
    tunnel["head_len"] = min(used, TUNNEL_HEAD_BYTES)
    copy_bytes(data, t.numbers[Field.END] - used, min(used, TUNNEL_HEAD_BYTES), t.tunnel_heads,
               number * TUNNEL_HEAD_BYTES)  # fmt: skip
    t.numbers[Scalar.TUNNELS] = number + 1
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
