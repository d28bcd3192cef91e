"""VXLAN (RFC 7348), its group policy extension and VXLAN-GPE. In: a UDP payload on one of the ports. Out: the inner
frame.

The law: flags and reserved bits must be as written and an Ethernet header must follow, else the row stays UDP.
`tunnel_id` is the VNI.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.ethernet import looks_like_ethernet
from sensor.decode.fields import u24
from sensor.decode.layers import Layer
from sensor.schema import Tunnel

VXLAN = int(Tunnel.VXLAN)
VNI = 0x08        # the network identifier is valid
GROUP = 0x80      # bytes 2 and 3 hold a group
NEXT_PROTOCOL = 0x04


@inline_kernel
def step(data, offset, state, row):
    if offset + 8 > state["stop"] or not at(data, offset) & VNI or at(data, offset + 7) != 0:
        return offset, Layer.DONE
    flags = at(data, offset)
    inner = offset + 8
    layer = Layer.ETHERNET + 0
    if flags & NEXT_PROTOCOL:
        following = at(data, offset + 3)
        if following == 1:
            layer = Layer.IPV4 + 0
        elif following == 2:
            layer = Layer.IPV6 + 0
        elif following != 3:
            return offset, Layer.DONE
    elif flags & ~(VNI | GROUP) or (not flags & GROUP and u24(data, offset + 1) != 0):
        return offset, Layer.DONE
    if layer == Layer.ETHERNET and not looks_like_ethernet(data, inner, state):
        return offset, Layer.DONE
    row["tunnel"] = VXLAN
    row["tunnel_id"] = u24(data, offset + 4)
    return inner, layer
