"""TZSP, the TaZmen Sniffer Protocol. In: a UDP payload on port 37008. Out: the mirrored Ethernet or 802.11 frame.

The law: version 1, type 0 or 1 (a received frame) and a closed list of tags, else the row stays UDP.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16
from sensor.decode.layers import Layer
from sensor.schema import Tunnel

TZSP = int(Tunnel.TZSP)
TAG_PADDING, TAG_END = 0, 1
TAGS_MAX = 32


@inline_kernel
def step(data, offset, state, row):
    stop = state["stop"]
    if offset + 5 > stop or at(data, offset) != 1 or at(data, offset + 1) > 1:
        return offset, Layer.DONE
    protocol = u16(data, offset + 2)
    inner = after_tags(data, offset + 4, stop)
    if inner < 0 or (protocol != 1 and protocol != 0x12):
        return offset, Layer.DONE
    row["tunnel"] = TZSP
    row["tunnel_id"] = 0
    return inner, Layer.ETHERNET if protocol == 1 else Layer.WLAN


@inline_kernel
def after_tags(data, offset, stop):
    """Offset behind the end tag, or -1."""
    for _ in range(TAGS_MAX):
        if offset >= stop:
            return -1
        tag = at(data, offset)
        if tag == TAG_END:
            return offset + 1
        if tag == TAG_PADDING:
            offset += 1
        elif offset + 1 < stop:
            offset += 2 + at(data, offset + 1)
        else:
            return -1
    return -1
