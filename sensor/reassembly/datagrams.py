"""Datagrams that somebody reads: in: UDP segments; out: a chunk for each of a flow's first that begins a QUIC
connection.

Only long headers of the versions that can be read go on (RFC 9000, 17.2; RFC 9369; the drafts 23 to 34), the first in a
datagram as large as one that carries a hello must be (RFC 9000, 14.1). The one law: any other datagram costs two
comparisons.
"""

import numpy as np

from sensor._jit import at, inline_kernel
from sensor.reassembly.order import emit
from sensor.reassembly.tables import Count
from sensor.schema import ChunkKind, ChunkSource, SegmentFlag, Service

DATAGRAM_BYTES_MIN = 1_200
HEADER_BYTES_MIN = 7
PACKETS_MAX = 12
"""A handshake is over by then: a ClientHello has at most a few packets, and is sent again two or three times."""
_LONG_HEADER = 0x80
_VERSION_1, _VERSION_2 = 1, 0x6B3343CF
_DRAFT_FIRST, _DRAFT_LAST = 0xFF000017, 0xFF000022


@inline_kernel
def _is_readable(version):
    return version == _VERSION_1 or version == _VERSION_2 or (_DRAFT_FIRST <= version <= _DRAFT_LAST)


@inline_kernel
def read_datagram(t, stream_row, segment, buffer):
    """Hand on what may begin a QUIC connection."""
    length = np.int64(segment["payload_caplen"])
    flow = t.flows[stream_row >> 1]
    begun = flow["service"] == Service.QUIC
    if length < (HEADER_BYTES_MIN if begun else DATAGRAM_BYTES_MIN) or t.streams[stream_row]["packets"] > PACKETS_MAX:
        return
    start = np.int64(segment["payload_offset"])
    if at(buffer, start) & _LONG_HEADER == 0:  # the bit behind it may be anything (RFC 9287)
        return
    version = 0
    for i in range(1, 5):
        version = version << 8 | at(buffer, start + i)
    if not _is_readable(version):
        return
    if flow["service"] == Service.UNKNOWN:
        flow["service"] = Service.QUIC
    rebuilt = segment["flags"] & SegmentFlag.REBUILT != 0
    source = np.int64(ChunkSource.DATAGRAMS) if rebuilt else np.int64(ChunkSource.BLOCK)
    emit(t, stream_row, ChunkKind.DATA, source, start, length, 0, -1, segment["ts"])
    t.counts[Count.QUIC_DATAGRAMS] += 1
