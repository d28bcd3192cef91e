"""Bodies: in: the bytes of DATA frames; out: their length, what somebody wants of them, gRPC's messages counted."""

from sensor._jit import at, part_kernel
from sensor.protocols.http1.body import body_bytes
from sensor.protocols.http1.tables import Count, State
from sensor.protocols.http2.slots import flow_of
from sensor.protocols.http2.tables import Tunnel
from sensor.protocols.http2.tunnels import pass_through

_LENGTH_BYTES = 4


@part_kernel
def count_messages(t, stream_row, slot, direction, data, start, stop):
    """gRPC's length-prefixed messages: a flag, four bytes of length, the message (state in `line` and `remaining`)."""
    stream = t.http_streams[stream_row]
    record = t.h2.slots[slot]
    i = start
    while i < stop and record["messages"][direction] >= 0:
        if stream["remaining"] > 0:
            taken = min(stream["remaining"], stop - i)
            stream["remaining"] -= taken
            i += taken
            continue
        byte = at(data, i)
        i += 1
        if stream["line"] == 0:
            stream["chunk_size"] = 0
            if byte > 1:
                record["messages"][direction] = -1  # no message begins like this
        else:
            stream["chunk_size"] = (stream["chunk_size"] << 8) | byte
        stream["line"] += 1
        if stream["line"] > _LENGTH_BYTES:
            record["messages"][direction] += 1
            stream["remaining"] = stream["chunk_size"]
            stream["line"] = 0


@part_kernel
def take_body(t, slot, direction, data, start, stop):
    """Bytes of a DATA frame, padding left out."""
    stream_row = 2 * flow_of(t, slot) + direction
    stream = t.http_streams[stream_row]
    if stream["state"] == State.CLOSE:
        body_bytes(t, stream_row, data, start, stop)
        stream["body"] += stop - start
        record = t.h2.slots[slot]
        if record["grpc"] & (1 << direction) != 0:
            count_messages(t, stream_row, slot, direction, data, start, stop)
        elif record["tunnel"] == Tunnel.GRANTED:
            pass_through(t, record, direction, data, start, stop)
    elif stream["state"] == State.OPAQUE:
        t.numbers[Count.TUNNEL_BYTES] += stop - start
    else:
        t.numbers[Count.SKIPPED_BYTES] += stop - start
