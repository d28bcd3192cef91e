"""Every table of the hot path, in the order the bytes travel. One table is one C-contiguous array of the record below.

    Frames -> Segments -> Flows, Streams, Chunks -> Transactions (schema_transactions.py), Contents (schema_contents.py)

Addresses are 128 bits in two uint64 (`_hi`, `_lo`), IPv4 as ::ffff:a.b.c.d. Times are int64 nanoseconds since 1970
(`ts`: of the packet; `now`: packet time as the sensor sees it, which never runs backwards). Byte counts are of the
wire, not of the snap length.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from sensor.schema_contents import CONTENT as CONTENT  # noqa: PLC0414
from sensor.schema_contents import Coding as Coding  # noqa: PLC0414
from sensor.schema_contents import ContentFlag as ContentFlag  # noqa: PLC0414
from sensor.schema_contents import Wanted as Wanted  # noqa: PLC0414
from sensor.schema_transactions import TRANSACTION as TRANSACTION  # noqa: PLC0414
from sensor.schema_transactions import Anomaly as Anomaly  # noqa: PLC0414
from sensor.schema_transactions import TokenFlag as TokenFlag  # noqa: PLC0414
from sensor.schema_transactions import TransactionFlag as TransactionFlag  # noqa: PLC0414

# --- Frames: bytes as captured -------------------------------------------------------------------------------------

FRAME = np.dtype(
    [
        ("offset", "i8"),   # of the first byte in the block's buffer
        ("ts", "i8"),
        ("caplen", "u4"),   # bytes in the buffer
        ("wirelen", "u4"),  # bytes on the wire
        ("link", "u2"),     # link type, https://www.tcpdump.org/linktypes.html
        ("flags", "u2"),    # FrameFlag
        ("vlan", "u2"),     # 802.1Q id that the network card took out of the frame, 0 when it took none
    ],
    align=True,
)


class FrameFlag(IntEnum):
    QUARANTINED = 1  # an insane timestamp: not decoded


# --- Segments: one decoded transport segment a row --------------------------------------------------------------------

SEGMENT = np.dtype(
    [
        ("ts", "i8"),
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("payload_offset", "i8"),  # of the transport payload in the block's buffer
        ("payload_caplen", "u4"),  # payload bytes in the buffer
        ("payload_len", "u4"),     # payload bytes on the wire, by the IP length
        ("ip_len", "u4"),          # IP packet on the wire, header included (Zeek's *_ip_bytes)
        ("frame", "u4"),           # row in Frames
        ("seq", "u4"),             # TCP
        ("ack", "u4"),             # TCP
        ("tunnel_id", "u4"),       # VNI, GRE key, TEID ... of the innermost tunnel
        ("src_port", "u2"),        # ICMP: type
        ("dst_port", "u2"),        # ICMP: the counterpart's type, or the code, as Community ID has it
        ("vlan", "u2"),            # innermost 802.1Q id, 0 when there is none
        ("window", "u2"),
        ("ip_id", "u2"),
        ("checksum", "u2"),        # of the transport, as sent; not verified
        ("proto", "u1"),           # IP protocol number of the transport
        ("tcp_flags", "u1"),
        ("tunnel", "u1"),          # Tunnel
        ("ttl", "u1"),
        ("flags", "u1"),           # SegmentFlag
        ("stack", "u1"),           # of a SYN: what its TCP options are like, 0 when unknown
    ],
    align=True,
)


class SegmentFlag(IntEnum):
    CUT = 1       # the snap length cut payload off
    OFFLOAD = 2   # the IP length was 0: merged by the NIC, length taken from the frame
    IPV6 = 4
    REBUILT = 8   # from IP fragments: payload_offset refers to decode's `datagrams`, not to the block's buffer


class Tunnel(IntEnum):
    NONE = 0
    GRE = 1
    ERSPAN = 2
    VXLAN = 3
    GENEVE = 4
    IPIP = 5
    GTPU = 6
    TZSP = 7
    L2TP = 8
    MPLS = 9
    TEREDO = 10


class Proto(IntEnum):
    """IP protocol numbers, https://www.iana.org/assignments/protocol-numbers."""

    ICMP = 1
    TCP = 6
    UDP = 17
    ICMP6 = 58
    SCTP = 132


