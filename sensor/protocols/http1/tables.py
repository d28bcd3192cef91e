"""The tables of the HTTP/1 parser that no other stage sees, and what it counts."""

from enum import IntEnum
from typing import Annotated, NamedTuple

import numpy as np

from sensor._jit import Bytes, I32s, I64s, Rows, U64s
from sensor.limits import DECODED_BYTES, EXTENTS, FRAME_BYTES_MAX, FRESH_BYTES, HEAD_BYTES_MAX, TRANSACTIONS_OPEN_MAX
from sensor.protocols.http2.tables import Http2Tables
from sensor.schema import CONTENT, FLOW, TRANSACTION
from sensor.structures.string_pool import PoolTables

HTTP_STREAM = np.dtype(
    [
        ("delivered", "i8"),   # stream offset behind the last byte seen or given up
        ("remaining", "i8"),   # body or chunk bytes still to come
        ("latest", "i8"),      # when the latest of the bytes up to `delivered` came; those behind a hole came earlier
        ("body", "i8"),        # body bytes of the present message so far, lost ones of known length included
        ("unknown", "i8"),     # bytes that may or may not belong to the body, since its framing was lost
        ("chunk_size", "i8"),  # of the chunk-size line being read
        ("hold_seq", "i8"),    # stream offset, acknowledgement and time of the first byte on hold
        ("hold_ack", "i8"),
        ("hold_ts", "i8"),
        ("whole", "i8"),       # stream offset behind the last message when nothing but messages can follow, else 0
        ("json_scanned", "i8"),# body bytes read for counting records
        ("json_kinds", "u8"),  # one bit a depth of JSON nesting: 1 array, 0 object
        ("message", "i4"),     # open row that the present message fills, -1 when none
        ("hold", "i4"),        # hold slot + 1, 0 when none
        ("hold_len", "i4"),
        ("line", "i4"),        # bytes of the chunk-size or trailer line being read
        ("records", "i4"),     # objects that are elements of arrays
        ("documents", "i4"),   # objects at the top
        ("json_depth", "i4"),
        ("json_record", "i4"), # depth of the record being read, 0 outside of records
        ("state", "u1"),       # State
        ("broken", "u1"),      # 1 when messages may have been lost since the last head, 2 when one or more were
        ("known", "u1"),       # 1 when Content-Length gives the body's length, CUT_OFF when the head was cut before
        ("json_flags", "u1"),  # JsonFlag
    ],
    align=True,
)

CUT_OFF = 2

HTTP_FLOW = np.dtype(
    [
        ("serial", "i8"),     # of the flow whose state this is: another flow's is out of date
        ("uid_hi", "u8"),
        ("uid_lo", "u8"),
        ("true_hi", "u8"),    # address that a PROXY header at its start names, 0 when there was none
        ("true_lo", "u8"),
        ("closing", "i8"),    # offset in the server's stream that the client acknowledged with its FIN, 0 before
        ("answered", "i8"),   # offset in the client's stream that the last response acknowledged
        ("depth", "i4"),      # requests seen
        ("queued", "i4"),     # requests without a response
        ("first", "i4"),      # oldest of them, -1 when none
        ("last", "i4"),
        ("waiting", "i4"),    # responses whose request may still come
        ("wait_first", "i4"),
        ("wait_last", "i4"),
        ("misses", "i4"),     # chunks that were not HTTP
        ("flow", "i4"),       # row of the flow: its own, or that of the connection whose HTTP/2 stream this is
        ("http2", "i4"),      # HTTP/2 connection + 1, 0 when none
        ("least", "i4"),      # answers that are known to have been lost or given up since it was known who answers what
        ("burst_ack", "i8"),  # what the last request acknowledged
        ("burst", "i4"),      # requests in a row that did, 0 when some may have been lost among them
        ("width", "i4"),      # the most requests that acknowledged the same, -1 when that is not known
        ("probe", "i8"),      # stream offset of an answer of which it is known what it answered, 0 when none is watched
        ("probe_depth", "i4"),  # the request that it answered
        ("out", "i4"),        # requests that were out when the client had asked all that it asks at a time
        ("out_times", "i4"),  # how often in a row
        ("base", "i4"),       # the smallest request head seen, its target left out; 0 before the first
        ("client", "i1"),     # direction that sends requests, -1 while unknown
        ("loss", "u1"),       # 1 while it is not known which request the next response answers
        ("ahead", "u1"),      # 1 when the client has asked again before it was answered
        ("rolling", "u1"),    # 1 when it has done so behind some of the answers, so that nothing tells where they stand
        ("waits", "u1"),      # Waits
        ("heads", "u1"),      # 1 when the client has sent a HEAD
        ("bodies", "u1"),     # 1 when it has sent a body
    ],
    align=True,
)

