"""Kernels of the string pool: in: bytes; out: codes, and bytes again.

`entries[code]` says where a string lies in `bytes`; `state` holds the scalars below. The one law: what is stored is
printable ASCII (every other byte became \\xNN), so whatever leaves by a code is safe to print and valid UTF-8.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U32s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.structures.bytesearch import copy_bytes, load64, word_of
from sensor.structures.hash_table import following, home, insert, row_of, same_tag
from sensor.structures.hashing import hash_bytes
from sensor.structures.prefetch import prefetch

ENTRY = np.dtype(
    [
        ("start", "i8"),
        ("hash", "u8"),
        ("length", "i4"),
        ("next", "i4"),  # the next free code, of a code that is free
        ("mark", "u1"),
        ("traits", "u2"),  # what a stage has read in the string, 0 as long as none did
    ],
    align=True,
)


class State(IntEnum):
    USED_BYTES = 0    # of the present half
    HALF = 1          # which half of `bytes` is in use
    FREE = 2          # codes on the free list
    REJECTED = 3      # strings that found no room
    FIRST_FREE = 4
    SEED = 5          # of the hashes, random per process


_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_ONES = np.uint64(0x0101010101010101)
_BLANKS = np.uint64(0x2020202020202020)
_TOPS = np.uint64(0x8080808080808080)


@inline_kernel
def _odd(word):
    """Non-zero when one of the 8 bytes is below 0x20, is 0x7f, or is above 0x7f."""
    low = (word - _ONES * np.uint64(0x20)) & ~word
    delete = word ^ (_ONES * np.uint64(0x7F))
    return (low | word | ((delete - _ONES) & ~delete)) & _TOPS


@inline_kernel
def is_printable(data, start, length):
    """Whether all bytes lie between 0x20 and 0x7e."""
    i = 0
    while i + 8 <= length:
        if _odd(load64(data, start + i)) != 0:
            return False
        i += 8
    if i == length:
        return True
    tail = length - i
    return _odd(word_of(data, start + i, tail) | (_BLANKS << np.uint64(8 * tail))) == 0


@part_kernel
def escape(data, start, length, scratch):
    """Copy to scratch with every unprintable byte as \\xNN; returns the length. Scratch holds four times the length."""
    out = 0
    for i in range(length):
        byte = at(data, start + i)
        if 0x20 <= byte <= 0x7E:
            scratch[out] = np.uint8(byte)
            out += 1
        else:
            scratch[out] = np.uint8(0x5C)
            scratch[out + 1] = np.uint8(0x78)
            scratch[out + 2] = _HEX[byte >> 4]
            scratch[out + 3] = _HEX[byte & 15]
            out += 4
    return out


@inline_kernel
def _equal(data, start, stored, position, length):
    i = 0
    while i + 8 <= length:
        if load64(data, start + i) != load64(stored, position + i):
            return False
        i += 8
    return i == length or word_of(data, start + i, length - i) == word_of(stored, position + i, length - i)


@inline_kernel
def expect(pool, data, start, length):
    """Ask for the slot of a string that will be put into the pool soon, most likely as it is."""
    prefetch(pool.slots, home(pool.slots, hash_bytes(np.uint64(pool.state[State.SEED]), data, start, length)))


@inline_kernel
def intern_clean(pool, data, start, length):
    """Code of printable bytes, or 0 when the pool is full (counted)."""
    hashed = hash_bytes(np.uint64(pool.state[State.SEED]), data, start, length)
    position = home(pool.slots, hashed)
    while pool.slots[position] != 0:
        if same_tag(pool.slots[position], hashed):
            code = row_of(pool.slots[position])
            entry = pool.entries[code]
            if entry["length"] == length and _equal(data, start, pool.bytes, entry["start"], length):
                return code
        position = following(pool.slots, position)
    used = pool.state[State.USED_BYTES]
    if pool.state[State.FREE] == 0 or used + length > len(pool.bytes) // 2:
        pool.state[State.REJECTED] += 1
        return 0
    pool.state[State.FREE] -= 1
    code = pool.state[State.FIRST_FREE]
    entry = pool.entries[code]
    pool.state[State.FIRST_FREE] = entry["next"]
    entry["start"] = pool.state[State.HALF] * (len(pool.bytes) // 2) + used
    entry["hash"] = hashed
    entry["length"] = length
    entry["traits"] = 0
    copy_bytes(data, start, length, pool.bytes, entry["start"])
    pool.state[State.USED_BYTES] = used + length
    insert(pool.slots, position, hashed, code)
    return code


@inline_kernel
def intern(pool, data, start, length, scratch):
    """Code of data[start:start+length], escaped where needed; 0 for the empty string."""
    if length <= 0:
        return 0
    if is_printable(data, start, length):
        return intern_clean(pool, data, start, length)
    return intern_clean(pool, scratch, 0, escape(data, start, length, scratch))


@kernel
def sweep(slots: U64s, entries: ENTRY, data: Bytes, state: I64s) -> None:
    """Keep the strings that are marked, copied to the other half; free the codes of the rest and clear the marks."""
    half = len(data) // 2
    target = (1 - state[State.HALF]) * half
    used = 0
    for position in range(len(slots)):
        slots[position] = np.uint64(0)
    state[State.FREE] = 0
    for code in range(len(entries) - 1, 0, -1):
        entry = entries[code]
        if entry["mark"] == 0:
            entry["length"] = 0
            entry["next"] = state[State.FIRST_FREE]
            state[State.FIRST_FREE] = code
            state[State.FREE] += 1
            continue
        entry["mark"] = 0
        length = np.int64(entry["length"])
        copy_bytes(data, entry["start"], length, data, target + used)
        entry["start"] = target + used
        used += length
        position = home(slots, entry["hash"])
        while slots[position] != 0:
            position = following(slots, position)
        insert(slots, position, entry["hash"], code)
    state[State.HALF] = 1 - state[State.HALF]
    state[State.USED_BYTES] = used


@kernel
def measure(entries: ENTRY, codes: U32s, offsets: I64s) -> int:
    """Fill offsets (one more than codes) for `gather`; returns the bytes it needs."""
    total = 0
    offsets[0] = 0
    for i in range(len(codes)):
        total += np.int64(entries[np.int64(codes[i])]["length"])
        offsets[i + 1] = total
    return total


@kernel
def gather(entries: ENTRY, data: Bytes, codes: U32s, offsets: I64s, out: Bytes) -> None:
    """Copy each code's string to out[offsets[i]:offsets[i+1]]."""
    for i in range(len(codes)):
        entry = entries[np.int64(codes[i])]
        copy_bytes(data, entry["start"], np.int64(entry["length"]), out, offsets[i])
