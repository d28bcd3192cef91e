"""TCP, RFC 9293. In: a header. Out: a complete row, and of a SYN what its options are like.

The law: the options are skipped by the data offset. When the snap length cut only options and payload off, the row is
still good: sequence number and payload length are known.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel, part_kernel
from sensor.decode.fields import u16, u32
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason
from sensor.decode.transport import put_payload
from sensor.schema import Proto

TCP = int(Proto.TCP)
_END, _NOTHING, _SCALE = 0, 1, 3


@part_kernel
def options_stack(data, start, stop):
    """1 to 255, by the kinds and order of a SYN's options and its window scale; alike for alike stacks.

    The segment size and the window, which follows it, are left out, as tunnels and mobile networks rewrite them.
    """
    hashed = 0x811C9DC5
    i = start
    while i < stop:
        kind = at(data, i)
        hashed = ((hashed ^ kind) * 0x01000193) & 0xFFFFFFFF
        if kind == _END:
            break
        if kind == _NOTHING:
            i += 1
            continue
        if i + 1 >= stop or at(data, i + 1) < 2:
            break
        if kind == _SCALE and i + 2 < stop:
            hashed = ((hashed ^ at(data, i + 2)) * 0x01000193) & 0xFFFFFFFF
        i += at(data, i + 1)
    return 1 + (hashed ^ (hashed >> 16)) % 255


@inline_kernel
def step(data, offset, state, row):
    if offset + 20 > state["stop"]:
        return Reason.TRUNCATED_TCP, Layer.FAILED
    payload = offset + (at(data, offset + 12) >> 4) * 4
    if payload < offset + 20 or payload > state["wire_stop"]:
        return Reason.BAD_TCP_HEADER_LENGTH, Layer.FAILED
    row["src_port"] = u16(data, offset)
    row["dst_port"] = u16(data, offset + 2)
    row["seq"] = u32(data, offset + 4)
    row["ack"] = u32(data, offset + 8)
    row["tcp_flags"] = at(data, offset + 13)
    row["window"] = u16(data, offset + 14)
    row["checksum"] = u16(data, offset + 16)
    row["stack"] = 0
    if at(data, offset + 13) & 2 != 0 and payload <= state["stop"]:
        row["stack"] = options_stack(data, offset + 20, payload)
    put_payload(row, TCP, payload, state["stop"], state["wire_stop"])
    return offset, Layer.DONE