class TcpFlag(IntEnum):
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80


# --- Flows: both directions of a 5-tuple plus tunnel id ---------------------------------------------------------------
# A flow's row number is its name while it lives. Direction 0 is the originator's, 1 the responder's; row
# 2*flow+direction of Streams belongs to it. A row that ended stays as it was until the batch after the one in which it
# ended.

FLOW = np.dtype(
    [
        ("orig_hi", "u8"),
        ("orig_lo", "u8"),
        ("resp_hi", "u8"),
        ("resp_lo", "u8"),
        ("start_ts", "i8"),
        ("last_ts", "i8"),
        ("end_now", "i8"),        # packet time at which the flow ended, or was told of while it lives
        ("told_ts", "i8"),        # when it was last told of while it lives, its start before
        ("serial", "i8"),         # 1 for the first flow of the run, 2 for the next: unlike the row, alike in every run
        ("hash", "u8"),
        ("history_low", "u8"),    # letters of Zeek's history, 5 bits each, first letter lowest
        ("history_high", "u8"),
        ("wheel_next", "i4"),
        ("wheel_prev", "i4"),
        ("wheel_bucket", "i4"),   # -1 when the flow has ended
        ("history_seen", "u4"),   # bit of each letter that the history holds
        ("tunnel_id", "u4"),
        ("orig_port", "u2"),
        ("resp_port", "u2"),
        ("vlan", "u2"),
        ("flags", "u2"),          # FlowFlag
        ("proto", "u1"),
        ("tunnel", "u1"),
        ("state", "u1"),          # TCP handshake as far as it was seen: TcpState
        ("conn_state", "u1"),     # ConnState, filled when the flow ends
        ("end_reason", "u1"),     # EndReason
        ("service", "u1"),        # Service
        ("history_len", "u1"),
        ("stack", "u1"),          # of the originator's SYN: what its TCP options are like, 0 when it was not seen
        ("ttl", "u1"),            # of the originator's first packet, 0 when it was not seen
    ],
    align=True,
)

STREAM = np.dtype(
    [
        ("packets", "i8"),
        ("ip_bytes", "i8"),             # IP packets, headers included
        ("payload_bytes", "i8"),        # transport payload, retransmissions included
        ("told_bytes", "i8"),           # payload without retransmissions when its flow was last told of while it lived
        ("retransmitted_bytes", "i8"),
        ("missing_bytes", "i8"),        # TCP sequence space that was never seen
        ("cut_bytes", "i8"),            # of missing_bytes: seen, but cut off by the snap length
        ("first_ts", "i8"),
        ("last_ts", "i8"),
        ("size_min", "i8"),             # of the IP packets, bytes
        ("size_max", "i8"),
        ("size_sumsq", "f8"),
        ("gap_min", "i8"),              # inter-arrival times, ns
        ("gap_max", "i8"),
        ("gap_sum", "i8"),
        ("gap_sumsq", "f8"),
        ("next", "i8"),                 # 64-bit stream offset of the next byte expected
        ("acked", "i8"),                # highest offset the other side acknowledged
        ("fin", "i8"),                  # offset of the FIN, -1 when none was seen
        ("first", "i8"),                # offset of the first byte of data, 0 while nothing is known of the stream
        ("hold_ts", "i8"),              # packet time at which the present hole was first seen
        ("hold_head", "i4"),            # first waiting node, -1 when none
        ("hold_tail", "i4"),
        ("hold_pages", "i4"),
        ("out_of_order_packets", "i4"),
        ("overlap_bytes", "i4"),        # bytes seen again with the first copy kept
        ("duplicate_packets", "i8"),    # doubles of the mirror: in none of the other figures
        ("duplicate_bytes", "i8"),      # of their IP packets
        ("unsure_packets", "i8"),       # equal to one before, double or sent twice: in the other figures too
        ("path", "i8"),                 # VLAN, tunnel and tunnel id of the first packet (flow_table.path_of)
        ("round_end", "i8"),            # offset whose acknowledgement ends a round trip, -1 when none is measured
        ("round_ts", "i8"),             # when the packet before that offset was seen
        ("round_min", "i8"),            # shortest time from a packet to its acknowledgement, ns; 0 when unknown
        ("loss_ts", "i8"),              # last acknowledgement that acknowledged nothing new
        ("tcp_flags", "u1"),            # all flags seen
        ("reset", "u1"),                # 1 when this side sent a RST that counts
    ],
    align=True,
)


