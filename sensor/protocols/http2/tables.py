"""The tables of HTTP/2 that no other stage sees, and their bounds.

A connection has two sides, one a direction: row 2*connection + direction of `sides`. Each HTTP/2 stream has a slot; to
everything that knows messages it is a connection of its own with one request and one response, and its rows in the
flow and stream tables of HTTP/1 lie behind those of the real flows.
"""

from enum import IntEnum
from typing import Annotated, NamedTuple

import numpy as np

from sensor._jit import Bytes, I32s, I64s, Rows
from sensor.limits import (
    HEAD_BYTES_MAX,
    HTTP2_CONNECTIONS_MAX,
    HTTP2_LARGE_TABLES_MAX,
    HTTP2_STREAMS_MAX,
)
from sensor.protocols.websocket.tables import SIDE as WEBSOCKET_SIDE
from sensor.protocols.websocket.tables import Count as WebSocketCount

SIDE = np.dtype(
    [
        ("head", "i8"),         # the frame header's bytes so far, the first one highest
        ("lost_bytes", "i8"),   # since the framing was lost
        ("entries_first", "i8"),# dynamic table: number of the oldest entry, and of the next one to come
        ("entries_next", "i8"),
        ("bytes_next", "i8"),   # bytes ever written to the table's ring
        ("block_ts", "i8"),     # of the header block's first byte
        ("left", "i4"),         # bytes of the frame's payload still to come
        ("padding", "i4"),      # of them padding at the end; -1 while its length is not known
        ("stream", "i4"),       # id of the frame's stream
        ("slot", "i4"),         # its slot, -1 when none
        ("block_stream", "i4"), # stream of a header block that goes on, 0 when none
        ("block_start", "i4"),  # bytes on hold before the present frame's part of the block
        ("block_frames", "i4"), # frames of the block
        ("last", "i4"),         # highest stream id opened by this side
        ("lost_from", "i4"),    # streams above this one and below lost_to may have been opened unseen
        ("lost_to", "i4"),
        ("table_size", "i4"),   # as RFC 7541, 4.1 counts
        ("table_max", "i4"),
        ("table_room", "i4"),   # bytes of the ring, a power of two
        ("bytes_at", "i4"),     # where the ring lies
        ("entries_at", "i4"),
        ("large", "i4"),        # large ring + 1, 0 when none
        ("state", "u1"),        # FrameState
        ("have", "u1"),         # bytes in `head`
        ("kind", "u1"),         # of the frame
        ("flags", "u1"),
        ("block_flags", "u1"),  # of the frame that began the block
        ("block_kind", "u1"),
        ("block_state", "u1"),  # BlockState
        ("table_lost", "u1"),   # 1 when entries older than those kept are not known
    ],
    align=True,
)

CONNECTION = np.dtype(
    [
        ("reset_ts", "i8"),    # when the present second of resets began
        ("flow", "i4"),        # row of the flow
        ("oldest", "i4"),      # slots by age, -1 when none
        ("newest", "i4"),
        ("streams", "i4"),
        ("orphans", "i4"),     # answers that are over and whose request may still come
        ("resets", "i4"),      # streams the client reset in the present second
        ("tentative", "u1"),   # 1 while a few first bytes are all that speaks for HTTP/2
    ],
    align=True,
)

SLOT = np.dtype(
    [
        ("ack", "i8"),         # in the client's stream, acknowledged with the answer's head
        ("declared", "i8", 2), # Content-Length of each side, -1 when it gave none
        ("connection", "i4"),
        ("id", "i4"),
        ("chain", "i4"),       # next slot in the same bucket
        ("older", "i4"),
        ("newer", "i4"),
        ("messages", "i4", 2), # gRPC messages of each side
        ("ended", "u1"),       # bit of each direction that is over
        ("grpc", "u1"),        # bit of each direction whose messages are counted
        ("gap", "u1"),         # bit of each direction that lost its framing meanwhile
        ("orphan", "u1"),
        ("tunnel", "u1"),      # Tunnel
        ("websocket", "i4"),   # its pair of sides + 1, 0 when none
    ],
    align=True,
)

