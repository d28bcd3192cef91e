"""Every table of the hot path, in the order the bytes travel. One table is one C-contiguous array of the record below.

    Frames -> Segments -> Flows, Streams, Chunks -> Transactions, Contents (schema_contents.py)

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


# --- Transactions: a request with its response ------------------------------------------------------------------------
# Columns of type u4 named below as codes are codes of the string pool; 0 is "absent".

TRANSACTION = np.dtype(
    [
        ("ts", "i8"),               # first byte of the request (of the response when the request was not seen)
        ("now", "i8"),              # packet time at which the row was finished; never decreases from row to row
        ("request_end_ts", "i8"),   # 0 when not seen
        ("response_ts", "i8"),      # first byte of the final response, 0 when not seen
        ("response_end_ts", "i8"),  # 0 when not seen
        ("uid_hi", "u8"),           # of the flow; the same 128 bits as Flows has
        ("uid_lo", "u8"),
        ("client_hi", "u8"),
        ("client_lo", "u8"),
        ("server_hi", "u8"),
        ("server_lo", "u8"),
        ("peer_hi", "u8"),          # who connected: the client, or the last proxy before the server
        ("peer_lo", "u8"),
        ("user", "u8"),             # keyed fingerprint of the credential, 0 when there is none
        ("account", "u8"),          # keyed fingerprint of the name a login request gives, 0 when there is none
        ("subject", "u8"),          # keyed fingerprint of who the credential stands for, 0 when it does not tell
        ("role", "u8"),             # fingerprint of the roles and scopes that the token names, 0 when it names none
        ("issued", "u8"),           # keyed fingerprint of the token that the response hands out, 0 when it does not
        ("object_id", "u8"),        # fingerprint of the ids in the target, 0 when there are none
        ("object_number", "i8"),    # the last of these ids when it is a number, else -1
        ("token_expires", "i8"),    # when the token says it ends, 0 when it does not say
        ("stack", "u8"),            # what the client's software is like, see structures/client_stack.py
        ("request_body_len", "i8"),     # exact, or the lower bound
        ("request_body_max", "i8"),     # upper bound; equal when exact; -1 when unbounded
        ("response_body_len", "i8"),
        ("response_body_max", "i8"),
        ("request_missing_bytes", "i8"),   # of the message, body and trailing framing, that nobody saw
        ("response_missing_bytes", "i8"),
        ("anomalies", "u8"),        # Anomaly
        ("flow", "i8"),             # serial of the flow
        ("trans_depth", "i4"),      # 1 for the first on its connection
        ("records", "i4"),          # records counted in the response body, -1 when not counted
        ("request_messages", "i4"), # gRPC messages in the request, -1 when it is not gRPC or bytes were lost
        ("response_messages", "i4"),
        ("page", "i4"),             # page or offset that the query asks for, -2 when it is a cursor, -1 when none
        ("token_seconds", "u4"),    # from the token's issue to its end, 0 when it does not say
        ("subject_name", "u4"),     # code, who the credential stands for; only when names are shown
        ("method", "u4"),           # code
        ("host", "u4"),             # code
        ("uri", "u4"),              # code, secrets replaced
        ("endpoint", "u4"),         # code, the path as a template
        ("user_agent", "u4"),       # code
        ("referrer", "u4"),         # code, secrets replaced
        ("request_content_type", "u4"),   # code
        ("response_content_type", "u4"),  # code
        ("status_msg", "u4"),       # code
        ("auth_scheme", "u4"),      # code: basic, bearer, cookie, api-key ...
        ("tunnel_id", "u4"),
        ("client_port", "u2"),
        ("server_port", "u2"),
        ("vlan", "u2"),
        ("status_code", "u2"),      # 0 when no response was seen
        ("grpc_status", "i2"),      # -1 when none was seen
        ("flags", "u2"),            # TransactionFlag
        ("version", "u1"),          # 10, 11, 20; 9 for HTTP/0.9; 0 when unknown
        ("tunnel", "u1"),
        ("proto", "u1"),
        ("token_flags", "u1"),      # TokenFlag
    ],
    align=True,
)


class TransactionFlag(IntEnum):
    REQUEST = 1            # the request's head was seen
    RESPONSE = 2           # the response's head was seen
    REQUEST_DONE = 4       # the request was seen to its end
    RESPONSE_DONE = 8      # the response was seen to its end
    LOGIN = 16             # the endpoint takes logins (by its name, or by Basic credentials)
    TOUCHED = 32           # its flow was evicted, shed or marked by a fault
    LOGIN_FAILED = 64      # a login that was refused: by its status, by an error in its 2xx body, or sent back to it
    LOCKED = 128           # the answer says that the account or the client is locked out for a while
    LOGOUT = 256           # the endpoint ends a session, by its name
    REFRESH = 512          # the endpoint renews a token, by its name
    URL_SECRET = 1024      # a credential or password stands in the request target


class TokenFlag(IntEnum):
    """What a request's token says of itself (RFC 7519), at the time of its use."""

    JWT = 1
    UNSIGNED = 2           # its algorithm is none
    ENDLESS = 4            # it has no end
    EXPIRED = 8            # it had ended when the request began
    IN_URL = 16            # it stood in the request target
    COOKIE = 32            # it is a session cookie


