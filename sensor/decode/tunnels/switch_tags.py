"""Tags that switches put around a frame: VN-Tag (802.1BR), backbone bridging (802.1ah), FabricPath, NSH (RFC 8300).

In: the tag behind an EtherType. Out: what follows it. The law: they name no tunnel of the flow key: both ends of a
flow may differ.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.ethernet import ETHERTYPE_MIN
from sensor.decode.fields import u16
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason


@inline_kernel
def step(data, offset, layer, state, row):
    if offset + 6 > state["stop"]:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    if layer == Layer.VNTAG:  # 4 bytes of tag, then an EtherType
        kind = u16(data, offset + 4)
        if kind < ETHERTYPE_MIN:
            return offset + 6, Layer.LLC
        return offset + 6, kind
    if layer == Layer.BACKBONE:  # a 4-byte service instance, then the customer's frame
        return offset + 4, Layer.ETHERNET
    if layer == Layer.FABRIC_PATH:  # 2 bytes of tree and hop limit, then the host's frame
        return offset + 2, Layer.ETHERNET
    return nsh_next(data, offset)


@inline_kernel
def nsh_next(data, offset):
    """The network service header: length in units of 4 bytes at the end of its first two bytes, next protocol at byte
    3.
    """
    inner = offset + (u16(data, offset) & 0x3F) * 4
    protocol = at(data, offset + 3)
    if protocol == 1:
        return inner, Layer.IPV4
    if protocol == 2:
        return inner, Layer.IPV6
    if protocol == 3:
        return inner, Layer.ETHERNET
    if protocol == 5:
        return inner, Layer.MPLS
    return Reason.BAD_TUNNEL, Layer.FAILED
