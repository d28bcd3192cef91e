"""Domain names (RFC 1035, 4.1.4): in: bytes of a message; out: the name without compression, and its text.

The one law: a compression pointer must point before where the name, or the part of it that it ends, begins, so that
every name comes to an end.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.dns.tables import JUMPS_MAX, NAME_BYTES

_POINTER, _LABEL = 0xC0, 0x3F
_DOT, _BACKSLASH, _X = 46, 92, 120
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@inline_kernel
def u16(data, position):
    return at(data, position) << 8 | at(data, position + 1)


@inline_kernel
def _lower(byte):
    return byte | 0x20 if 65 <= byte <= 90 else byte


@part_kernel
def read_name(data, message, position, stop, out, place):
    """Copy a name of the message that begins at `message` and ends before `stop` to out[place:], in lower case.

    Returns (position behind it, its length, length bytes and root included); (-1, 0) when it is none.
    """
    after, limit, length, jumps = np.int64(-1), position, np.int64(0), 0
    while True:
        if position >= stop:
            return np.int64(-1), np.int64(0)
        size = at(data, position)
        if size >= _POINTER:
            if position + 2 > stop or jumps == JUMPS_MAX:
                return np.int64(-1), np.int64(0)
            if after < 0:
                after = position + 2
            position = message + (u16(data, position) & 0x3FFF)
            if position >= limit:
                return np.int64(-1), np.int64(0)
            limit = position
            jumps += 1
            continue
        if size > _LABEL or position + 1 + size > stop or length + 1 + size > NAME_BYTES - (1 if size == 0 else 2):
            return np.int64(-1), np.int64(0)
        out[place + length] = np.uint8(size)
        for i in range(1, size + 1):
            out[place + length + i] = np.uint8(_lower(at(data, position + i)))
        position += 1 + size
        length += 1 + size
        if size == 0:
            return after if after >= 0 else position, length


@part_kernel
def skip_name(data, position, stop):
    """Position behind a name, wherever its pointer leads; -1 when it is none."""
    while position < stop:
        size = at(data, position)
        if size >= _POINTER:
            return position + 2 if position + 2 <= stop else -1
        if size > _LABEL:
            return -1
        position += 1 + size
        if size == 0:
            return position if position <= stop else -1
    return -1


@part_kernel
def put_text(data, start, length, stop, escapes_dots, texts, position):
    """Write bytes as text to texts[position:], no further than `stop`, where the last may end early; returns the end.
    """
    for i in range(length):
        byte = at(data, start + i)
        if position + 4 > stop:
            return position
        odd = byte == _BACKSLASH or byte > 0x7E or byte < (0x21 if escapes_dots else 0x20)
        if odd or (escapes_dots and byte == _DOT):
            texts[position] = np.uint8(_BACKSLASH)
            texts[position + 1] = np.uint8(_X)
            texts[position + 2] = _HEX[byte >> 4]
            texts[position + 3] = _HEX[byte & 15]
            position += 4
        else:
            texts[position] = np.uint8(byte)
            position += 1
    return position


@part_kernel
def put_name(wire, place, length, stop, texts, position):
    """Write the text of a name that `read_name` gave to texts[position:], no further than `stop`; returns the end."""
    if length <= 1:
        if length == 1 and position < stop:
            texts[position] = np.uint8(_DOT)
            return position + 1
        return position
    offset = 0
    while offset < length - 1:
        if offset > 0 and position < stop:
            texts[position] = np.uint8(_DOT)
            position += 1
        size = at(wire, place + offset)
        position = put_text(wire, place + offset + 1, size, stop, True, texts, position)
        offset += 1 + size
    return position
