"""Texts made for the rows of a slice: in: addresses, words and masks; out: ASCII in one buffer.

Each writes one text at data[position:] and returns its end; the caller gives room for the longest (the *_BYTES below).
Text number k lies at data[offsets[k]:offsets[k + 1]]. The one law: equal values give equal texts, in the form the
standards call canonical (dotted decimal, RFC 5952).
"""

import numpy as np

from sensor._jit import Bytes, I64s, inline_kernel, kernel
from sensor.structures.bytesearch import copy_bytes

ADDRESS_BYTES = 39
UID_BYTES = 23
HEX_BYTES = 16
HISTORY_BYTES = 24

_BASE62 = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_DOT, _COLON = 46, 58


@inline_kernel
def _put_small(data, position, number):
    """Decimal digits of a number below 1000; return the end."""
    if number >= 100:
        data[position] = 48 + number // 100
        position += 1
    if number >= 10:
        data[position] = 48 + number // 10 % 10
        position += 1
    data[position] = 48 + number % 10
    return position + 1


@inline_kernel
def _put_ipv4(data, position, address):
    for shift in (24, 16, 8, 0):
        position = _put_small(data, position, (address >> shift) & 255)
        if shift:
            data[position] = _DOT
            position += 1
    return position


@inline_kernel
def _group(hi, lo, i):
    """The i-th of the eight 16-bit groups."""
    word = hi if i < 4 else lo
    return np.int64((word >> np.uint64(16 * (3 - (i & 3)))) & np.uint64(0xFFFF))


@inline_kernel
def _longest_zeros(hi, lo):
    """(start, length) of the first longest run of zero groups."""
    best, best_length, run = 8, 1, 0  # a single zero group is not shortened (RFC 5952, 4.2.2)
    for i in range(8):
        run = run + 1 if _group(hi, lo, i) == 0 else 0
        if run > best_length:
            best, best_length = i + 1 - run, run
    return best, best_length


@inline_kernel
def _put_ipv6(data, position, hi, lo):
    skip, length = _longest_zeros(hi, lo)
    i = 0
    while i < 8:
        if i == skip:
            data[position] = _COLON
            data[position + 1] = _COLON
            position += 2
            i += length
            continue
        if i > 0 and i != skip + length:
            data[position] = _COLON
            position += 1
        group = _group(hi, lo, i)
        leading = True
        for shift in (12, 8, 4, 0):
            digit = (group >> shift) & 15
            leading = leading and digit == 0 and shift > 0
            if not leading:
                data[position] = _HEX[digit]
                position += 1
        i += 1
    return position


@inline_kernel
def put_address(data, position, hi, lo):
    """::ffff:a.b.c.d as a.b.c.d, others as RFC 5952 has them; return the end."""
    if hi == 0 and lo >> np.uint64(32) == np.uint64(0xFFFF):
        return _put_ipv4(data, position, np.int64(lo & np.uint64(0xFFFFFFFF)))
    return _put_ipv6(data, position, hi, lo)


@inline_kernel
def _put_base62(data, position, word):
    """Eleven digits, most significant first."""
    for k in range(11):
        data[position + 10 - k] = _BASE62[np.int64(word % np.uint64(62))]
        word = word // np.uint64(62)
    return position + 11


@inline_kernel
def put_uid(data, position, hi, lo):
    """A connection's name as Zeek's look: C and 22 base62 digits, 11 for each half; return the end."""
    data[position] = 67
    position = _put_base62(data, position + 1, hi)
    return _put_base62(data, position, lo)


@inline_kernel
def put_hex(data, position, word):
    """Sixteen hexadecimal digits; return the end."""
    for k in range(16):
        data[position + k] = _HEX[np.int64((word >> np.uint64(60 - 4 * k)) & np.uint64(15))]
    return position + 16


@inline_kernel
def put_history(data, position, low, high, letters):
    """Zeek's history: 12 letters a word, 5 bits each, 0 ends it; return the end."""
    for k in range(24):
        word = low if k < 12 else high
        code = np.int64((word >> np.uint64(5 * (k % 12))) & np.uint64(31))
        if code == 0 or code > len(letters):
            break
        data[position] = letters[code - 1]
        position += 1
    return position


@kernel
def gather_texts(
    numbers: I64s, n: int, offsets: I64s, data: Bytes, target_offsets: I64s, target: Bytes
) -> int:
    """Copy texts by number into target, one after the other, with offsets from 0; return the bytes written."""
    position = 0
    target_offsets[0] = 0
    for i in range(n):
        length = offsets[numbers[i] + 1] - offsets[numbers[i]]
        copy_bytes(data, offsets[numbers[i]], length, target, position)
        position += length
        target_offsets[i + 1] = position
    return position
