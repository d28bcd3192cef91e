"""MPLS, RFC 3032, with IP or an Ethernet pseudowire (RFC 4448) at the bottom. In: one label. Out: the next, or what it carries.

The law: nothing says what lies below the last label. A first nibble of 4 or 6 is IP when the header's own lengths agree; 0 is a
control word when an Ethernet header stands behind it; the rest is Ethernet without a control word (RFC 4928).
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
    if offset >= state["stop"]:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    first = at(data, offset)
    if first >> 4 == 4 and not (looks_like_ethernet(data, offset, state) and not plausible_ipv4(data, offset, state)):
        return offset, Layer.IPV4
    if first >> 4 == 6 and not (looks_like_ethernet(data, offset, state) and not plausible_ipv6(data, offset, state)):
        return offset, Layer.IPV6
    if first >> 4 == 0 and (
        looks_like_ethernet(data, offset + CONTROL_WORD, state) or not looks_like_ethernet(data, offset, state)
    ):
        return offset + CONTROL_WORD, Layer.ETHERNET
    return offset, Layer.ETHERNET


@inline_kernel
def plausible_ipv4(data, offset, state):
    if offset + 4 > state["stop"] or at(data, offset) & 15 < 5:
        return False
    return 20 <= u16(data, offset + 2) <= state["wire_stop"] - offset


@inline_kernel
def plausible_ipv6(data, offset, state):
    if offset + 6 > state["stop"]:
        return False
    return u16(data, offset + 4) <= state["wire_stop"] - offset - 40
