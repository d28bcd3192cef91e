"""IPv6 and its extension headers, RFC 8200. In: a header. Out: addresses, lengths and the next header, or a fragment.

The law: the payload length bounds the packet; 0 means a jumbo payload (RFC 2675) when such an option follows, and a
length left to the sending NIC otherwise. A length beyond the frame counts in tunnels only, as in IPv4.
"""

from __future__ import annotations

from sensor import limits
from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u32, u64
from sensor.decode.layers import IP, Layer
from sensor.decode.reasons import Reason
from sensor.schema import SegmentFlag

HEADER = 40
JUMBO = 0xC2
IPV6 = int(SegmentFlag.IPV6)
OFFLOAD = int(SegmentFlag.OFFLOAD)


@inline_kernel
def step(data, offset, state, row):
    if offset + HEADER > state["stop"]:
        return Reason.TRUNCATED_IPV6, Layer.FAILED
    if at(data, offset) >> 4 != 6:
        return Reason.BAD_IP_VERSION, Layer.FAILED
    payload = offset + HEADER
    end = payload + u16(data, offset + 4)
    flags = IPV6
    if end == payload:
        end = state["wire_stop"]
        flags = IPV6 | OFFLOAD
    elif end > state["wire_stop"] and row["tunnel"] == 0:
        end = state["wire_stop"]
    state["wire_stop"] = end
    state["stop"] = min(state["stop"], end)
    state["extensions"] = 0
    row["src_hi"] = u64(data, offset + 8)
    row["src_lo"] = u64(data, offset + 16)
    row["dst_hi"] = u64(data, offset + 24)
    row["dst_lo"] = u64(data, offset + 32)
    row["ip_len"] = end - offset
    row["ip_id"] = 0
    row["ttl"] = at(data, offset + 7)
    row["flags"] = flags
    return payload, IP + at(data, offset + 6)


@inline_kernel
def extension_step(data, offset, layer, state, row):
    """Hop-by-hop, destination and routing headers, and those of mobile hosts, HIP and Shim6 (RFC 7045, 4): length in
    units of 8 bytes, the first not counted.

    AH (RFC 4302), which IPv4 knows too: in units of 4 bytes, two of them not counted.
    """
    if layer != Layer.AUTHENTICATION and not row["flags"] & IPV6:
        return Reason.UNKNOWN_TRANSPORT, Layer.FAILED
    state["extensions"] += 1
    if state["extensions"] > limits.IPV6_EXTENSIONS_MAX:
        return Reason.TOO_MANY_EXTENSIONS, Layer.FAILED
    if offset + 8 > state["stop"]:
        return Reason.TRUNCATED_IPV6_EXTENSION, Layer.FAILED
    length = at(data, offset + 1)
    after = offset + ((length + 2) * 4 if layer == Layer.AUTHENTICATION else (length + 1) * 8)
    if after > state["stop"]:
        return Reason.TRUNCATED_IPV6_EXTENSION, Layer.FAILED
    if layer == Layer.HOP_BY_HOP and row["flags"] & OFFLOAD and not _jumbo(data, offset, after, state, row):
        return Reason.BAD_IPV6_JUMBO, Layer.FAILED
    return after, IP + at(data, offset)


@inline_kernel
def _jumbo(data, offset, after, state, row):
    """Take the packet's end from a jumbo payload option, if there is one; False when it contradicts itself. RFC 2675
    section 2.
    """
    option = offset + 2
    while option + 1 < after:
        if at(data, option) == 0:
            option += 1
            continue
        if at(data, option) == JUMBO and at(data, option + 1) == 4 and option + 6 <= after:
            start = offset - HEADER
            end = offset + u32(data, option + 2)
            if end < after:
                return False
            if row["tunnel"] == 0:
                end = min(end, state["wire_stop"])
            row["ip_len"] = end - start
            row["flags"] = IPV6
            state["wire_stop"] = end
            state["stop"] = min(state["stop"], end)
            return True
        option += 2 + at(data, option + 1)
    return True


@inline_kernel
def fragment_step(data, offset, state, row):
    """RFC 8200 section 4.5; a first fragment that is also the last is a whole packet (RFC 6946)."""
    if not row["flags"] & IPV6:
        return Reason.UNKNOWN_TRANSPORT, Layer.FAILED
    if offset + 8 > state["stop"]:
        return Reason.TRUNCATED_IPV6_EXTENSION, Layer.FAILED
    fragment = u16(data, offset + 2)
    proto = at(data, offset)
    if fragment & 0xFFF9 == 0:
        return offset + 8, IP + proto
    state["fragment_offset"] = fragment & 0xFFF8
    state["fragment_more"] = fragment & 1
    state["fragment_id"] = u32(data, offset + 4)
    state["fragment_proto"] = proto
    return offset + 8, Layer.IP_FRAGMENT
