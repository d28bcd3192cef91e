"""Teredo, RFC 4380. In: a UDP payload on port 3544, or one that is Teredo by its content. Out: the IPv6 packet.

The law: authentication and origin indications may come first; then an IPv6 header must fill the datagram, else the
row stays UDP.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16
from sensor.decode.layers import Layer
from sensor.schema import Tunnel

TEREDO = int(Tunnel.TEREDO)
ORIGIN, AUTHENTICATION = 0, 1
_PREFIX = 0x2001


@inline_kernel
def is_address(data, offset):
    """Whether an address has Teredo's prefix, 2001::/32 (RFC 4380, 2.6)."""
    return u16(data, offset) == _PREFIX and u16(data, offset + 2) == 0


@inline_kernel
def is_teredo(data, offset, stop, wire_stop):
    """Whether a UDP payload on another port, as clients and relays use among each other, is an IPv6 packet from end to
    end that has a Teredo address.
    """
    if stop - offset < 40 or at(data, offset) >> 4 != 6 or offset + 40 + u16(data, offset + 4) != wire_stop:
        return False
    return is_address(data, offset + 8) or is_address(data, offset + 24)


@inline_kernel
def step(data, offset, state, row):
    stop = state["stop"]
    inner = offset
    if inner + 13 <= stop and u16(data, inner) == AUTHENTICATION:
        inner += 13 + at(data, inner + 2) + at(data, inner + 3)
    if inner + 8 <= stop and u16(data, inner) == ORIGIN:
        inner += 8
    if inner + 40 > stop or at(data, inner) >> 4 != 6 or inner + 40 + u16(data, inner + 4) > state["wire_stop"]:
        return offset, Layer.DONE
    row["tunnel"] = TEREDO
    row["tunnel_id"] = 0
    return inner, Layer.IPV6
