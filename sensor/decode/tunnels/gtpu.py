"""GTP-U version 1, 3GPP TS 29.281. In: a UDP payload on port 2152. Out: the user's IP packet.

The law: only a G-PDU whose payload begins like IP is a tunnel, else the row stays UDP. `tunnel_id` is the TEID, which
differs between the two directions of a flow.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u32
from sensor.decode.layers import Layer
from sensor.schema import Tunnel

GTPU = int(Tunnel.GTPU)
G_PDU = 0xFF
VERSION_1_GTP = 0x30
OPTIONAL = 0x07   # any of: extension header, sequence number, N-PDU number
EXTENSION = 0x04
EXTENSIONS_MAX = 8


@inline_kernel
def step(data, offset, state, row):
    stop = state["stop"]
    if offset + 9 > stop or at(data, offset) & 0xF8 != VERSION_1_GTP or at(data, offset + 1) != G_PDU:
        return offset, Layer.DONE
    flags = at(data, offset)
    inner = offset + 8
    if inner + u16(data, offset + 2) > state["wire_stop"]:
        return offset, Layer.DONE
    if flags & OPTIONAL:
        inner = after_extensions(data, inner, stop, flags)
    if inner < 0 or inner >= stop:
        return offset, Layer.DONE
    version = at(data, inner) >> 4
    if version != 4 and version != 6:
        return offset, Layer.DONE
    row["tunnel"] = GTPU
    row["tunnel_id"] = u32(data, offset + 4)
    return inner, Layer.RAW_IP


@inline_kernel
def after_extensions(data, offset, stop, flags):
    """Offset behind the 4 optional bytes and the extension headers they announce, -1 when these make no sense."""
    offset += 4
    if offset > stop:
        return -1
    following = at(data, offset - 1) if flags & EXTENSION else 0
    for _ in range(EXTENSIONS_MAX):
        if following == 0:
            return offset
        if offset >= stop:
            return -1
        length = at(data, offset) * 4
        if length == 0 or offset + length > stop:
            return -1
        offset += length
        following = at(data, offset - 1)
    return -1
