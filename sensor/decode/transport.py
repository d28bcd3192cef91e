"""The columns every transport shares. In: the offset behind a transport header. Out: where the payload lies and how
long it is.
"""

from __future__ import annotations

from sensor._jit import inline_kernel
from sensor.schema import SegmentFlag

CUT = int(SegmentFlag.CUT)


@inline_kernel
def put_payload(row, proto, offset, stop, wire_stop):
    """`stop` and `wire_stop` end what was captured and what was sent; a payload of which nothing was captured lies at
    `stop`.
    """
    start = min(offset, stop)
    row["payload_offset"] = start
    row["payload_caplen"] = stop - start
    row["payload_len"] = wire_stop - offset
    row["proto"] = proto
    if stop - start < wire_stop - offset:
        row["flags"] |= CUT
