"""Link headers other than Ethernet and 802.11: where a walk starts. In: a link type's first byte. Out: the EtherType
behind it.

The law: what a link type means stands at https://www.tcpdump.org/linktypes.html; nothing is guessed from the bytes
except where that page says that both forms occur.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u16_little
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason

ARPHRD_RADIOTAP = 803
PROTOCOL_LLC = 4
NFLOG_PAYLOAD = 9
NFLOG_ATTRIBUTES_MAX = 32


@inline_kernel
def first_layer(link):
    """The layer that a frame of this link type starts with."""
    if link == 1:
        return Layer.ETHERNET
    if link == 12 or link == 14 or link == 101 or link == 228 or link == 229:
        return Layer.RAW_IP
    if link == 0 or link == 108:
        return Layer.NULL
    if link == 113:
        return Layer.SLL
    if link == 276:
        return Layer.SLL2
    if link == 9 or link == 50 or link == 104:  # PPP's own is written for Cisco's framing too
        return Layer.HDLC
    if link == 51:
        return Layer.PPPOE
    if link == 10:
        return Layer.FDDI
    if link == 105:
        return Layer.WLAN
    if link == 127:
        return Layer.RADIOTAP
    if link == 192:
        return Layer.PPI
    if link == 239:
        return Layer.NFLOG
    return Layer.UNKNOWN_LINK


@inline_kernel
def raw_ip_step(data, offset, state, row):
    if offset >= state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    version = at(data, offset) >> 4
    if version == 4:
        return offset, Layer.IPV4
    if version == 6:
        return offset, Layer.IPV6
    return Reason.BAD_IP_VERSION, Layer.FAILED


@inline_kernel
def null_step(data, offset, state, row):
    """A 4-byte address family in either byte order; IPv6 is 10, 23, 24, 28 or 30, by system."""
    if offset + 4 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    family = at(data, offset) | at(data, offset + 3)
    if at(data, offset + 1) != 0 or at(data, offset + 2) != 0:
        return Reason.UNKNOWN_FAMILY, Layer.FAILED
    if family == 2:
        return offset + 4, Layer.IPV4
    if family == 10 or family == 23 or family == 24 or family == 28 or family == 30:
        return offset + 4, Layer.IPV6
    return Reason.UNKNOWN_FAMILY, Layer.FAILED


@inline_kernel
def sll_step(data, offset, layer, state, row):
    """Linux cooked capture: 16 bytes with the protocol last, in version 2: 20 bytes with the protocol first."""
    header, device, protocol = (16, 2, 14) if layer == Layer.SLL else (20, 8, 0)
    if offset + header > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    if u16(data, offset + device) == ARPHRD_RADIOTAP:
        return offset + header, Layer.RADIOTAP
    kind = u16(data, offset + protocol)
    if kind == PROTOCOL_LLC:
        return offset + header, Layer.LLC
    return offset + header, kind


@inline_kernel
def fddi_step(data, offset, state, row):
    """Frame control and two addresses, then LLC; frame control 0x50 to 0x57 (masked) is LLC, the rest is station
    management.
    """
    if offset + 13 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    if at(data, offset) & 0xF0 != 0x50:
        return Reason.LLC, Layer.FAILED
    return offset + 13, Layer.LLC


@inline_kernel
def nflog_step(data, offset, state, row):
    """Netfilter log: 4 bytes, then attributes (length, type, value padded to 4) in the writer's byte order,
    little-endian here.
    """
    stop = state["stop"]
    offset += 4
    for _ in range(NFLOG_ATTRIBUTES_MAX):
        if offset + 4 > stop:
            return Reason.TRUNCATED_LINK, Layer.FAILED
        length = u16_little(data, offset)
        if length < 4:
            return Reason.TRUNCATED_LINK, Layer.FAILED
        if u16_little(data, offset + 2) & 0x7FFF == NFLOG_PAYLOAD:
            return offset + 4, Layer.RAW_IP
        offset += (length + 3) & ~3
    return Reason.TOO_MANY_LAYERS, Layer.FAILED
