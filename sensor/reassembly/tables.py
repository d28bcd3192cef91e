"""The tables of reassembly that no other stage sees, and what it counts."""

from enum import IntEnum
from typing import Annotated, NamedTuple

import numpy as np

from sensor._jit import Bytes, I32s, I64s, Rows, U64s
from sensor.limits import NS, STREAM_PAGES_MAX
from sensor.schema import CHUNK, FLOW, STREAM

NODE = np.dtype(
    [
        ("seq", "i8"),     # 64-bit stream offset
        ("ack", "i8"),
        ("ts", "i8"),
        ("length", "i4"),  # bytes of sequence space
        ("caplen", "i4"),  # bytes that lie in the node's page
        ("next", "i4"),    # node behind it in the stream, -1 at the end
    ],
    align=True,
)
"""A stretch of payload that waits for what comes before it; node i's bytes lie in page i."""

RECENT = np.dtype(
    [
        ("fingerprint", "u8"),
        ("ts", "i8"),
        ("path", "i8"),
        ("stream", "i4"),  # 2*flow + direction
        ("before", "i4"),  # the row before it in its bucket
        ("ip_id", "u2"),
        ("ttl", "u1"),
    ],
    align=True,
)
"""A packet of the last moments: RECENT_PACKETS of them make a ring, with a chain through those of equal lower bits."""

ASKED = np.dtype([("next", "i8"), ("ts", "i8")])
"""Of each stream: the offset behind a SYN that may open another connection, and when it came; 0 when there is none."""

RECENT_BUCKETS = 1 << 15
"""128 KB of chain heads, which stay in the second-level cache."""

AHEAD = 16
"""Segments whose hash is known before they are worked on; a power of two."""

HORIZON_NS = NS // 10
"""A copy that comes later is not looked for: mirrors and routers delay by a few ms, and the shortest retransmission
time-out of a common stack is 200 ms.
"""
QUIET_NS = NS // 50
"""No stack sends again so soon unless its peer reports a loss."""
SHORT_QUIET_NS = NS // 100
"""Applications do repeat datagrams, but hardly ever within 10 ms; time stamps of acknowledgements move on by then."""

WHEEL_SECONDS = 1024
"""Buckets of the expiry wheel, one a second of packet time; longer time-outs go round again."""

NODES_PER_STEP = 64
"""The most pages one segment can take: 64 KiB of payload, and its pieces between what already waits."""

CHUNKS_PER_STEP = 6 * (STREAM_PAGES_MAX + NODES_PER_STEP) + 8
"""The most chunks one segment or one ending flow can release: two streams of waiting nodes, a hole before and a cut end
in each.
"""

LIVE_NS = 20 * NS
"""A flow that carries much is told of so often while it lives: one that is open for days would tell too late."""
LIVE_BYTES = 1 << 18
"""... when so much payload came since it was last told of."""
LIVE_ROWS = 4_096
"""Flows told of in one batch while they live; one that finds no room is told of with its next packet."""

HOLE_ACKED_NS = NS // 50
"""A hole that the receiver acknowledged is a loss of the mirror after 20 ms: mirrors reorder by far less."""
HOLE_ACKED_NODES = 3
HOLE_ACKED_SOON_NS = NS // 500
"""... or after 2 ms, when three segments wait behind it, TCP's own threshold for taking reordering for loss (RFC 5681,
3.2): capture queues and aggregation ports reorder by microseconds, which can be many packets.
"""
HOLE_NS = 10 * NS
"""A hole that was not acknowledged can still be filled by a retransmission: the sender backs off for seconds (RFC
6298).
"""
HOLE_ONE_SIDED_NS = NS
"""With one direction mirrored no acknowledgement will ever tell."""
FAR_BYTES = 1 << 26
"""A segment this far from what is expected is outside every window (RFC 7323 allows 1 GiB, real ones stay below 64
MiB).
"""
RST_BYTES = 1 << 21
"""A RST further ahead than this is outside of what any usual receive window covers (RFC 5961, 3.2): 1 MiB, and what may
wait out of order.
"""


class Scalar(IntEnum):
    """`state[...]`: scalars that live from batch to batch."""

    NOW = 0             # packet time
    TICK = 1            # next second to expire
    LIVE = 2            # flows
    FREE = 3            # rows on the free list
    PENDING = 4         # rows that ended in this batch, free in the next
    NODE_FREE = 5
    NODE_PENDING = 6
    CURSOR = 7          # segment being worked on
    FLOW = 8            # its flow
    CHUNKS = 9
    ENDED = 10
    FLOWS_MAX = 11
    PATH_MASK = 12      # bits of a path that keep flows apart
    RECENT = 13         # next row of the ring of recent packets
    IDLE_TCP_NS = 14
    IDLE_ATTEMPT_NS = 15
    IDLE_CLOSED_NS = 16
    IDLE_OTHER_NS = 17
    TOLD = 18           # flows told of in this batch while they live
    ASKED = 19          # streams of which a SYN is noted that may open another connection
    DNS_CHUNKS = 20     # chunks of this batch whose flow is, or may be, DNS


class Count(IntEnum):
    PACKETS = 0
    FLOWS = 1
    FLOWS_EVICTED = 2
    FLOWS_EXPIRED = 3
    TABLE_PEAK = 4
    OUT_OF_ORDER_PACKETS = 5
    RETRANSMITTED_BYTES = 6
    OVERLAP_BYTES = 7
    MISSING_BYTES = 8
    GAPS = 9
    CUT_BYTES = 10
    PAGES_EXHAUSTED = 11
    SYN_IGNORED = 12
    RST_IGNORED = 13
    FAR_SEGMENTS = 14
    KERNEL_FAULT = 15
    DUPLICATE_PACKETS = 16
    DUPLICATE_BYTES = 17
    UNSURE_PACKETS = 18
    PATHS_MERGED = 19
    QUIC_DATAGRAMS = 20
    DNS_DATAGRAMS = 21         # that may be DNS: handed on
    DTLS_DATAGRAMS = 22        # of handshakes: handed on


class Tables(NamedTuple):
    """What the kernels get."""

    flows: Annotated[Rows, FLOW]
    streams: Annotated[Rows, STREAM]
    asked: Annotated[Rows, ASKED]
    slots: U64s
    free: I32s
    pending: I32s
    wheel: I32s
    pages: Bytes
    nodes: Annotated[Rows, NODE]
    node_free: I32s
    node_pending: I32s
    chunks: Annotated[Rows, CHUNK]
    ended: I32s
    told: Annotated[Rows, FLOW]
    told_streams: Annotated[Rows, STREAM]
    recent: Annotated[Rows, RECENT]
    recent_heads: I32s
    ahead: U64s
    state: I64s
    counts: I64s
    seed: U64s


