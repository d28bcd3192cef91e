"""Tables and bounds of TLS: in: nothing; out: records that the kernel fills. Law: every bound says why it is so large.

A side is one direction of a connection: row 2*flow + direction, as in Streams.
"""

from enum import IntEnum
from typing import Annotated, NamedTuple

import numpy as np

from sensor._jit import Bytes, I32s, I64s, Rows
from sensor.schema import FLOW

SLOTS = 1_024
"""Handshakes being read at a time, one slot for each side: 16 MB when all are touched; the oldest gives way."""
SLOT_BYTES = 16_384
"""Handshake bytes kept of one side: chains of certificates take 3 to 8 KB, one message of OpenSSL at most 100 KB."""
NOTICES = 256
"""What one call of the kernel can say; it resumes when there is more."""
CONNECTIONS_MAX = 16_384
"""Connections of which the handshake is known while they live, about 2 KB each; the oldest is told of, and forgotten.
"""
RECORD_BYTES_MAX = 16_384 + 2_048
"""RFC 5246, 6.2.3: the longest record, with what encryption may add."""


class State(IntEnum):
    NEW = 0        # nothing was seen yet
    OTHER = 1      # it does not speak TLS
    HANDSHAKE = 2
    RECORDS = 3    # its handshake was handed out: records are counted
    LOST = 4       # bytes are missing: where records begin is unknown
    DATAGRAMS = 5  # of QUIC or DTLS, each handed out
    WAITS = 6      # it begins at stream offset `waits_for`


class SideFlag(IntEnum):
    TLS = 1        # a hello began it
    CHANGED = 2    # ChangeCipherSpec was seen
    SEALED = 4     # an encrypted record was seen
    LOSS = 8       # its records cannot all be counted


class NoticeKind(IntEnum):
    HANDSHAKE = 0  # `length` bytes of handshake messages lie in `slot`
    END = 1        # the connection has ended: the figures of both sides
    DATAGRAM = 2   # chunk `slot` is a datagram of QUIC or DTLS


class Count(IntEnum):
    HANDSHAKES = 0          # sides whose hello was read
    HANDSHAKES_EVICTED = 1  # sides that gave way to newer ones before their handshake was over
    HANDSHAKES_SKIPPED = 2  # sides not read because there were too many within a second
    CONNECTIONS = 3
    CONNECTIONS_EVICTED = 4  # told of before they ended, because there were too many
    MALFORMED = 5            # handshakes or certificates that could not be read to their end
    KERNEL_FAULT = 6
    QUIC_CONNECTIONS = 7
    QUIC_UNOPENED = 8        # Initial packets that did not authenticate: of lost connection ids, or damaged
    QUIC_WITHOUT_CIPHERS = 9  # first datagrams of QUIC not opened because the extra `quic` is not installed
    DTLS_CONNECTIONS = 10


class Scalar(IntEnum):
    NOTICES = 0
    NEXT_SLOT = 1
    CURSOR = 2


SIDE = np.dtype(
    [
        ("ts", "i8"),            # first byte
        ("sealed_bytes", "i8"),  # of application data records
        ("waits_for", "i8"),
        ("sealed_ts", "i8"),     # of the last of them
        ("sizes_sumsq", "f8"),
        ("gap_min", "i8"),       # times between two of them, ns
        ("gap_max", "i8"),
        ("gaps_sum", "i8"),
        ("gaps_sumsq", "f8"),
        ("size_min", "i4"),      # of them, bytes
        ("size_max", "i4"),
        ("sealed_records", "i4"),
        ("left", "i4"),          # payload bytes of the present record that are still to come
        ("slot", "i4"),          # slot + 1, 0 when it has none
        ("kept", "i4"),          # bytes in the slot
        ("length", "i4"),        # of the present record
        ("alert", "i2"),         # description of the last alert in clear, -1 when none
        ("header", "u1"),        # bytes of the present record's header that were seen
        ("kind", "u1"),          # content type of the present record
        ("flags", "u1"),         # SideFlag
    ],
    align=True,
)

NOTICE = np.dtype(
    [
        ("now", "i8"),
        ("uid_hi", "u8"),
        ("uid_lo", "u8"),
        ("stream", "i4"),
        ("slot", "i4"),
        ("length", "i4"),
        ("kind", "u1"),  # NoticeKind
    ],
    align=True,
)


class Tables(NamedTuple):
    """`states` State of each side; `owners` of each slot: side + 1, 0 when free, -1 while its notice is unread.
    Rows 2*i and 2*i+1 of `ended` are the sides of notice i when that is an END.
    """

    flows: Annotated[Rows, FLOW]
    states: Bytes
    sides: Annotated[Rows, SIDE]
    slots: Bytes
    owners: I32s
    notices: Annotated[Rows, NOTICE]
    ended: Annotated[Rows, SIDE]
    numbers: I64s
    counts: I64s
