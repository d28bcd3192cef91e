"""Datagrams that somebody reads: in: UDP segments; out: a chunk for each that may be DNS, and for each of a flow's
first that begins a QUIC connection.

DNS is told by its port or, among a flow's first datagrams, by a header that has one question and nothing odd (RFC 1035,
4.1.1). Of QUIC only long headers of the versions that can be read go on (RFC 9000, 17.2; RFC 9369; the drafts 23 to
34), the first in a datagram as large as one that carries a hello must be (RFC 9000, 14.1). The one law: a datagram
behind a flow's first ones that is neither costs a few comparisons.
"""

import numpy as np

from sensor._jit import at, inline_kernel
from sensor.reassembly.flow_table import DNS_PORT
from sensor.reassembly.order import emit
from sensor.reassembly.tables import Count
from sensor.schema import ChunkKind, ChunkSource, SegmentFlag, Service
from sensor.structures.bytesearch import load64

DATAGRAM_BYTES_MIN = 1_200
HEADER_BYTES_MIN = 7
PACKETS_MAX = 12
"""A handshake is over by then: a ClientHello has at most a few packets, and is sent again two or three times."""
_LONG_HEADER = 0x80
_VERSION_1, _VERSION_2 = 1, 0x6B3343CF
_DRAFT_FIRST, _DRAFT_LAST = 0xFF000017, 0xFF000022

MDNS_PORT, LLMNR_PORT = 5353, 5355
_NETBIOS_PORT = 137
"""Its messages have the form of DNS, and names of another kind."""
_DNS_HEADER_BYTES = 12
_QUESTION_BYTES_MIN = 17
_DNS_PACKETS_MAX = 4
"""Packets of a direction in which DNS on another port is looked for."""
_OPCODE, _AUTHORITATIVE, _RESPONSE = 0x78, 0x04, 0x80
_RESERVED = 0x40


@inline_kernel
def _is_readable(version):
    return version == _VERSION_1 or version == _VERSION_2 or (_DRAFT_FIRST <= version <= _DRAFT_LAST)


@inline_kernel
def _names_dns(port):
    return port == DNS_PORT or port == MDNS_PORT or port == LLMNR_PORT


@inline_kernel
def _has_dns_header(buffer, start):
    """Whether a standard query begins here, with one question and no answers, or what answers one."""
    word = load64(buffer, start)
    first, second = (word >> np.uint64(16)) & np.uint64(0xFF), (word >> np.uint64(24)) & np.uint64(0xFF)
    if (word >> np.uint64(32)) & np.uint64(0xFFFF) != np.uint64(0x0100):  # as it lies in memory
        return False
    if first & np.uint64(_OPCODE) != 0 or second & np.uint64(_RESERVED) != 0:
        return False
    if first & np.uint64(_RESPONSE) != 0:
        return True
    return first & np.uint64(_AUTHORITATIVE) == 0 and second & np.uint64(0x8F) == 0 and word >> np.uint64(48) == 0


@inline_kernel
def _may_be_dns(t, stream_row, segment, buffer, length):
    """Whether the DNS parser is to look at it."""
    service = t.flows[stream_row >> 1]["service"]
    if length < _DNS_HEADER_BYTES:
        return False
    if service == Service.DNS or _names_dns(segment["dst_port"]) or _names_dns(segment["src_port"]):
        return True
    if service != Service.UNKNOWN and service != Service.MAYBE_DNS:
        return False
    if t.streams[stream_row]["packets"] > _DNS_PACKETS_MAX or length < _QUESTION_BYTES_MIN:
        return False
    return segment["dst_port"] != _NETBIOS_PORT and _has_dns_header(buffer, segment["payload_offset"])


@inline_kernel
def read_datagram(t, stream_row, segment, buffer):
    """Hand on what may be DNS, or begin a QUIC connection."""
    length = np.int64(segment["payload_caplen"])
    flow = t.flows[stream_row >> 1]
    start = np.int64(segment["payload_offset"])
    rebuilt = segment["flags"] & SegmentFlag.REBUILT != 0
    source = np.int64(ChunkSource.DATAGRAMS) if rebuilt else np.int64(ChunkSource.BLOCK)
    is_dns = _may_be_dns(t, stream_row, segment, buffer, length)
    if not is_dns:
        begun = flow["service"] == Service.QUIC
        if length < (HEADER_BYTES_MIN if begun else DATAGRAM_BYTES_MIN):
            return
        if t.streams[stream_row]["packets"] > PACKETS_MAX:
            return
        if at(buffer, start) & _LONG_HEADER == 0:  # the bit behind it may be anything (RFC 9287)
            return
        version = 0
        for i in range(1, 5):
            version = version << 8 | at(buffer, start + i)
        if not _is_readable(version):
            return
        if flow["service"] == Service.UNKNOWN or flow["service"] == Service.MAYBE_DNS:
            flow["service"] = Service.QUIC
        t.counts[Count.QUIC_DATAGRAMS] += 1
    else:
        if flow["service"] == Service.UNKNOWN:
            flow["service"] = Service.MAYBE_DNS
        t.counts[Count.DNS_DATAGRAMS] += 1
    emit(t, stream_row, ChunkKind.DATA, source, start, length, 0, -1, segment["ts"])
