"""Tables and bounds of DNS: in: nothing; out: records that the kernels fill. Law: every bound says why it is so large.
"""

from enum import IntEnum
from typing import Annotated, NamedTuple

import numpy as np

from sensor._jit import Bytes, I32s, I64s, Rows, U64s
from sensor.limits import NS
from sensor.schema import FLOW
from sensor.schema_dns import ANSWER, LOOKUP

PENDING_MAX = 32_768
"""Questions that wait for their answer, about 450 bytes each; beyond it the oldest is given up."""
TIMEOUT_NS = 10 * NS
"""A question without an answer for so long is told without; Zeek waits as long."""
ROWS = 4_096
"""Lookups that one call of the kernel can tell; it resumes when there are more."""
ANSWERS = 65_536
TEXT_BYTES = 4 << 20
ANSWERS_PER_ROW = 64
"""Answers that are listed of a message: real ones have less than thirty, zone transfers thousands."""
TEXT_BYTES_PER_ROW = 4_096
"""Text that is kept of a message's answers; what does not fit is counted in its bytes only."""
NAME_BYTES = 256
"""A name as it goes over the wire has at most 255 (RFC 1035, 2.3.4)."""
NAME_TEXT_BYTES = 4 * NAME_BYTES
"""Its text, when every byte of it is escaped."""
JUMPS_MAX = 64
"""Compression pointers followed in one name: it has at most 127 labels, and real ones one or two pointers."""
RECORD_BYTES_MIN = 11
CONNECTIONS_MAX = 1_024
"""TCP connections at a time; one that finds no room is counted and not followed."""
HELD_BYTES = 4_096
"""Of a message over TCP that is put together; what is behind is skipped."""
SCRATCH_BYTES = 2 * NAME_BYTES


class SideState(IntEnum):
    READS = 0
    LOST = 1   # where messages begin is unknown


SIDE = np.dtype(
    [
        ("have", "i4"),    # bytes of the present message that were seen, its length in front included
        ("need", "i4"),    # bytes that it has, 2 while its length is unknown
        ("ts", "i8"),      # of its first byte
        ("state", "u1"),   # SideState
    ],
    align=True,
)


class Scalar(IntEnum):
    CURSOR = 0
    ROWS = 1
    ANSWERS = 2
    TEXTS = 3
    FIRST = 4            # oldest of the questions that wait, -1 when none does
    LAST = 5
    FREE = 6             # rows of `pending` on the free list
    CONNECTIONS_FREE = 7
    NAME_LENGTH = 8      # of the question that was read last, in `scratch`
    NAME_HASH = 9
    DONE = 10            # bytes of the present chunk that were read


class Count(IntEnum):
    LOOKUPS = 0
    MESSAGES = 1
    UNANSWERED = 2             # questions told without an answer
    MALFORMED = 3              # no header and question that can be read, or records that cannot
    EVICTED = 4                # questions given up for want of room
    CONNECTIONS_EXHAUSTED = 5  # TCP connections not followed for want of room
    LOSSES = 6                 # times that it was not known where the next message begins
    KERNEL_FAULT = 7


class Tables(NamedTuple):
    """`order` next and previous of each row of `pending`; `slots` index them by `hashes`; `connections` connection + 1
    of each flow's row, 0 when it has none; `held` has HELD_BYTES for each side.
    """

    flows: Annotated[Rows, FLOW]
    pending: Annotated[Rows, LOOKUP]
    names: Bytes
    slots: U64s
    hashes: U64s
    order: I32s
    free: I32s
    connections: I32s
    connections_free: I32s
    sides: Annotated[Rows, SIDE]
    held: Bytes
    scratch: Bytes
    rows: Annotated[Rows, LOOKUP]
    answers: Annotated[Rows, ANSWER]
    texts: Bytes
    numbers: I64s
    counts: I64s
