"""GRE (RFC 2784, RFC 2890), NVGRE (RFC 7637) and the PPTP variant (RFC 2637); also in UDP (RFC 8086). In: a header.
Out: its payload.

The law: `tunnel_id` is the key where there is one. An NVGRE key is a 24-bit network and 8 bits that differ by flow,
and network numbers below 4096 are reserved: so an Ethernet payload's key of 20 bits or less is a plain key, and of a
longer one the network counts.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u32
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason
from sensor.schema import Tunnel

GRE = int(Tunnel.GRE)
ERSPAN = int(Tunnel.ERSPAN)
CHECKSUM = 0x8000
ROUTING = 0x4000
KEY = 0x2000
SEQUENCE = 0x1000
ACKNOWLEDGEMENT = 0x0080
NVGRE_KEY_MIN = 1 << 20
ARUBA_MIN, ARUBA_MAX = 0x8200, 0x8370  # one type for each of an access point's radios and tunnels: 802.11 frames


@inline_kernel
def step(data, offset, state, row):
    stop = state["stop"]
    if offset + 4 > stop:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    flags = u16(data, offset)
    kind = u16(data, offset + 2)
    version = flags & 7
    if version > 1 or flags & ROUTING:
        return Reason.BAD_TUNNEL, Layer.FAILED
    offset += 4
    if flags & CHECKSUM:
        offset += 4
    key = 0
    if flags & KEY:
        if offset + 4 > stop:
            return Reason.TRUNCATED_TUNNEL, Layer.FAILED
        key = u32(data, offset)
        offset += 4
    if flags & SEQUENCE:
        offset += 4
    if version == 1:
        key &= 0xFFFF  # the call; the other half is the payload's length
        if flags & ACKNOWLEDGEMENT:
            offset += 4
        if not flags & SEQUENCE:
            return Reason.TUNNEL_CONTROL, Layer.FAILED
    elif kind == Layer.ETHERNET and key >= NVGRE_KEY_MIN:
        key >>= 8
    row["tunnel"] = GRE
    row["tunnel_id"] = key
    if kind == Layer.ERSPAN_2 and not flags & SEQUENCE:  # type I: no header of its own
        row["tunnel"] = ERSPAN
        return offset, Layer.ETHERNET
    if kind == Layer.PPP_IN_GRE:
        return offset, Layer.PPP
    if kind == Layer.WCCP:  # a 4-byte redirect header, which version 1 lacks
        return (offset if offset < stop and at(data, offset) >> 4 == 4 else offset + 4), Layer.IPV4
    if ARUBA_MIN <= kind <= ARUBA_MAX and kind & 0xF == 0:
        return offset, Layer.WLAN
    if kind == 0:
        return Reason.TUNNEL_CONTROL, Layer.FAILED
    return offset, kind


@inline_kernel
def udp_step(data, offset, state, row):
    """GRE in UDP when the flags are defined and the payload is IP, MPLS or Ethernet; else the row stays UDP."""
    if offset + 4 > state["stop"] or u16(data, offset) & 0x4FFF:
        return offset, Layer.DONE
    kind = u16(data, offset + 2)
    if kind == Layer.IPV4 or kind == Layer.IPV6 or kind == Layer.ETHERNET or kind == Layer.MPLS:
        return offset, Layer.GRE
    return offset, Layer.DONE
