"""ICMP (RFC 792) and ICMPv6 (RFC 4443). In: a header. Out: a complete row.

The law: ports are what Community ID v1 makes of a message: its type and the type that answers it, or else its type
and code.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16
from sensor.decode.layers import IP, Layer
from sensor.decode.reasons import Reason
from sensor.decode.transport import put_payload
from sensor.decode.udp import clear_tcp

NOT_ANSWERED = -1


@inline_kernel
def counterpart(kind):
    """The type that answers ICMP type `kind`: echo, router solicitation, timestamp, information, mask."""
    if kind == 0 or kind == 8:
        return 8 - kind
    if kind == 9 or kind == 10:
        return 19 - kind
    if 13 <= kind <= 18:
        return ((kind - 13) ^ 1) + 13
    return NOT_ANSWERED


@inline_kernel
def counterpart6(kind):
    """The type that answers ICMPv6 type `kind`: echo, listener, router, neighbour, node information, home agent."""
    if 128 <= kind <= 131 or kind == 144 or kind == 145:
        return kind ^ 1
    if 133 <= kind <= 136 or kind == 139 or kind == 140:
        return ((kind - 1) ^ 1) + 1
    return NOT_ANSWERED


@inline_kernel
def step(data, offset, layer, state, row):
    if offset + 4 > state["stop"] or offset + 8 > state["wire_stop"]:
        return Reason.TRUNCATED_ICMP, Layer.FAILED
    kind, code = at(data, offset), at(data, offset + 1)
    answer = counterpart(kind) if layer == Layer.ICMP else counterpart6(kind)
    row["src_port"] = kind
    row["dst_port"] = code if answer == NOT_ANSWERED else answer
    clear_tcp(row)
    row["checksum"] = u16(data, offset + 2)
    put_payload(row, layer - IP, offset + 8, state["stop"], state["wire_stop"])
    return offset, Layer.DONE
