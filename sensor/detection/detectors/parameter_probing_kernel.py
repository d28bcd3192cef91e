"""Names of query parameters: in: transactions; out: names that their endpoint was never asked with.

A name goes by its letters: digits are left out, and what follows a bracket or an escape. Names that were met are kept
in two bitmaps, that of now and the one before; when so many were met that the one of now would take others for known,
it becomes the one before, and what nobody sent since is forgotten. The one law: a name is new once, for the first
request that has it, while it is remembered.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U64s, at, kernel, part_kernel
from sensor.schema import TRANSACTION
from sensor.structures.bits import set_bit
from sensor.structures.bytesearch import find_byte
from sensor.structures.hashing import finish, mix
from sensor.structures.prefetch import AHEAD, prefetch
from sensor.structures.string_pool_kernels import ENTRY

NAMES_MAX = 16
"""Names of one request that are looked at."""
FULL_SHIFT = 3
"""A bitmap in which one bit of so many (as a power of two) is set is full."""
_ONE, _ZERO = np.uint64(1), np.uint64(0)
_QUERY, _AND, _IS, _OPEN, _ESCAPE = 0x3F, 0x26, 0x3D, 0x5B, 0x25


class Progress(IntEnum):
    ROW = 0
    FOUND = 1


class Met(IntEnum):
    """Items of `met`, int64: of the bitmaps."""

    NOW = 0       # 0 or 1: which of the two is that of now
    SET = 1       # bits that are set in it


@part_kernel
def name_hash(data, start, stop, place):
    """Hash of the name data[start:stop] at an endpoint; 0 when it has no letters."""
    hashed, letters = place, 0
    for i in range(start, stop):
        byte = at(data, i)
        if byte == _OPEN or byte == _ESCAPE:
            break
        if not 0x30 <= byte <= 0x39:
            hashed = mix(hashed, np.uint64(byte))
            letters += 1
    return finish(hashed) | _ONE if letters > 0 else np.uint64(0)


@part_kernel
def is_new_name(known, met, hashed):
    """Note a name; whether neither bitmap had it."""
    half = len(known) >> 1
    bit = np.int64(hashed & np.uint64(64 * half - 1))
    base = half * np.int64(met[Met.NOW])
    if not set_bit(known, base, bit):
        return False
    new = known[half - base + (bit >> 6)] & (_ONE << np.uint64(bit & 63)) == 0
    met[Met.SET] += 1
    if met[Met.SET] >= (64 * half) >> FULL_SHIFT:
        met[Met.NOW] = 1 - met[Met.NOW]
        met[Met.SET] = 0
        for i in range(half - base, 2 * half - base):
            known[i] = _ZERO
    return new


@part_kernel
def _read_names(data, i, stop, place, known, met, row, rows, names, found):
    """Write the new names of a query to `names`; returns how many there are then."""
    left = NAMES_MAX
    while i < stop and left > 0:
        end = find_byte(data, i, stop, _AND)
        equals = find_byte(data, i, end, _IS)
        hashed = name_hash(data, i, equals, place) if equals < end else np.uint64(0)
        if hashed != 0 and is_new_name(known, met, hashed):
            rows[found] = row
            names[found] = hashed
            found += 1
        i = end + 1
        left -= 1
    return found


@kernel
def find_new_names(
    transactions: TRANSACTION, strings: ENTRY, pool: Bytes, start: int, read: U64s, known: U64s, met: I64s,
    rows: I64s, names: U64s, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `read` is the hash of the target that each code stood for when it was read last; `known` has two
    bitmaps of names that were met, one behind the other, and `met` is Met; `rows` and `names` have room for more than
    NAMES_MAX.
    """
    found = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        progress[Progress.FOUND] = found
        if row + AHEAD < len(transactions):
            later = np.int64(transactions[row + AHEAD]["uri"])
            prefetch(read, later)
            prefetch(strings, later)
        transaction = transactions[row]
        code = np.int64(transaction["uri"])
        if code == np.int64(transaction["endpoint"]):
            continue
        target = strings[code]
        if read[code] == target["hash"]:
            continue
        if len(rows) - found < NAMES_MAX:
            return row
        read[code] = target["hash"]
        begin = np.int64(target["start"])
        stop = begin + np.int64(target["length"])
        query = find_byte(pool, begin, stop, _QUERY)
        if query < stop:
            place = strings[np.int64(transaction["endpoint"])]["hash"]
            found = _read_names(pool, query + 1, stop, place, known, met, row, rows, names, found)
    progress[Progress.FOUND] = found
    return len(transactions)
