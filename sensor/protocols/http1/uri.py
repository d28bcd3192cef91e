"""A request's path as a template: in: the target's bytes; out: its path with what varies replaced.

The one law: what is no part of the path, and no secret in it, gets into the template.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.redact import redact
from sensor.protocols.http1.tables import Scalar
from sensor.protocols.http1.words import is_digit, is_hex, literal, put_word
from sensor.structures.bytesearch import copy_bytes, find_byte
from sensor.structures.hashing import hash_bytes

TEMPLATE_MAX = 512
_SLASH, _QUERY, _HASH, _SEMI, _AT, _COLON = 0x2F, 0x3F, 0x23, 0x3B, 0x40, 0x3A


@inline_kernel
def path_start(data, start, stop):
    """Where the path of a target in origin or absolute form begins."""
    if start < stop and at(data, start) == _SLASH:
        return start
    colon = find_byte(data, start, min(stop, start + 8), _COLON)
    room = colon + 2 < stop and at(data, colon) == _COLON
    if room and at(data, colon + 1) == _SLASH and at(data, colon + 2) == _SLASH:
        return find_byte(data, colon + 3, stop, _SLASH)
    return start


_ID, _UUID, _HEXES, _TOKENS, _EMAIL = (literal(x) for x in ("{id}", "{uuid}", "{hex}", "{token}", "{email}"))
_ODD = -1
_OBJECT_BITS = np.uint64(0x7FFFFFFFFFFFFFFF)


@part_kernel
def number_at(data, start, stop):
    """The decimal number that is all of data[start:stop] and has at most 18 digits, or -1."""
    if stop - start > 18 or stop == start:
        return -1
    number = 0
    for i in range(start, stop):
        if not is_digit(at(data, i)):
            return -1
        number = number * 10 + at(data, i) - 0x30
    return number


@part_kernel
def fold_id(numbers, data, start, stop):
    """The fingerprint of the ids read so far and of one more: 63 bits, keyed."""
    seed = np.uint64(numbers[Scalar.KEY_LOW]) ^ np.uint64(numbers[Scalar.OBJECT_ID])
    return np.int64((hash_bytes(seed, data, start, stop - start) & _OBJECT_BITS) | np.uint64(1))


@inline_kernel
def _stand_in(data, start, stop):
    """What a path segment is replaced by, as a word and its length: numbers, UUIDs, long hexadecimal, opaque tokens,
    mail addresses; length 0 when it stays, _ODD when there could be a secret in it.
    """
    length = stop - start
    digits = 0
    hexes = 0
    dashes = 0
    mail = False
    odd = False
    for i in range(start, stop):
        byte = at(data, i)
        if is_digit(byte):
            digits += 1
            hexes += 1
        elif is_hex(byte):
            hexes += 1
        elif byte == 0x2D:
            dashes += 1
        elif byte == _AT:
            mail = True
        elif byte == 0x3D or byte == 0x25 or byte == 0x4A or byte == _COLON:
            odd = True
    if digits == length:
        return _ID, 4
    if length == 36 and dashes == 4 and hexes == 32:
        return _UUID, 6
    if digits > 0 and hexes == length and length >= 12:
        return _HEXES, 5
    if mail and length > 2:
        return _EMAIL, 7
    if digits > 1 and length >= 20:
        return _TOKENS, 7
    if digits >= 2 and 2 * digits >= length - dashes:
        return _ID, 4
    return _ID, _ODD if odd else 0


@inline_kernel
def _segment(data, start, stop, out, position, numbers):
    """One path segment, or what it stands for; what was replaced joins the target's object ids."""
    word, size = _stand_in(data, start, stop)
    if size == _ODD:
        return redact(data, start, stop, out, position)
    if size > 0:
        numbers[Scalar.OBJECT_ID] = fold_id(numbers, data, start, stop)
        numbers[Scalar.OBJECT_NUMBER] = number_at(data, start, stop)
        return put_word(out, position, word, size)
    copy_bytes(data, start, stop - start, out, position)
    return position + stop - start


@part_kernel
def template(data, start, stop, out, position, numbers):
    """The path of data[start:stop] with what varies replaced, at out[position:]; returns the end.

    `numbers` then holds what was replaced, and where the query begins.
    """
    numbers[Scalar.OBJECT_ID] = 0
    numbers[Scalar.OBJECT_NUMBER] = -1
    numbers[Scalar.PAGE] = -1
    numbers[Scalar.SECRET_LEN] = 0
    limit = position + TEMPLATE_MAX
    i = path_start(data, start, stop)
    end = i
    while end < stop and at(data, end) != _QUERY and at(data, end) != _HASH and at(data, end) != _SEMI:
        end += 1
    numbers[Scalar.QUERY] = end
    while i < end:
        if at(data, i) == _SLASH:
            if position + 1 >= limit:
                break
            out[position] = np.uint8(_SLASH)
            position += 1
            i += 1
            continue
        following = find_byte(data, i, end, _SLASH)
        if position + max(following - i, 8) >= limit:
            break
        if following > i:
            position = _segment(data, i, following, out, position, numbers)
        i = following
    return position
