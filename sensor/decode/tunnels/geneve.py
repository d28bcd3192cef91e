"""GENEVE, RFC 8926. In: a UDP payload on one of the ports. Out: the inner frame or packet; the options are skipped.

The law: version and reserved bits must be 0 and the protocol one that is decoded, else the row stays UDP. `tunnel_id`
is the VNI.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u24
from sensor.decode.layers import Layer
from sensor.schema import Tunnel

GENEVE = int(Tunnel.GENEVE)


@inline_kernel
def step(data, offset, state, row):
    if offset + 8 > state["stop"]:
        return offset, Layer.DONE
    first = at(data, offset)
    kind = u16(data, offset + 2)
    inner = offset + 8 + (first & 0x3F) * 4
    if first >> 6 or at(data, offset + 1) & 0x3F or at(data, offset + 7) or inner > state["stop"]:
        return offset, Layer.DONE
    if kind != Layer.ETHERNET and kind != Layer.IPV4 and kind != Layer.IPV6 and kind != Layer.MPLS:
        return offset, Layer.DONE
    row["tunnel"] = GENEVE
    row["tunnel_id"] = u24(data, offset + 4)
    return inner, kind