ENTRY = np.dtype(
    [
        ("start", "i8"),      # in the ring, as a count of all bytes ever written
        ("name_len", "i4"),   # -1 when the name is not known
        ("value_len", "i4"),
    ],
    align=True,
)
"""One entry of a dynamic table: name and value one behind the other."""

PREFACE_BYTES = 24
FRAME_HEADER_BYTES = 9
SMALL_RING = 4_096
"""SETTINGS_HEADER_TABLE_SIZE's initial value (RFC 9113, 6.5.2), which is what programs use."""
LARGE_RING = 65_536
"""What browsers ask for."""
ENTRY_OVERHEAD = 32
SMALL_ENTRIES = SMALL_RING // ENTRY_OVERHEAD
LARGE_ENTRIES = LARGE_RING // ENTRY_OVERHEAD
RING_BYTES = 2 * HTTP2_CONNECTIONS_MAX * SMALL_RING + HTTP2_LARGE_TABLES_MAX * LARGE_RING
RING_ENTRIES = 2 * HTTP2_CONNECTIONS_MAX * SMALL_ENTRIES + HTTP2_LARGE_TABLES_MAX * LARGE_ENTRIES
STREAMS_PER_CONNECTION_MAX = 1_024
"""Streams in flight on one connection: servers allow 100 to 250, gRPC servers more; the oldest gives way."""
ORPHANS_MAX = 64
"""Answers of one connection that wait for a request still to be seen."""
BUCKETS = 256
"""Of each connection, by stream id."""
CONTINUATIONS_MAX = 16
"""Frames of one header block: libraries send one, or one for each 16 KiB."""
RESETS_MAX = 100
"""Streams a client may reset within a second of packet time; the rapid resets of CVE-2023-44487 are thousands."""
DECODED_MAX = 4 * HEAD_BYTES_MAX
"""Bytes decoded of one header block before it is given up: short blocks can stand for gigabytes."""

PSEUDO_AT = 0
PSEUDO_BYTES = 24_576
COOKIES_AT = PSEUDO_AT + PSEUDO_BYTES
COOKIE_BYTES = 16_384
LINES_AT = 2 * HEAD_BYTES_MAX
LINE_BYTES = HEAD_BYTES_MAX - PSEUDO_BYTES - COOKIE_BYTES - 64
"""In the text area: values of pseudo header fields, cookies, room for a start line, then the header lines. All of it
together is no longer than a head of HTTP/1 may be.
"""
TEXT_BYTES = LINES_AT + 6 * HEAD_BYTES_MAX
"""Room behind the longest text for one more line: a block's literals grow to 8/5 when decoded."""

CONNECTION_STACK = HTTP2_STREAMS_MAX
LARGE_STACK = CONNECTION_STACK + HTTP2_CONNECTIONS_MAX
WEBSOCKET_STACK = LARGE_STACK + HTTP2_LARGE_TABLES_MAX
"""Where the stacks of free slots (at 0), connections, large rings and pairs of sides lie in `free`."""
WEBSOCKETS_MAX = 2_048
"""WebSockets on streams at a time, about 500 bytes each; one that finds no room is counted and not followed."""


class FrameState(IntEnum):
    PREFACE = 0   # `left` bytes of the connection preface still to come
    HEADER = 1    # at, or inside, a frame header
    DATA = 2      # inside a DATA frame's payload
    COLLECT = 3   # inside a payload that goes to the hold slot
    SKIP = 4      # inside a payload that nobody reads
    LOST = 5      # looking for the next frame header
    START = 6     # the server's first frame: SETTINGS


class BlockState(IntEnum):
    NONE = 0
    OPEN = 1      # frames of a header block are put together
    DROPPED = 2   # they are passed over: the block was too long, or a part of it was lost


class Tunnel(IntEnum):
    """Whether a stream carries another protocol (RFC 9113, 8.5)."""

    NONE = 0
    ASKED = 1      # CONNECT
    WEBSOCKET = 2  # CONNECT to websocket (RFC 8441)
    GRANTED = 3