class Anomaly(IntEnum):
    """What was odd about a message; the name in lower case is what the `anomalies` column lists."""

    REQUEST_MISSING = 1 << 0         # a response whose request was not seen
    RESPONSE_MISSING = 1 << 1        # the connection went on or ended without the response
    REQUEST_GAP = 1 << 2             # bytes of the request were lost
    RESPONSE_GAP = 1 << 3
    REQUEST_UNFINISHED = 1 << 4      # the stream ended inside the message
    RESPONSE_UNFINISHED = 1 << 5
    REQUEST_LENGTH_BOUND = 1 << 6    # the body length is a lower bound
    RESPONSE_LENGTH_BOUND = 1 << 7
    CL_TE = 1 << 8                   # Content-Length with Transfer-Encoding
    CL_CONFLICT = 1 << 9             # several Content-Lengths that differ
    CL_INVALID = 1 << 10
    CHUNK_INVALID = 1 << 11          # a chunk size that is not one, or is too large
    HEAD_TOO_LARGE = 1 << 12
    BARE_LF = 1 << 13
    FOLDED_HEADER = 1 << 14
    HEADER_INVALID = 1 << 15         # a header line without a colon, or with a bad name
    VERSION_INVALID = 1 << 16
    MIDSTREAM = 1 << 17              # the connection was joined midway
    PAIRING_AMBIGUOUS = 1 << 18      # a loss left no way to tell which request this answers
    EARLY_RESPONSE = 1 << 19         # the response began before the request ended
    NONASCII_URI = 1 << 20
    HOST_MISSING = 1 << 21           # HTTP/1.1 without Host
    TE_INVALID = 1 << 22             # a Transfer-Encoding that does not end in chunked
    HPACK_LOST = 1 << 23             # HTTP/2: header fields that nothing seen tells, behind a loss or a late start
    HEADER_BOMB = 1 << 24            # HTTP/2: a header block that decodes to far more than it is
    CONTINUATION_FLOOD = 1 << 25     # HTTP/2: a header block in more frames than any library makes
    RAPID_RESET = 1 << 26            # HTTP/2: one of a great many streams that the client reset within a second
    REQUEST_RESET = 1 << 27          # HTTP/2: the client reset the stream
    RESPONSE_RESET = 1 << 28         # HTTP/2: the server reset the stream
    HEADER_FORBIDDEN = 1 << 29       # HTTP/2: a header field that only HTTP/1 may have (Transfer-Encoding ...)
    LENGTH_MISMATCH = 1 << 30        # HTTP/2: Content-Length differs from the body
    PUSHED = 1 << 31                 # HTTP/2: the server promised the request itself
    REQUEST_BOMB = 1 << 32           # a coded body that decodes to far more than any real one does
    RESPONSE_BOMB = 1 << 33
