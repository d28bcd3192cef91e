"""What bodies hold: in: stretches of an arena; out: for each how many of every kind of personal data and secrets.

The one law: a body is counted as a whole or not at all, and the row at work is told.
"""

from sensor._jit import Bytes, I64s, U32s, U64s, kernel
from sensor.detection.sensitive.kinds import KINDS
from sensor.detection.sensitive.scan import count_kinds


@kernel
def count_bodies(
    arena: Bytes, offsets: I64s, lengths: I64s, start: int, hashes: U64s, kinds: Bytes, idle: U64s, digits: Bytes,
    counts: U32s, progress: I64s,
) -> int:  # fmt: skip
    """Fill counts[KINDS * row + kind] from row `start` on; returns the number of rows. `hashes` and `kinds` are those
    of name_table(), `idle` uint64[IDLE_NAMES], `digits` uint8[32]; progress[0] is the row at work.
    """
    for row in range(start, len(offsets)):
        progress[0] = row
        if lengths[row] > 0:
            count_kinds(
                arena, offsets[row], offsets[row] + lengths[row], hashes, kinds, idle, digits, counts, KINDS * row
            )
    return len(offsets)
