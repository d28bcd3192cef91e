"""PPP (RFC 1661), in HDLC-like framing (RFC 1662) and over Ethernet (RFC 2516). In: a PPP header. Out: IP, or a
control protocol.

The law: address and control (ff 03) and the protocol's first byte may each be left out, as negotiation allows.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.ethernet import ETHERTYPE_MIN
from sensor.decode.fields import u16
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason


@inline_kernel
def step(data, offset, state, row):
    stop = state["stop"]
    if offset + 2 <= stop and u16(data, offset) == 0xFF03:
        offset += 2
    if offset >= stop:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    protocol = at(data, offset)
    if protocol & 1:
        offset += 1
    elif offset + 2 <= stop:
        protocol = u16(data, offset)
        offset += 2
    if protocol == 0x21:
        return offset, Layer.IPV4
    if protocol == 0x57:
        return offset, Layer.IPV6
    if protocol == 0x281 or protocol == 0x283:
        return offset, Layer.MPLS
    return Reason.PPP_CONTROL, Layer.FAILED


@inline_kernel
def hdlc_step(data, offset, state, row):
    """PPP or Cisco HDLC, told apart by the address byte: 0x0f and 0x8f are Cisco's; there an EtherType follows the
    control byte.
    """
    if offset + 4 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    address = at(data, offset)
    if address != 0x0F and address != 0x8F:
        return offset, Layer.PPP
    kind = u16(data, offset + 2)
    if kind < ETHERTYPE_MIN:
        return Reason.LLC, Layer.FAILED
    return offset + 4, kind


@inline_kernel
def over_ethernet_step(data, offset, state, row):
    """PPPoE: version and type 1, code 0 for a session; the length leaves Ethernet's padding out, as IP's does."""
    if offset + 6 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    if at(data, offset) != 0x11 or at(data, offset + 1) != 0:
        return Reason.PPP_CONTROL, Layer.FAILED
    return offset + 6, Layer.PPP
