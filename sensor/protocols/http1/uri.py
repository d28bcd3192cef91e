"""A request's path as a template: in: the target's bytes; out: its path with what varies replaced.

The one law: what is no part of the path, and no secret in it, gets into the template.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.redact import redact
from sensor.protocols.http1.words import is_digit, is_hex, literal, put_word
from sensor.structures.bytesearch import copy_bytes, find_byte

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


@inline_kernel
def _segment(data, start, stop, out, position):
    """One path segment, or what it stands for: numbers, UUIDs, long hexadecimal, opaque tokens, mail addresses."""
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
        return put_word(out, position, _ID, 4)
    if length == 36 and dashes == 4 and hexes == 32:
        return put_word(out, position, _UUID, 6)
    if digits > 0 and hexes == length and length >= 12:
        return put_word(out, position, _HEXES, 5)
    if mail and length > 2:
        return put_word(out, position, _EMAIL, 7)
    if digits > 1 and length >= 20:
        return put_word(out, position, _TOKENS, 7)
    if digits >= 2 and 2 * digits >= length - dashes:
        return put_word(out, position, _ID, 4)
    if odd:
        return redact(data, start, stop, out, position)
    copy_bytes(data, start, length, out, position)
    return position + length


@part_kernel
def template(data, start, stop, out, position):
    """The path of data[start:stop] with what varies replaced, at out[position:]; returns the end."""
    limit = position + TEMPLATE_MAX
    i = path_start(data, start, stop)
    end = i
    while end < stop and at(data, end) != _QUERY and at(data, end) != _HASH and at(data, end) != _SEMI:
        end += 1
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
            position = _segment(data, i, following, out, position)
        i = following
    return position
