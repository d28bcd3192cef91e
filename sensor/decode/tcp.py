"""TCP, RFC 9293. In: a header. Out: a complete row.

The law: the options are skipped by the data offset. When the snap length cut only options and payload off, the row is
still good: sequence number and payload length are known.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16, u32
from sensor.decode.layers import Layer
from sensor.decode.reasons import Reason
from sensor.decode.transport import put_payload
from sensor.schema import Proto

TCP = int(Proto.TCP)


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
    put_payload(row, TCP, payload, state["stop"], state["wire_stop"])
    return offset, Layer.DONE