class Kind(IntEnum):
    """Frame types, RFC 9113, 6."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntEnum):
    END_STREAM = 0x01
    END_HEADERS = 0x04
    PADDED = 0x08
    PRIORITY = 0x20


class Part(IntEnum):
    """Where a header list's parts are in the text area (start and length), what it says, and the free stacks."""

    METHOD = 0
    PATH = 2
    AUTHORITY = 4
    STATUS = 6
    PROTOCOL = 8
    SCHEME = 10
    PSEUDO_END = 12
    COOKIES_END = 13
    LINES_END = 14
    DECODED = 15      # bytes so far
    UNKNOWN = 16      # fields that named an entry which is not known
    OVERFLOW = 17     # 1 when the list was longer than HEAD_BYTES_MAX
    REGULAR = 18      # fields that are not pseudo header fields
    GRPC_STATUS = 19  # -1 when absent
    ANOMALIES = 20
    VALUE = 21        # where the last string went, and its length
    NAME_LEN = 22
    VALUE_LEN = 23
    SLOTS_FREE = 24
    CONNECTIONS_FREE = 25
    LARGE_FREE = 26
    WEBSOCKETS_FREE = 27


class WebSockets(NamedTuple):
    """What is counted of WebSockets on streams, two rows each."""

    sides: Annotated[Rows, WEBSOCKET_SIDE]
    over: Annotated[Rows, WEBSOCKET_SIDE]  # rows 2*i and 2*i+1 are those of TUNNEL row i when that tells of an end
    counts: I64s


class Http2Tables(NamedTuple):
    """What the kernels get of HTTP/2."""

    connections: Annotated[Rows, CONNECTION]
    sides: Annotated[Rows, SIDE]
    slots: Annotated[Rows, SLOT]
    buckets: I32s     # first slot + 1 of each bucket of each connection
    entries: Annotated[Rows, ENTRY]
    rings: Bytes
    text: Bytes       # TEXT_BYTES in which a header list is written out
    free: I32s
    parts: I64s       # Part
    websockets: WebSockets


def http2_tables(tunnels_max: int) -> Http2Tables:
    """Empty tables; nothing of them takes memory before it is used. `tunnels_max`: TUNNEL rows of a part."""
    parts = np.zeros(len(Part) + 8, np.int64)
    parts[Part.SLOTS_FREE] = HTTP2_STREAMS_MAX
    parts[Part.CONNECTIONS_FREE] = HTTP2_CONNECTIONS_MAX
    parts[Part.LARGE_FREE] = HTTP2_LARGE_TABLES_MAX
    parts[Part.WEBSOCKETS_FREE] = WEBSOCKETS_MAX
    numbers = (HTTP2_STREAMS_MAX, HTTP2_CONNECTIONS_MAX, HTTP2_LARGE_TABLES_MAX, WEBSOCKETS_MAX)
    stacks = [np.arange(n, dtype=np.int32)[::-1] for n in numbers]
    return Http2Tables(
        connections=np.zeros(HTTP2_CONNECTIONS_MAX, CONNECTION),
        sides=np.zeros(2 * HTTP2_CONNECTIONS_MAX, SIDE),
        slots=np.zeros(HTTP2_STREAMS_MAX, SLOT),
        buckets=np.zeros(HTTP2_CONNECTIONS_MAX * BUCKETS, np.int32),
        entries=np.zeros(RING_ENTRIES, ENTRY),
        rings=np.zeros(RING_BYTES, np.uint8),
        text=np.zeros(TEXT_BYTES, np.uint8),
        free=np.concatenate(stacks),
        parts=parts,
        websockets=WebSockets(
            np.zeros(2 * WEBSOCKETS_MAX, WEBSOCKET_SIDE),
            np.zeros(2 * tunnels_max, WEBSOCKET_SIDE),
            np.zeros(len(WebSocketCount), np.int64),
        ),
    )
