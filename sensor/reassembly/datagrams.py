"""Datagrams that somebody reads: in: UDP segments; out: a chunk for each that may be DNS, and for each of a flow's
first that begins a QUIC or DTLS connection.

DNS is told by its port or, among a flow's first datagrams, by a header that has one question and nothing odd (RFC 1035,
4.1.1). Of QUIC only long headers of the versions that can be read go on (RFC 9000, 17.2; RFC 9369; the drafts 23 to
34), the first in a datagram as large as one that carries a hello must be (RFC 9000, 14.1). DTLS is told by a hello
in clear (RFC 6347, 4.2.2; RFC 9147, 5.3), among other protocols of the same ports too, as WebRTC has it. The one law: a
datagram behind a flow's first ones that is none of these costs a few comparisons.
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
_RECORD_BYTES = 13
PACKETS_MAX = 12
"""A handshake is over by then: a ClientHello has at most a few packets, and is sent again two or three times."""
_DTLS_PACKETS_MAX = 64
"""Packets of a direction in which DTLS is looked for, and followed: STUN comes before, certificates come in pieces."""
_DTLS_HELLO_BYTES = 27
"""Headers of a record and of a fragment, and a hello's version."""
_HANDSHAKE, _ALERT, _CHANGE, _CLIENT_HELLO, _SERVER_HELLO = 22, 21, 20, 1, 2
_DTLS_MAJOR, _DTLS_10, _DTLS_12 = 0xFE, 0xFF, 0xFD
_UNIFIED_MASK, _UNIFIED = 0xE0, 0x20
_LONG_HEADER = 0x80
_VERSION_1, _VERSION_2 = 1, 0x6B3343CF
_DRAFT_FIRST, _DRAFT_LAST = 0xFF000017, 0xFF000022
_MVFST_2, _MVFST_E = 0xFACEB002, 0xFACEB00E
"""Facebook's own versions."""

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
    known = version == _VERSION_1 or version == _VERSION_2 or version == _MVFST_2 or version == _MVFST_E
    return known or (_DRAFT_FIRST <= version <= _DRAFT_LAST)


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
def _is_dtls(t, stream_row, buffer, start, length):
    """Whether a DTLS connection begins here, or a record of one that began."""
    flow = t.flows[stream_row >> 1]
    if t.streams[stream_row]["packets"] > _DTLS_PACKETS_MAX or length < _RECORD_BYTES:
        return False
    kind, minor = at(buffer, start), at(buffer, start + 2)
    if flow["service"] == Service.SSL:
        known = kind == _HANDSHAKE or kind == _ALERT or kind == _CHANGE
        return (known and at(buffer, start + 1) == _DTLS_MAJOR) or kind & _UNIFIED_MASK == _UNIFIED
    if kind != _HANDSHAKE or length < _DTLS_HELLO_BYTES or at(buffer, start + 1) != _DTLS_MAJOR:
        return False
    if (minor != _DTLS_10 and minor != _DTLS_12) or at(buffer, start + 3) != 0 or at(buffer, start + 4) != 0:
        return False
    hello = at(buffer, start + 13)
    return (hello == _CLIENT_HELLO or hello == _SERVER_HELLO) and at(buffer, start + 25) == _DTLS_MAJOR


@inline_kernel
def _is_quic(t, stream_row, buffer, start, length):
    """Whether a QUIC connection begins here, or goes on with a handshake."""
    if length < (HEADER_BYTES_MIN if t.flows[stream_row >> 1]["service"] == Service.QUIC else DATAGRAM_BYTES_MIN):
        return False
    if t.streams[stream_row]["packets"] > PACKETS_MAX:
        return False
    if at(buffer, start) & _LONG_HEADER == 0:  # the bit behind it may be anything (RFC 9287)
        return False
    version = 0
    for i in range(1, 5):
        version = version << 8 | at(buffer, start + i)
    return _is_readable(version)


@inline_kernel
def read_datagram(t, stream_row, segment, buffer):
    """Hand on what may be DNS, or begin a QUIC or DTLS connection."""
    length = np.int64(segment["payload_caplen"])
    start = np.int64(segment["payload_offset"])
    rebuilt = segment["flags"] & SegmentFlag.REBUILT != 0
    source = np.int64(ChunkSource.DATAGRAMS) if rebuilt else np.int64(ChunkSource.BLOCK)
    service = np.int64(Service.SSL)
    if _may_be_dns(t, stream_row, segment, buffer, length):
        service = np.int64(Service.MAYBE_DNS)
        t.counts[Count.DNS_DATAGRAMS] += 1
    elif _is_quic(t, stream_row, buffer, start, length):
        service = np.int64(Service.QUIC)
        t.counts[Count.QUIC_DATAGRAMS] += 1
    elif _is_dtls(t, stream_row, buffer, start, length):
        t.counts[Count.DTLS_DATAGRAMS] += 1
    else:
        return
    flow = t.flows[stream_row >> 1]
    if flow["service"] == Service.UNKNOWN or (service != Service.MAYBE_DNS and flow["service"] == Service.MAYBE_DNS):
        flow["service"] = service
    emit(t, stream_row, ChunkKind.DATA, source, start, length, 0, -1, segment["ts"])
