"""UDP, RFC 768, and the common header of SCTP, RFC 9260. In: a header. Out: a complete row, or the tunnel its port
names.

The law: a port only suggests a tunnel; Teredo is told by its content as well. The row is complete before the tunnel's
step looks inside, so that it may decline.
"""

from __future__ import annotations

from sensor._jit import at, inline_kernel
from sensor.decode.fields import u16
from sensor.decode.layers import BY_PORT, Layer
from sensor.decode.reasons import Reason
from sensor.decode.transport import put_payload
from sensor.decode.tunnels.teredo import is_teredo
from sensor.schema import Proto

UDP = int(Proto.UDP)
SCTP = int(Proto.SCTP)


@inline_kernel
def clear_tcp(row):
    row["seq"] = 0
    row["ack"] = 0
    row["tcp_flags"] = 0
    row["window"] = 0
    row["checksum"] = 0


@inline_kernel
def step(data, offset, state, row, ports):
    """`ports` (65,536 bytes) gives the tunnel code of each port, 0 for none; the destination's counts before the
    source's.
    """
    if offset + 8 > state["stop"]:
        return Reason.TRUNCATED_UDP, Layer.FAILED
    src, dst = u16(data, offset), u16(data, offset + 2)
    length = u16(data, offset + 4)
    end = offset + length
    if length == 0 or end > state["wire_stop"]:  # a jumbogram, or a length left to the NIC
        end = state["wire_stop"]
    elif length < 8:
        return Reason.BAD_UDP_LENGTH, Layer.FAILED
    row["src_port"] = src
    row["dst_port"] = dst
    clear_tcp(row)
    row["checksum"] = u16(data, offset + 6)
    stop = min(end, state["stop"])
    put_payload(row, UDP, offset + 8, stop, end)
    code = at(ports, dst)
    if code == 0:
        code = at(ports, src)
    if code == 0 and is_teredo(data, offset + 8, stop, end):
        code = Layer.TEREDO - BY_PORT
    if code == 0:
        return offset, Layer.DONE
    state["stop"] = stop
    state["wire_stop"] = end
    return offset + 8, BY_PORT + code


@inline_kernel
def sctp_step(data, offset, state, row):
    """Ports; the payload is the chunks."""
    if offset + 12 > state["stop"]:
        return Reason.TRUNCATED_SCTP, Layer.FAILED
    row["src_port"] = u16(data, offset)
    row["dst_port"] = u16(data, offset + 2)
    clear_tcp(row)
    put_payload(row, SCTP, offset + 12, state["stop"], state["wire_stop"])
    return offset, Layer.DONE
