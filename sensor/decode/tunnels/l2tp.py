"""L2TPv2 (RFC 2661) and L2TPv3 (RFC 3931) data messages, over UDP and over IP. In: a header. Out: PPP or an Ethernet
frame.

The law: how long L2TPv3's cookie is, and whether a 4-byte sublayer follows, stands only in the control connection: of
the lengths allowed the first behind which Ethernet stands is taken. `tunnel_id` is the session, which differs between
the directions of a flow.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.ethernet import looks_like_ethernet
from sensor.decode.fields import u16, u32
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason
from sensor.schema import Tunnel

L2TP = int(Tunnel.L2TP)
CONTROL = 0x8000
LENGTH = 0x4000
SEQUENCE = 0x0800
OFFSET = 0x0200
COOKIE_AND_SUBLAYER_MAX = 12
NOT_FOUND = -1


@inline_kernel
def step(data, offset, state, row):
    """Over UDP; what is no data message stays UDP."""
    stop = state["stop"]
    if offset + 8 > stop or u16(data, offset) & CONTROL:
        return offset, Layer.DONE
    flags = u16(data, offset)
    if flags & 0xF == 3:
        inner = behind_cookie(data, offset + 8, state)
        if inner == NOT_FOUND:
            return offset, Layer.DONE
        row["tunnel"] = L2TP
        row["tunnel_id"] = u32(data, offset + 4)
        return inner, Layer.ETHERNET
    inner = offset + 6 + (2 if flags & LENGTH else 0)
    session = inner - 2
    if flags & SEQUENCE:
        inner += 4
    if flags & OFFSET and inner + 2 <= stop:
        inner += 2 + u16(data, inner)
    if flags & 0xF != 2 or inner + 2 > stop or not looks_like_ppp(data, inner):
        return offset, Layer.DONE
    row["tunnel"] = L2TP
    row["tunnel_id"] = u16(data, session)
    return inner, Layer.PPP


@inline_kernel
def ip_step(data, offset, state, row):
    """Over IP: session 0 is the control connection."""
    if offset + 4 > state["stop"]:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    session = u32(data, offset)
    if session == 0:
        return Reason.TUNNEL_CONTROL, Layer.FAILED
    inner = behind_cookie(data, offset + 4, state)
    if inner == NOT_FOUND:
        return Reason.BAD_TUNNEL, Layer.FAILED
    row["tunnel"] = L2TP
    row["tunnel_id"] = session
    return inner, Layer.ETHERNET


@inline_kernel
def behind_cookie(data, offset, state):
    for skip in range(0, COOKIE_AND_SUBLAYER_MAX + 4, 4):
        if looks_like_ethernet(data, offset + skip, state):
            return offset + skip
    return NOT_FOUND


@inline_kernel
def looks_like_ppp(data, offset):
    first = at(data, offset)
    return u16(data, offset) == 0xFF03 or first == 0x21 or first == 0x57 or first == 0
