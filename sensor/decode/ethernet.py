"""Ethernet II, 802.3 with LLC/SNAP. In: a frame. Out: the EtherType it carries.

The law: a type field below 0x600 is an 802.3 length, and what follows is LLC (IEEE 802.3 3.2.6).
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel, part_kernel
from sensor.decode.fields import u16, u24
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason

HEADER = 14
ETHERTYPE_MIN = 0x600
SNAP_ETHERTYPE = 0x000000
SNAP_BRIDGED = 0x0000F8  # RFC 1042 through a bridge tunnel: an EtherType too


@inline_kernel
def step(data, offset, state, row):
    if offset + HEADER > state["stop"]:
        return Reason.TRUNCATED_ETHERNET, Layer.FAILED
    kind = u16(data, offset + 12)
    if kind < ETHERTYPE_MIN:
        return offset + HEADER, Layer.LLC
    return offset + HEADER, kind


@inline_kernel
def llc_step(data, offset, state, row):
    """802.2: SNAP with an EtherType (RFC 1042), or IP by its own service access point 0x06."""
    if offset + 3 > state["stop"]:
        return Reason.TRUNCATED_LINK, Layer.FAILED
    service = at(data, offset)
    if service == 0x06:
        return offset + 3, Layer.IPV4
    if service != 0xAA or offset + 8 > state["stop"]:
        return Reason.LLC, Layer.FAILED
    organisation = u24(data, offset + 3)
    kind = u16(data, offset + 6)
    if (organisation != SNAP_ETHERTYPE and organisation != SNAP_BRIDGED) or kind < ETHERTYPE_MIN:
        return Reason.LLC, Layer.FAILED
    return offset + 8, kind


@part_kernel
def looks_like_ethernet(data, offset, state):
    """Whether a plausible Ethernet header with a decoded EtherType (or LLC) stands at `offset`."""
    if offset + HEADER > state["stop"]:
        return False
    kind = u16(data, offset + 12)
    if kind < ETHERTYPE_MIN:
        return offset + HEADER + kind <= state["wire_stop"] and kind > 2
    return (
        kind == Layer.IPV4
        or kind == Layer.IPV6
        or kind == Layer.ARP
        or kind == Layer.VLAN
        or kind == Layer.VLAN_SERVICE
        or kind == Layer.VLAN_OLD
        or kind == Layer.MPLS
        or kind == Layer.PPPOE
    )
