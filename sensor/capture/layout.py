"""The small integer arrays that capture's kernels and its Python share: one IntEnum names the places of each.

In and out: nothing but names. The one law: a kernel reports a fault as a code and a position here, never by
raising.
"""

from __future__ import annotations

from enum import IntEnum


class Count(IntEnum):
    """What the capture stage counts."""

    FRAMES = 0
    CAPTURED_BYTES = 1
    WIRE_BYTES = 2
    CUT_FRAMES = 3        # shorter in the capture than on the wire: the snap length
    QUARANTINED = 4       # an insane timestamp; counted in FRAMES too
    CLOCK_BACKWARDS = 5   # a timestamp before that of the frame ahead of it
    INPUTS = 6            # captures of which anything was read
    FILES_SKIPPED = 7     # found in a folder, and no capture
    LARGE_FRAMES = 8      # longer on the wire than LARGE_FRAME_BYTES


class Cursor(IntEnum):
    """How far an index kernel has come in the read buffer."""

    POSITION = 0      # where the next record begins; past STOP while a long block is being skipped
    STOP = 1          # end of the bytes that were read
    FAULT = 2         # Fault
    FAULT_VALUE = 3   # the length, number or version that cannot be
    RECORD = 4        # where the last block began that was skipped


class Fault(IntEnum):
    """Why an index kernel stopped for good; POSITION is where the record begins."""

    NONE = 0
    RECORD_TOO_LONG = 1        # FAULT_VALUE bytes captured, over limits.FRAME_BYTES_MAX
    BLOCK_LENGTH = 2           # a pcapng block length that is too short, too long or no multiple of 4
    BLOCK_TRAILER = 3          # the length at a block's end is not the one at its start
    FRAME_OUTSIDE_BLOCK = 4    # more captured bytes than the block has
    NO_INTERFACE = 5           # the packet's interface was not described before it
    TOO_MANY_INTERFACES = 6
    TIME_RESOLUTION = 7        # finer than 10^-18 or 2^-62 s
    BYTE_ORDER = 8             # a section header without the byte-order magic
    VERSION = 9


class PcapLayout(IntEnum):
    """What the file header says of every record that follows."""

    BIG_ENDIAN = 0
    FRACTION_NS = 1   # 1000 or 1
    HEAD_BYTES = 2    # of a record: 16, or 24 in the modified format
    LINK = 3


class Section(IntEnum):
    """State of a pcapng section."""

    BIG_ENDIAN = 0
    INTERFACES = 1    # described so far
    LAST_TS = 2       # simple packets carry no time: they take that of the packet before
    OPEN = 3          # a section header was seen


class Clock(IntEnum):
    """Packet time of one input."""

    STARTED = 0
    NOW = 1           # largest sane timestamp so far
    PREVIOUS = 2      # timestamp of the last sane frame
    LIMIT = 3         # no timestamp may lie beyond: a day ahead of the wall clock when the run began