LINK = np.dtype(
    [
        ("seq", "i8"),       # stream offset of the message's first byte
        ("head_end", "i8"),  # stream offset behind its head
        ("end", "i8"),       # stream offset behind its body, 0 when its head does not tell
        ("ack", "i8"),       # offset in the other stream acknowledged with its first byte, -1 when unknown
        ("next", "i4"),
        ("flow", "i4"),      # row of the flow
        ("lost", "i4"),      # requests lost just before it, when their number is known; of a response bytes of answers
        ("method", "u1"),    # Method
        ("response", "u1"),  # 1 for a response whose request is not known (yet)
        ("broken", "u1"),    # 1 when messages may have been lost before it in its stream, 2 when one or more were
        ("upgrade", "u1"),   # 1 when the request asks to switch protocols
    ],
    align=True,
)
"""What pairing needs to know of an open transaction; row i belongs to open transaction i."""

TUNNEL = np.dtype(
    [
        ("serial", "i8"),    # of the flow
        ("ts", "i8"),        # of the answer that opened it
        ("uid_hi", "u8"),
        ("uid_lo", "u8"),
        ("from_client", "i8"),  # stream offset of the first byte that is the inner protocol's, by direction
        ("from_server", "i8"),
        ("flow", "i4"),      # row of the flow
        ("depth", "i4"),     # of the transaction that opened it
        ("host", "u4"),      # codes of its request
        ("uri", "u4"),
        ("user_agent", "u4"),
        ("head_len", "i4"),  # bytes of the answer's head that are kept
        ("client", "u1"),    # direction of who asked
        ("kind", "u1"),      # TunnelKind
    ],
    align=True,
)
"""A connection that goes on in another protocol; the answer's head lies at its row times TUNNEL_HEAD_BYTES."""
TUNNELS = 512
"""Tunnels opened in one part; what opens beyond them is not looked into, counted."""
TUNNEL_HEAD_BYTES = 1_024

TOKEN = np.dtype(
    [
        ("user", "u8"),     # fingerprint of the token, 0 when the slot is empty
        ("subject", "u8"),
        ("role", "u8"),
        ("expires", "i8"),
        ("seconds", "u4"),
        ("flags", "u4"),    # TokenFlag
    ],
    align=True,
)
"""What a JSON Web Token said when it was last read, by its fingerprint: a token is read once, not at every use."""
TOKENS = 65_536

KEPT = np.dtype(
    [
        ("offset", "i8"),  # in the arena
        ("extent", "i4"),  # its number + 1, NO_EXTENT, or FRESH: in the part of the arena that each batch begins anew
        ("room", "i4"),    # bytes it may fill there
        ("head", "i4"),    # bytes of the head, at `offset`
        ("body", "i4"),    # bytes of the body, behind them
        ("want", "i4"),    # bytes of the body still to be kept
        ("coding", "u2"),  # see CONTENT
    ],
    align=True,
)
"""What is kept of a message; rows 2*i and 2*i + 1 are the request and the response of open transaction i."""

EXTENT_BYTES = tuple(512 << (2 * k) for k in range(len(EXTENTS)))
EXTENT_FIRST = tuple(sum(EXTENTS[:k]) for k in range(len(EXTENTS) + 1))
"""Extents are numbered through; those of one size follow each other."""
EXTENT_OFFSET = tuple(
    FRESH_BYTES + sum(n * size for n, size in zip(EXTENTS[:k], EXTENT_BYTES, strict=False))
    for k in range(len(EXTENTS) + 1)
)
ARENA_BYTES = EXTENT_OFFSET[-1] + DECODED_BYTES
NO_EXTENT = 0
FRESH = -1
FRESH_MAX = 65_536
"""Messages that may begin in a part; more go to extents at once."""

HOLD_BYTES = 8_192
"""A head in several segments is put together in slots of this size: servers' usual limit (nginx, Apache)."""
SCRATCH_BYTES = 9 * HEAD_BYTES_MAX
CLEAN_AT = 4 * HEAD_BYTES_MAX
"""In the scratch: escaped bytes lie before this, cleaned and decoded ones behind, with as much room."""
NAME_AT = 8 * HEAD_BYTES_MAX
"""In the scratch: the name of the parameter that is looked at."""
HOLDS_MAX = 4_096
LARGE_HOLDS_MAX = 64
"""Slots of limits.HEAD_BYTES_MAX for the few heads that are larger."""
OPEN_PER_FLOW_MAX = 256
"""Requests a client may send ahead on one connection; RFC 9112 9.3.2 leaves the bound to the server, nginx answers one
by one.
"""
WAITING_MAX = 64
"""Responses that wait for a request still to be seen."""
SMALL_BODY_BYTES_MAX = 512
"""Forms and JSON up to this length are looked at for a password, wherever they are sent."""
LOGIN_BODY_BYTES_MAX = 2_048
"""How much of a login request's body is looked at for the account's name."""
MISSES_MAX = 32
"""Chunks that may go by before a connection is taken for something else than HTTP: enough for SOCKS or a PROXY line."""
LATE_MISSES = 7
"""Chunks behind which nothing that looks like HTTP is: SOCKS 5 with a password takes six, the text of a mail nine."""
JSON_BYTES_MAX = 1 << 20
"""Of a response body, for counting records; the rest is extrapolated by length."""
ROWS_PER_CHUNK = FRAME_BYTES_MAX // 14
"""The most messages one segment of an offloading card can hold: `G / HTTP/1.1` and two line feeds."""