HISTORY_LETTERS = "SsHhAaDdFfRrCcGgTtWwIiQq^"
"""Zeek's history letters; 5 bits each hold index + 1 (0 ends it), first letter lowest, 12 in each of history_low and
_high.
"""


class FlowFlag(IntEnum):
    MIDSTREAM = 1    # the first packet seen was not a SYN
    ORIG_GUESSED = 2 # nothing but the first packet says who opened it
    EVICTED = 4
    FAULT = 8        # a kernel raised on one of its rows
    FLIPPED = 16     # the responder sends the requests: swapped when it leaves


class TcpState(IntEnum):
    NONE = 0
    SYN = 1          # the originator's SYN
    SYN_ACK = 2      # answered
    ESTABLISHED = 3  # the originator acknowledged the answer, or data went both ways
    CLOSED = 4       # FIN from both sides, or RST


class ConnState(IntEnum):
    """Zeek's conn_state, https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html."""

    OTH = 0
    S0 = 1
    S1 = 2
    SF = 3
    REJ = 4
    S2 = 5
    S3 = 6
    RSTO = 7
    RSTR = 8
    RSTOS0 = 9
    RSTRH = 10
    SH = 11
    SHR = 12


class EndReason(IntEnum):
    FIN = 0          # both sides closed
    RESET = 1
    IDLE = 2         # no packet within the time-out
    EVICTED = 3      # the table was full
    REUSED = 4       # a new SYN on the same 5-tuple
    CAPTURE_END = 5


class Service(IntEnum):
    UNKNOWN = 0
    HTTP = 1
    NOT_HTTP = 2     # nothing that is read: its bytes are not handed on
    SSL = 3          # TLS: read, but not by HTTP
    QUIC = 4
    MAYBE_DNS = 5    # by its port or its first bytes: nobody has read it yet
    DNS = 6


# --- Chunks: what reassembly hands to the protocols, in order of packet time ------------------------------------------

CHUNK = np.dtype(
    [
        ("seq", "i8"),     # 64-bit stream offset of the first byte
        ("ack", "i8"),     # 64-bit offset in the other stream that its segment acknowledged, -1 when unknown
        ("ts", "i8"),      # of the packet that carried it
        ("now", "i8"),     # packet time when it was delivered
        ("offset", "i8"),  # of the first byte in the buffer that `source` names
        ("length", "i8"),
        ("stream", "i4"),  # 2*flow + direction
        ("kind", "u1"),    # ChunkKind
        ("source", "u1"),  # ChunkSource
        ("service", "u1"), # Service of its flow, as far as it was known when it was delivered
    ],
    align=True,
)


class ChunkSource(IntEnum):
    BLOCK = 0      # the block's buffer
    PAGES = 1      # reassembly's pages
    DATAGRAMS = 2  # decode's rebuilt datagrams


class ChunkKind(IntEnum):
    DATA = 0
    GAP = 1        # `length` bytes were never seen
    FIN = 2        # the stream ended in order
    STOP = 3       # nothing more will come from this side: the flow ends
    END = 4        # the flow has ended: both streams are done
