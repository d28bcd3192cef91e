"""IPv4, RFC 791. In: a header. Out: addresses, lengths and the protocol behind it, or a fragment.

The law: the total length bounds the packet (Ethernet padding is no payload), except when it is 0: then the sending
NIC was to fill it in, and the frame's length counts. A total length beyond the frame is a lie that no receiver
believes, so the frame's counts too, but not inside a tunnel: mirrors cut the packets they wrap.
"""

from __future__ import annotations

import numpy as np

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u32
from sensor.decode.layers import IP, Layer
from sensor.decode.reasons import Reason
from sensor.schema import SegmentFlag

MAPPED = 0xFFFF_0000_0000  # ::ffff:0:0/96
OFFLOAD = int(SegmentFlag.OFFLOAD)


@inline_kernel
def step(data, offset, state, row):
    if offset + 20 > state["stop"]:
        return Reason.TRUNCATED_IPV4, Layer.FAILED
    first = at(data, offset)
    if first >> 4 != 4:
        return Reason.BAD_IP_VERSION, Layer.FAILED
    payload = offset + (first & 15) * 4
    if payload < offset + 20:
        return Reason.BAD_IPV4_HEADER_LENGTH, Layer.FAILED
    end = offset + u16(data, offset + 2)
    flags = 0
    if end == offset:
        end = state["wire_stop"]
        flags = OFFLOAD
    elif end > state["wire_stop"] and row["tunnel"] == 0:
        end = state["wire_stop"]
    if end < payload:
        return Reason.BAD_IPV4_LENGTH, Layer.FAILED
    if payload > state["stop"]:
        return Reason.TRUNCATED_IPV4, Layer.FAILED
    state["wire_stop"] = end
    state["stop"] = min(state["stop"], end)
    row["src_hi"] = 0
    row["src_lo"] = np.uint64(u32(data, offset + 12) | MAPPED)
    row["dst_hi"] = 0
    row["dst_lo"] = np.uint64(u32(data, offset + 16) | MAPPED)
    row["ip_len"] = end - offset
    row["ip_id"] = u16(data, offset + 4)
    row["ttl"] = at(data, offset + 8)
    row["flags"] = flags
    proto = at(data, offset + 9)
    fragment = u16(data, offset + 6)
    if fragment & 0x3FFF:
        state["fragment_offset"] = (fragment & 0x1FFF) * 8
        state["fragment_more"] = fragment >> 13 & 1
        state["fragment_id"] = u16(data, offset + 4)
        state["fragment_proto"] = proto
        return payload, Layer.IP_FRAGMENT
    return payload, IP + proto
