"""MPLS, RFC 3032, with IP or an Ethernet pseudowire (RFC 4448) at the bottom. In: one label. Out: the next, or what
it carries.

The law: nothing says what lies below the last label. A first nibble of 4 or 6 is IP when the header's own lengths
agree; 0 is a control word when an Ethernet header stands behind it; the rest is Ethernet without a control word (RFC
4928).
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.ethernet import looks_like_ethernet
from sensor.decode.fields import u16, u24
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason
from sensor.schema import Tunnel

MPLS = int(Tunnel.MPLS)
CONTROL_WORD = 4


@inline_kernel
def step(data, offset, state, row):
    """`tunnel_id` is the bottom label (20 bits), which differs between the two directions of a flow."""
    if offset + 4 > state["stop"]:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    row["tunnel"] = MPLS
    row["tunnel_id"] = u24(data, offset) >> 4
    last = at(data, offset + 2) & 1
    offset += 4
    if not last:
        return offset, Layer.MPLS
    if offset + 6 > state["stop"]:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    nibble = at(data, offset) >> 4
    room = state["wire_stop"] - offset
    ethernet = looks_like_ethernet(data, offset, state)
    if nibble == 4 and (u16(data, offset + 2) <= room or not ethernet):
        return offset, Layer.IPV4
    if nibble == 6 and (u16(data, offset + 4) + 40 <= room or not ethernet):
        return offset, Layer.IPV6
    if nibble == 0 and (looks_like_ethernet(data, offset + CONTROL_WORD, state) or not ethernet):
        return offset + CONTROL_WORD, Layer.ETHERNET
    return offset, Layer.ETHERNET
