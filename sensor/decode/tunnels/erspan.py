"""ERSPAN types II and III, draft-foschiano-erspan. In: the header behind GRE. Out: the mirrored Ethernet frame.

The law: `tunnel_id` is the session; type I has no header and is dealt with in gre.py.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason
from sensor.schema import Tunnel

ERSPAN = int(Tunnel.ERSPAN)
FRAME_TYPE_ETHERNET, FRAME_TYPE_IP = 0, 2


@inline_kernel
def step(data, offset, layer, state, row):
    header = 8 if layer == Layer.ERSPAN_2 else 12
    if offset + header > state["stop"]:
        return Reason.TRUNCATED_TUNNEL, Layer.FAILED
    version = at(data, offset) >> 4
    if version != (1 if layer == Layer.ERSPAN_2 else 2):
        return Reason.BAD_TUNNEL, Layer.FAILED
    row["tunnel"] = ERSPAN
    row["tunnel_id"] = u16(data, offset + 2) & 0x3FF
    if layer == Layer.ERSPAN_2:
        return offset + header, Layer.ETHERNET
    options = u16(data, offset + 10)  # P, frame type (5), hardware (6), direction, granularity (2), O
    frame_type = options >> 10 & 0x1F
    if options & 1:
        header += 8
    if frame_type == FRAME_TYPE_ETHERNET:
        return offset + header, Layer.ETHERNET
    if frame_type == FRAME_TYPE_IP:
        return offset + header, Layer.RAW_IP
    return Reason.BAD_TUNNEL, Layer.FAILED
