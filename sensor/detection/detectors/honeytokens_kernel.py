"""Listed values in heads and bodies: in: contents; out: which value stands where.

Every second byte pair is looked up among the pairs that the values have; only there are values compared. The one law: a
value is found wherever it begins, whole, in one part of a message.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.schema import CONTENT
from sensor.structures.bytesearch import load64

PLACE = np.dtype(
    [
        ("offset", "i8"),  # of the value among all values' bytes
        ("length", "i4"),
        ("value", "i4"),   # its number
        ("shift", "i4"),   # of the pair in the value
        ("pair", "i4"),
    ],
    align=True,
)
"""A pair of a value by which it is found; each value has two, one at an even place and one at an odd one."""
PARTS = 4


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _matches(data, begin, start, stop, values, place):
    length = np.int64(place["length"])
    if begin < start or begin + length > stop:
        return False
    for i in range(length):  # noqa: SIM110
        if at(data, begin + i) != at(values, place["offset"] + i):
            return False
    return True


@part_kernel
def _look(data, position, start, stop, values, places, pair):
    """Number of the value that has this pair at `position`, -1 when none has."""
    for i in range(len(places)):
        place = places[i]
        if place["pair"] == pair and _matches(data, position - np.int64(place["shift"]), start, stop, values, place):
            return np.int64(place["value"])
    return np.int64(-1)


@part_kernel
def _find(data, start, stop, pairs, values, places):
    """Number of the first value in data[start:stop], -1 when there is none."""
    position = start
    while position + 8 <= stop:
        word = load64(data, position)
        for k in range(4):
            pair = np.int64((word >> np.uint64(16 * k)) & np.uint64(0xFFFF))
            if (pairs[pair >> 6] >> np.uint64(pair & 63)) & np.uint64(1) != 0:
                value = _look(data, position + 2 * k, start, stop, values, places, pair)
                if value >= 0:
                    return value
        position += 8
    while position + 2 <= stop:
        pair = at(data, position) | at(data, position + 1) << 8
        if (pairs[pair >> 6] >> np.uint64(pair & 63)) & np.uint64(1) != 0:
            value = _look(data, position, start, stop, values, places, pair)
            if value >= 0:
                return value
        position += 2
    return np.int64(-1)


@kernel
def find_values(
    contents: CONTENT, arena: Bytes, start: int, pairs: U64s, values: Bytes, places: PLACE, hits: I64s, progress: I64s
) -> int:
    """Look at contents from row `start` on; returns the row to go on with. A hit is the row, the part (0 to 3, as
    CONTENT has them) and the number of the value: three items of `hits`.
    """
    found = 0
    for row in range(start, len(contents)):
        progress[Progress.ROW] = row
        progress[Progress.HITS] = found
        if 3 * (found + PARTS) > len(hits):
            return row
        content = contents[row]
        for part in range(PARTS):
            if part == 0:
                offset, length = content["request_head_offset"], np.int64(content["request_head_len"])
            elif part == 1:
                offset, length = content["request_body_offset"], np.int64(content["request_body_len"])
            elif part == 2:
                offset, length = content["response_head_offset"], np.int64(content["response_head_len"])
            else:
                offset, length = content["response_body_offset"], np.int64(content["response_body_len"])
            if length == 0:
                continue
            value = _find(arena, offset, offset + length, pairs, values, places)
            if value >= 0:
                hits[3 * found] = row
                hits[3 * found + 1] = part
                hits[3 * found + 2] = value
                found += 1
    progress[Progress.HITS] = found
    return len(contents)