OPEN_STACK = HOLDS_MAX + LARGE_HOLDS_MAX
EXTENT_STACK = OPEN_STACK + TRANSACTIONS_OPEN_MAX
HANDED_STACK = EXTENT_STACK + EXTENT_FIRST[-1]
FRESH_LIST = HANDED_STACK + EXTENT_FIRST[-1]
FREE_ITEMS = FRESH_LIST + FRESH_MAX
NUMBERS = 160
"""Items of `numbers`: the enums below number through, so that one array carries all."""


class State(IntEnum):
    INIT = 0          # nothing seen
    HEAD = 1          # at, or inside, a message head
    LENGTH = 2        # body of known length
    CHUNK_SIZE = 3
    CHUNK_DATA = 4
    CHUNK_END = 5     # the line break behind chunk data
    TRAILER = 6
    CLOSE = 7         # body up to the end of the stream
    SYNC = 8          # bytes were lost: looking for the next head at a segment's start
    OPAQUE = 9        # a tunnel: bytes of another protocol
    INNER = 10        # a tunnel whose first bytes are to come: HTTP or another protocol


class TunnelKind(IntEnum):
    """How a tunnel was opened."""

    UPGRADE = 0       # 101 Switching Protocols, to something else than WebSocket
    WEBSOCKET = 1
    CONNECT = 2
    WEBSOCKET_STREAM = 3  # CONNECT to websocket on a stream of HTTP/2: it ends with the stream
    WEBSOCKET_OVER = 4    # that stream ended: what was counted of it
    TLS = 5           # TLS behind a start in clear, of whatever protocol (STARTTLS)


class Waits(IntEnum):
    """Whether the client is known to ask on only when it has all answers."""

    UNKNOWN = 0
    EACH = 1          # it has never asked ahead; supposed of a client whose connection was joined midway
    ALL = 2           # it asks ahead, and then waits for all


class Method(IntEnum):
    OTHER = 0
    HEAD = 1
    CONNECT = 2


class JsonFlag(IntEnum):
    """What is done with the bytes of a body."""

    ACTIVE = 1        # the body is JSON and not coded
    STRING = 2        # inside a string
    ESCAPE = 4        # behind a backslash
    STOPPED = 8       # nested too deep, or bytes were lost: counted no further
    LOGIN = 16        # the request's body goes to the hold slot, for the account's name
    KEEP = 32         # more of it is wanted in the arena
    ANSWER = 64       # the body answers a login: it goes to the hold slot
    SNIFF = 128       # it may answer a HEAD, or was refused before it came: what follows may be a head and no body


class Field(IntEnum):
    """Where the parts of a head were found: `numbers[...]`, starts and lengths in the head's buffer."""

    END = 64
    METHOD = 65
    URI = 67
    STATUS_MSG = 69
    HOST = 71
    USER_AGENT = 73
    REFERRER = 75
    CONTENT_TYPE = 77
    AUTHORIZATION = 79
    COOKIE = 81
    API_KEY = 83
    CODING = 85
    VERSION = 87
    STATUS = 88
    LENGTH = 89       # Content-Length, -1 when absent
    CHUNKED = 90      # 1 when Transfer-Encoding ends in chunked, 2 when it does not have it, 3 when not as its last
    CLOSE = 91        # 1 for Connection: close, 2 for keep-alive
    UPGRADE = 92      # 1 when there is an Upgrade, 2 when it names h2c, 3 when it names websocket
    ANOMALIES = 93
    RESPONSE = 94
    FORWARDED_FOR = 95
    FORWARDED = 97
    REAL_IP = 99
    SESSION = 101     # value of the first session cookie that is set
    LOCATION = 103
    ORDER = 105       # of the usual request headers: see structures/client_stack.py


