"""Text behind its escapes: in: bytes as sent; out: the byte that a percent escape or a JSON escape stands for.

The one law: however often a byte was escaped on its way (`n`, `%6e`, `%256e`, `%25%36%65`, `%u006e`), it is read as the
same byte; what is no escape stands for itself.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.words import is_digit, is_hex

PERCENT = 0x25
_PLUS, _SPACE, _BACKSLASH = 0x2B, 0x20, 0x5C
_LETTER_U, _QUOTE = 0x75, 0x22


@inline_kernel
def hex_value(byte):
    return byte - 0x30 if is_digit(byte) else (byte | 0x20) - 0x57


@inline_kernel
def _two(data, start, stop):
    """The byte that the two hexadecimal digits at `start` are, or -1."""
    if start + 2 <= stop and is_hex(at(data, start)) and is_hex(at(data, start + 1)):
        return hex_value(at(data, start)) * 16 + hex_value(at(data, start + 1))
    return -1


@part_kernel
def _escape(data, start, stop):
    """(byte, position behind it) where the escape's own `%` may be escaped, but no digit of it."""
    if at(data, start) != PERCENT:
        return at(data, start), start + 1
    if start + 6 <= stop and at(data, start + 1) | 0x20 == _LETTER_U and _two(data, start + 2, stop) == 0:
        wide = _two(data, start + 4, stop)
        if wide >= 0:
            return wide, start + 6
    byte = PERCENT
    following = start + 1
    while byte == PERCENT:
        value = _two(data, following, stop)
        if value < 0:
            break
        byte = value
        following += 2
    return byte, following


@part_kernel
def escaped_unit(data, start, stop):
    """(byte, position behind it) of the escape at `start`, its digits escaped or not."""
    byte, following = _escape(data, start, stop)
    while byte == PERCENT and following < stop:
        high, behind = _escape(data, following, stop)
        if not is_hex(high) or behind >= stop:
            break
        low, behind = _escape(data, behind, stop)
        if not is_hex(low):
            break
        byte = hex_value(high) * 16 + hex_value(low)
        following = behind
    return byte, following


@inline_kernel
def unit(data, start, stop):
    """(byte, position behind it) of whatever is at `start`."""
    byte = at(data, start)
    if byte != PERCENT:
        return byte, start + 1
    return escaped_unit(data, start, stop)


@part_kernel
def put_form_text(data, start, stop, out, position):
    """Decode a value of application/x-www-form-urlencoded to out[position:]; returns the end."""
    i = start
    while i < stop:
        byte = at(data, i)
        value = _two(data, i + 1, stop) if byte == PERCENT else -1
        i += 3 if value >= 0 else 1
        out[position] = np.uint8(value if value >= 0 else (_SPACE if byte == _PLUS else byte))
        position += 1
    return position


@inline_kernel
def _four(data, start, stop):
    """The UTF-16 unit of the four hexadecimal digits at `start`, or -1."""
    high, low = _two(data, start, stop), _two(data, start + 2, stop)
    return high * 256 + low if high >= 0 and low >= 0 else -1


@inline_kernel
def _put_utf8(out, position, letter):
    if letter < 0x80:
        out[position] = np.uint8(letter)
        return position + 1
    if letter < 0x800:
        out[position] = np.uint8(0xC0 | letter >> 6)
        out[position + 1] = np.uint8(0x80 | letter & 0x3F)
        return position + 2
    if letter < 0x10000:
        out[position] = np.uint8(0xE0 | letter >> 12)
        out[position + 1] = np.uint8(0x80 | letter >> 6 & 0x3F)
        out[position + 2] = np.uint8(0x80 | letter & 0x3F)
        return position + 3
    out[position] = np.uint8(0xF0 | letter >> 18)
    out[position + 1] = np.uint8(0x80 | letter >> 12 & 0x3F)
    out[position + 2] = np.uint8(0x80 | letter >> 6 & 0x3F)
    out[position + 3] = np.uint8(0x80 | letter & 0x3F)
    return position + 4


@inline_kernel
def _json_letter(byte):
    """What a backslash before `byte` makes of it (RFC 8259, 7)."""
    if byte == 0x6E:
        return 0x0A
    if byte == 0x74:
        return 0x09
    if byte == 0x72:
        return 0x0D
    if byte == 0x62:
        return 0x08
    return 0x0C if byte == 0x66 else byte


@part_kernel
def put_json_text(data, start, stop, out, position):
    """Decode the inside of a JSON string to out[position:], as UTF-8; returns the end."""
    i = start
    while i < stop:
        byte = at(data, i)
        if byte != _BACKSLASH or i + 1 >= stop:
            out[position] = np.uint8(byte)
            position += 1
            i += 1
            continue
        letter = _four(data, i + 2, stop) if at(data, i + 1) == _LETTER_U else -1
        if letter < 0:
            out[position] = np.uint8(_json_letter(at(data, i + 1)))
            position += 1
            i += 2
            continue
        i += 6
        if 0xD800 <= letter < 0xDC00 and i + 6 <= stop and at(data, i) == _BACKSLASH and at(data, i + 1) == _LETTER_U:
            second = _four(data, i + 2, stop)
            if 0xDC00 <= second < 0xE000:
                letter = 0x10000 + ((letter - 0xD800) << 10) + second - 0xDC00
                i += 6
        position = _put_utf8(out, position, letter)
    return position


@part_kernel
def json_string_end(data, start, stop):
    """Position of the quote that ends the JSON string whose inside begins at `start`, or `stop`."""
    i = start
    while i < stop and at(data, i) != _QUOTE:
        i += 2 if at(data, i) == _BACKSLASH else 1
    return min(i, stop)
