"""The members of JSON objects, one after the other: in: bytes of a body or a token; out: where a key and its value lie.

The one law: a reading position is an offset and a depth, and nothing is ever written; bytes that are not JSON give no
members or odd ones, never an access outside of them.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.words import is_digit, short_word

_QUOTE, _BACKSLASH, _COLON, _SP = 0x22, 0x5C, 0x3A, 0x20
_OPEN_OBJECT, _CLOSE_OBJECT = 0x7B, 0x7D
_NUMBER_MAX = 1 << 60


@inline_kernel
def string_end(data, i, stop):
    """Position of the quote that ends a string whose first byte is data[i], or `stop`."""
    while i < stop:
        byte = at(data, i)
        if byte == _QUOTE:
            return i
        i += 2 if byte == _BACKSLASH else 1
    return stop


@part_kernel
def next_member(data, i, stop, depth):
    """(key, length of the key, value, depth) of the next member from data[i] on; key is -1 when there is none.

    `depth` is how deep data[i] lies, and comes back as the member's. A reader goes on behind the value, or inside of it
    when it is an object or an array: see `after_value`.
    """
    while i < stop:
        byte = at(data, i)
        if byte == _QUOTE:
            end = string_end(data, i + 1, stop)
            value = end + 1
            while value < stop and at(data, value) <= _SP:
                value += 1
            if value < stop and at(data, value) == _COLON:
                value += 1
                while value < stop and at(data, value) <= _SP:
                    value += 1
                if value < stop:
                    return i + 1, end - i - 1, value, depth
            i = end + 1
        else:
            if byte | 0x20 == _OPEN_OBJECT:
                depth += 1
            elif byte | 0x20 == _CLOSE_OBJECT:
                depth -= 1
            i += 1
    return -1, 0, stop, depth


@inline_kernel
def after_value(data, value, stop):
    """Where to read on behind a member: behind a string, at anything else."""
    return string_end(data, value + 1, stop) + 1 if at(data, value) == _QUOTE else value


@part_kernel
def value_end(data, value, stop):
    """Position behind a value: a string with its quotes, a list or object with what is in it, or a word."""
    if at(data, value) == _QUOTE:
        return min(string_end(data, value + 1, stop) + 1, stop)
    depth = 0
    i = value
    while i < stop:
        byte = at(data, i)
        if byte == _QUOTE:
            i = string_end(data, i + 1, stop) + 1
            continue
        if byte | 0x20 == _OPEN_OBJECT:
            depth += 1
        elif byte | 0x20 == _CLOSE_OBJECT:
            depth -= 1
            if depth <= 0:
                return i if depth < 0 else i + 1
        elif depth == 0 and (byte == 0x2C or byte <= _SP):
            return i
        i += 1
    return stop


@inline_kernel
def is_string(data, value, stop):
    """Whether a value is a string that is not empty and ends before `stop`."""
    return at(data, value) == _QUOTE and value + 2 < stop and at(data, value + 1) != _QUOTE


@part_kernel
def whole_number(data, value, stop):
    """A value's digits as a number, signs and fractions left out; -1 when it does not begin with a digit."""
    number = -1
    while value < stop and is_digit(at(data, value)) and number < _NUMBER_MAX // 10:
        number = max(number, 0) * 10 + at(data, value) - 0x30
        value += 1
    return number


@inline_kernel
def key_is(data, key, length, word, size):
    """Whether a key of `length` bytes is the word of `size` (at most 8) letters, given folded."""
    return length == size and short_word(data, key, size) == word


@inline_kernel
def key_word(data, key, length):
    """A key of at most 8 bytes as a folded word, 0 for a longer one."""
    return short_word(data, key, length) if 0 < length <= 8 else np.uint64(0)