class Scalar(IntEnum):
    ROWS = 0          # finished transactions
    OPEN_FREE = 1
    HOLD_FREE = 2
    LARGE_FREE = 3
    CURSOR = 4
    NOW = 5
    SHOW_SECRETS = 6
    POOL_FLOOR = 7    # codes that must be free before another chunk is read
    KEY_LOW = 8       # of the fingerprints
    KEY_HIGH = 9
    OBJECT_ID = 10    # of the target read last: see targets.py
    OBJECT_NUMBER = 11
    PAGE = 12
    SECRET = 13       # where a credential stands in the target, and its length
    SECRET_LEN = 14
    SHOW_NAMES = 15
    QUERY = 16        # where the query of the target read last begins
    KEEP = 17         # 1 when anything is wanted of messages: the next four, as Wanted has them
    REQUEST_HEAD = 18
    REQUEST_BODY = 19
    RESPONSE_HEAD = 20
    RESPONSE_BODY = 21
    EXTENTS_HANDED = 22  # given away with rows of this part, free when the next one is asked for
    FRESH = 23           # rows of `kept` that were put into the fresh part of the arena
    FRESH_USED = 24      # bytes of it
    FRESH_LOW = 25       # 1 when it is nearly full
    EXTENTS_LOW = 26     # 1 when extents of a size are running out
    EXTENTS_FREE = 27    # of each size
    CODED_RECORDS = 132  # 1 when coded JSON answers are kept for counting their records
    RESPONSE_RATE = 133      # body bytes of responses kept for each second of packet time, 0 for all
    RESPONSE_LEFT = 134      # of them, now
    RESPONSE_FILLED = 135    # packet time when they were filled last
    HANDOVER = 128     # Handover: the bytes from HANDOVER_AT on are HTTP/2's
    HANDOVER_AT = 129
    HANDOVER_HELD = 130     # bytes before them that belong to it too
    HANDOVER_MESSAGE = 131  # open transaction that goes on as stream 1, -1 when none
    TUNNELS = 136      # opened in this part
    OPEN_USED = 137    # rows of `open` that ever were in use: the first ones


class Handover(IntEnum):
    """What told that a connection speaks HTTP/2."""

    NONE = 0
    PREFACE = 1       # the client's connection preface
    SETTINGS = 2      # the server's first frame
    FRAMES = 3        # frames of a connection whose beginning was not seen
    UPGRADE = 4       # 101 Switching Protocols to h2c


class Count(IntEnum):
    TRANSACTIONS = 32
    REQUESTS = 33
    RESPONSES = 34
    INTERIM_RESPONSES = 35
    RESPONSES_UNPAIRED = 36
    REQUESTS_UNANSWERED = 37
    RESYNCHRONISED = 38
    NOT_HTTP_FLOWS = 39
    TUNNELS = 40
    TUNNEL_BYTES = 41
    SKIPPED_BYTES = 42
    HEADS_ON_HOLD = 43
    HOLDS_EXHAUSTED = 44
    OPEN_EXHAUSTED = 45
    KERNEL_FAULT = 46
    EXTENTS_EXHAUSTED = 47
    HTTP2_CONNECTIONS = 112
    HTTP2_CONNECTIONS_EXHAUSTED = 113
    HTTP2_STREAMS = 114
    HTTP2_STREAMS_EXHAUSTED = 115
    HTTP2_FRAMES_INVALID = 116
    HTTP2_HEADS_INVALID = 117
    HTTP2_LOSSES = 118
    HTTP2_BLOCKS_LOST = 119
    HTTP2_RESETS = 120
    BODIES_LEFT_OUT = 121   # of responses, beyond what is looked at in a second
    TUNNELS_LEFT_OUT = 122  # not looked into, because too many were opened at once


class Tables(NamedTuple):
    """What the kernels get."""

    flows: Annotated[Rows, FLOW]
    http_flows: Annotated[Rows, HTTP_FLOW]
    http_streams: Annotated[Rows, HTTP_STREAM]
    open: Annotated[Rows, TRANSACTION]
    links: Annotated[Rows, LINK]
    rows: Annotated[Rows, TRANSACTION]
    kept: Annotated[Rows, KEPT]
    contents: Annotated[Rows, CONTENT]
    arena: Bytes       # FRESH_BYTES filled from the front, anew for each part; the extents; what was decoded
    free: I32s         # stacks: hold slots, large ones, open rows, extents by size, extents handed out; FRESH_LIST
    work: Bytes        # SCRATCH_BYTES to work in, then the hold slots
    numbers: I64s      # Scalar, Count and Field
    tokens: Annotated[Rows, TOKEN]
    tunnels: Annotated[Rows, TUNNEL]
    tunnel_heads: Bytes
    proxies: U64s      # trusted networks: address hi and lo, mask hi and lo
    pool: PoolTables
    h2: Http2Tables
