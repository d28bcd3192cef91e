"""IP in IP (RFC 2003), 6in4 (RFC 4213), 4in6 (RFC 2473), and Ethernet in IP (RFC 3378). In: the inner packet. Out:
the same, marked.
"""

from __future__ import annotations

from sensor._jit import inline_kernel
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason
from sensor.schema import Tunnel

IPIP = int(Tunnel.IPIP)


@inline_kernel
def step(data, offset, layer, state, row):
    row["tunnel"] = IPIP
    row["tunnel_id"] = 0
    if layer == Layer.IPV4_IN_IP:
        return offset, Layer.IPV4
    if layer == Layer.IPV6_IN_IP:
        return offset, Layer.IPV6
    if offset + 2 > state["stop"]:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    return offset + 2, Layer.ETHERNET
