"""Tables and bounds of WebSocket: in: nothing; out: records that the kernel fills. Law: every bound says why it is so
large.

A connection has two sides, row 2*connection + direction.
"""

from enum import IntEnum
from typing import Annotated, NamedTuple

import numpy as np

from sensor._jit import I32s, I64s, Rows
from sensor.schema import FLOW

CONNECTIONS_MAX = 16_384
"""WebSockets at a time, about 400 bytes each; one that finds no room is counted and not followed."""
NOTICES = 256
"""What one call of the kernel can say; it resumes when there is more."""
FRAME_BYTES_MAX = 1 << 40
"""A longer frame is no frame: RFC 6455 allows 63 bits, no program a terabyte."""


class State(IntEnum):
    WAITS = 0     # for stream offset `begins`
    FRAMES = 1
    LOST = 2      # where frames begin is unknown


class Opcode(IntEnum):
    """RFC 6455, 11.8."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


OPCODES = 11
"""Room for each opcode in `frames`."""


class Fault(IntEnum):
    """What was odd; the name in lower case is what `anomalies` lists."""

    UNMASKED = 1          # a client's frame without a mask (RFC 6455, 5.1)
    MASKED = 2            # a server's frame with one
    OPCODE_INVALID = 4    # an opcode or a bit that no extension has
    CONTROL_INVALID = 8   # a control frame in pieces, or of more than 125 bytes (5.5)
    FRAGMENT_INVALID = 16 # a continuation of nothing, or a new message inside another (5.4)
    LENGTH_INVALID = 32   # a length that is not written in the fewest bytes, or too large (5.2)
    AFTER_CLOSE = 64      # a frame behind a close
    CLOSE_INVALID = 128   # a close code that none may send (7.4), or half of one
    LOSS = 256            # bytes are missing: the counts are lower bounds
    UNFINISHED = 512      # the connection ended inside a frame


SIDE = np.dtype(
    [
        ("begins", "i8"),       # stream offset of the first frame
        ("left", "i8"),         # payload bytes of the present frame that are still to come
        ("length", "i8"),       # of the present frame
        ("message", "i8"),      # payload bytes of the present message
        ("bytes", "i8"),        # payload of text, binary and continuation frames
        ("control_bytes", "i8"),
        ("messages", "i8"),     # that came to their end
        ("frame_max", "i8"),
        ("message_max", "i8"),
        ("missing", "i8"),      # bytes that nobody saw
        ("frames", "i8", (OPCODES,)),  # by opcode
        ("key", "u4"),          # mask of the present frame
        ("close_code", "u2"),   # of the first close, 0 when it has none
        ("faults", "u2"),       # Fault
        ("state", "u1"),        # State
        ("client", "u1"),       # 1 for the side that asked
        ("first", "u1"),        # first two bytes of the present frame
        ("second", "u1"),
        ("have", "u1"),         # bytes of its header that were seen
        ("need", "u1"),         # bytes that it has
        ("open", "u1"),         # 1 inside a message, 2 when that is not known
        ("closed", "u1"),       # 1 behind a close
        ("close_seen", "u1"),   # bytes of the close code that were seen, 3 when they never will be
        ("compressed", "u1"),   # 1 when a message was (RFC 7692)
    ],
    align=True,
)

NOTICE = np.dtype([("now", "i8"), ("flow", "i4"), ("connection", "i4")], align=True)
"""A connection that ended."""


class Scalar(IntEnum):
    NOTICES = 0
    CURSOR = 1


class Count(IntEnum):
    CONNECTIONS = 0
    CONNECTIONS_EXHAUSTED = 1  # not followed for want of room
    FRAMES = 2
    LOSSES = 3                 # times that it was not known where the next frame begins
    RESYNCHRONISED = 4         # times that this was found again
    KERNEL_FAULT = 5


class Tables(NamedTuple):
    """`slots` connection + 1 of each flow's row, 0 when it has none."""

    flows: Annotated[Rows, FLOW]
    slots: I32s
    sides: Annotated[Rows, SIDE]
    notices: Annotated[Rows, NOTICE]
    numbers: I64s
    counts: I64s
