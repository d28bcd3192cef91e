"""What the names and strings of a body say: in: bytes and where quotes are; out: counts of what they name.

A name (of JSON, a form, XML) says what its value is; a string may be a key or a token by how it begins. The one law:
names are compared by their letters alone, and one that says nothing once says nothing ever.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.detection.sensitive.kinds import Kind
from sensor.detection.sensitive.names import TABLE_SIZE, Name, word
from sensor.structures.bytesearch import find_byte, load64, trailing_zeros
from sensor.structures.hashing import mix

_ONE = np.uint64(1)
_QUOTE, _COLON, _SP, _MINUS, _DOT = 0x22, 0x3A, 0x20, 0x2D, 0x2E
_PLUS, _EQUAL, _STAR, _COMMA, _OPEN, _PAREN = 0x2B, 0x3D, 0x2A, 0x2C, 0x7B, 0x28
_NAME_MAX = 40
_MARKED_MAX = 24
IDLE_NAMES = 512
_NAMES_BYTES = 2_048
SECRETS_BYTES = 4_096
"""Names and secrets are looked for in the first bytes: the records of a list are all alike."""
_FOUR = np.uint64(0xFFFFFFFF)


_AKIA, _ASIA, _GHP, _GHO, _XOXB, _XOXP = (word(x) for x in ("AKIA", "ASIA", "ghp_", "gho_", "xoxb", "xoxp"))
_AIZA, _SK, _RK, _GLPAT, _PEM, _JWT = (word(x) for x in ("AIza", "sk_l", "rk_l", "glpa", "----", "eyJ"))
_PRIVATE = word("PRIVATE ")


@inline_kernel
def is_digit(byte):
    return 0x30 <= byte <= 0x39


@inline_kernel
def is_letter(byte):
    return 0x61 <= (byte | 0x20) <= 0x7A


@inline_kernel
def is_word(byte):
    return is_digit(byte) or is_letter(byte) or byte == 0x5F


@part_kernel
def _name_kind(data, start, stop, hashes, kinds):
    """What the name data[start:stop] says of its value."""
    value = np.uint64(0xCBF29CE484222325)
    for i in range(start, stop):
        byte = at(data, i) | 0x20
        if 0x61 <= byte <= 0x7A:
            value = (value ^ np.uint64(byte)) * np.uint64(0x100000001B3)
    slot = np.int64(value & np.uint64(TABLE_SIZE - 1))
    while hashes[slot] != 0:
        if hashes[slot] == value:
            return np.int64(kinds[slot])
        slot = (slot + 1) & (TABLE_SIZE - 1)
    return np.int64(Name.NONE)


@part_kernel
def name_before(data, start, position, hashes, kinds):
    """What the name before a value at `position` says, in JSON ("name": value), a form (name=value) or XML."""
    i = position - 1
    while (
        i > start
        and position - i < 5
        and (at(data, i) == _SP or at(data, i) == _QUOTE or at(data, i) == _PLUS or at(data, i) == _PAREN)
    ):
        i -= 1
    if i <= start:
        return np.int64(Name.NONE)
    byte = at(data, i)
    if byte != _COLON and byte != _EQUAL and byte != 0x3E:
        return np.int64(Name.NONE)
    i -= 1
    while i > start and (at(data, i) == _SP or at(data, i) == _QUOTE):
        i -= 1
    end = i + 1
    while i >= start and end - i <= _NAME_MAX and (is_word(at(data, i)) or at(data, i) == _MINUS):
        i -= 1
    return _name_kind(data, i + 1, end, hashes, kinds)


@inline_kernel
def _secret(data, start, stop, counts, base):
    """Whether a string that begins at `start` is a key or a token."""
    word = load64(data, start) & _FOUR
    if word & np.uint64(0xFFFFFF) == _JWT:
        end = min(find_byte(data, start, stop, _QUOTE), start + 8_192)
        first = find_byte(data, start, end, _DOT)
        if first < end and find_byte(data, first + 1, end, _DOT) < end and end - start > 40:
            counts[base + Kind.TOKEN] += np.uint32(1)
        return
    known = (
        word == _AKIA or word == _ASIA or word == _GHP or word == _GHO or word == _XOXB or word == _XOXP
        or word == _AIZA or word == _SK or word == _RK or word == _GLPAT
    )  # fmt: skip
    if known:
        end = start
        while end < stop and (is_word(at(data, end)) or at(data, end) == _MINUS):
            end += 1
        if end - start >= 20 and end < stop and at(data, end) == _QUOTE:
            counts[base + Kind.KEY] += np.uint32(1)
    elif word == _PEM:
        for i in range(start + 10, min(start + 32, stop - 8)):
            if load64(data, i) == _PRIVATE:
                counts[base + Kind.KEY] += np.uint32(1)
                return


@inline_kernel
def _name_mark(data, start, end):
    """A number for the name data[start:end] of 1 to 24 bytes, 8 of which may be read from its start on."""
    length = end - start
    first = load64(data, start)
    if length < 8:
        return mix(np.uint64(length), first & ((_ONE << np.uint64(8 * length)) - _ONE))
    marked = mix(mix(np.uint64(length), first), load64(data, end - 8))
    return mix(marked, load64(data, start + 8)) if length > 16 else marked


@part_kernel
def _name_end(data, quote, stop):
    """Where the name that begins behind `quote` ends, before a quote and a colon; 0 when it is none."""
    end = quote + 1
    while end < stop and end - quote <= _NAME_MAX and (is_word(at(data, end)) or at(data, end) == _MINUS):
        end += 1
    return end if end + 2 < stop and at(data, end) == _QUOTE and at(data, end + 1) == _COLON else 0


@part_kernel
def _named(data, quote, stop, hashes, kinds, idle, counts, base):
    """A name that begins behind `quote`: count its value when the name says what it is. `idle`: names that do not."""
    end = _name_end(data, quote, stop)
    if end == 0:
        return
    name = _name_kind(data, quote + 1, end, hashes, kinds)
    if name == Name.NONE or name > Name.LOCATION:
        if 1 <= end - quote - 1 <= _MARKED_MAX:
            marked = _name_mark(data, quote + 1, end)
            idle[np.int64(marked & np.uint64(len(idle) - 1))] = marked
        return
    value = end + 2
    while value < stop and at(data, value) == _SP:
        value += 1
    if value + 1 >= stop:
        return
    first, second = at(data, value), at(data, value + 1)
    if name == Name.PASSWORD:
        if first == _QUOTE and second != _QUOTE and second != _STAR:
            counts[base + Kind.PASSWORD] += np.uint32(1)
    elif first != 0x6E and not (first == _QUOTE and second == _QUOTE) and not (first == 0x5B and second == 0x5D):
        counts[base + (Kind.HEALTH if name == Name.HEALTH else Kind.LOCATION)] += np.uint32(1)


@inline_kernel
def _may_be_named(data, quote, end, idle):
    """Whether what stands between these two quotes may be a name that says something; `end` 0: not known where."""
    if end == 0:
        return True
    length = end - quote - 1
    if at(data, end + 1) != _COLON or length == 0:
        return False
    if length > _MARKED_MAX:
        return True
    marked = _name_mark(data, quote + 1, end)
    return idle[np.int64(marked & np.uint64(len(idle) - 1))] != marked


@inline_kernel
def _may_be_secret(byte):
    """Whether a key or a token may begin with this byte."""
    return (
        byte == 0x41 or byte == 0x67 or byte == 0x78 or byte == 0x73 or byte == 0x72 or byte == 0x65 or byte == _MINUS
    )  # fmt: skip


@part_kernel
def count_strings(data, start, position, stop, quotes, hashes, kinds, idle, counts, base):
    """Count what names and strings say that begin at these quotes of the 64 bytes at `position`."""
    while quotes != 0:
        quote = position + trailing_zeros(quotes)
        quotes &= quotes - _ONE
        if quote + 9 >= stop:
            return
        before = at(data, quote - 1) if quote > start else 0
        named = before == _COMMA or before == _OPEN or before == _SP or before == 0x0A
        if named and quote - start < _NAMES_BYTES:
            end = position + trailing_zeros(quotes) if quotes != 0 else 0
            if end + 1 < stop and _may_be_named(data, quote, end, idle):
                _named(data, quote, stop, hashes, kinds, idle, counts, base)
        if (before == _COLON or before == _SP) and _may_be_secret(at(data, quote + 1)):
            _secret(data, quote + 1, stop, counts, base)
