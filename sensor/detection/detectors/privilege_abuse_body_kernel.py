"""Fields of JSON bodies: in: bytes of a request's body; out: the names in it that are new, or give rights.

Names are hashed without regard to case, `_` and `-`. Of an endpoint it is kept which of the fields that give rights
were sent, a bit each, so that no number of other names can fill what is kept. The one law: a name is known by its hash
alone, and no value is looked at.
"""

import numpy as np

from sensor._jit import Bytes, I64s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.structures.bytesearch import match32, trailing_zeros
from sensor.structures.folding import fold_bytes
from sensor.structures.hashing import finish, mix

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_QUOTE, _BACKSLASH, _COLON = 0x22, 0x5C, 0x3A
KEY_MAX = 64
_NAME_SEED = np.uint64(0x6669656C64)
ROLE_FIELDS = 18
"""Of the fields that give rights those that come first are roles and the like."""
NAMES = 512
"""Names of fields of which it is remembered whether they give rights."""


@inline_kernel
def _lower(byte):
    return byte | 0x20 if 0x41 <= byte <= 0x5A else byte


@part_kernel
def field_hash(data, start, stop):
    """Hash of a field's name without regard to case, `_` and `-`; not keyed, as names are no secret."""
    hashed = _NAME_SEED
    for i in range(start, min(stop, start + KEY_MAX)):
        byte = _lower(at(data, i))
        if byte != 0x5F and byte != 0x2D:
            hashed = mix(hashed, np.uint64(byte))
    return finish(hashed)


@inline_kernel
def _find(data, i, stop, byte):
    """Position of the first `byte` in data[i:stop], or `stop`; reads past `stop` where there is more."""
    while i < stop:
        if i + 32 <= len(data):
            mask = match32(data, i, np.uint8(byte))
            if mask != 0:
                return min(i + trailing_zeros(mask), stop)
            i += 32
        elif at(data, i) == byte:
            return i
        else:
            i += 1
    return stop


@inline_kernel
def _string_end(data, start, stop):
    """Where the string that begins at `start` has its closing quote, or `stop` and behind."""
    quote = _find(data, start, stop, _QUOTE)
    end = _find(data, start, quote, _BACKSLASH)
    while end < stop and at(data, end) != _QUOTE:
        end += 2 if at(data, end) == _BACKSLASH else 1
    return end


@part_kernel
def next_field(data, i, stop):
    """(start, end) of the next field's name in a JSON body from i on; start is -1 behind the last one."""
    i = _find(data, i, stop, _QUOTE)
    while i < stop:
        end = _string_end(data, i + 1, stop)
        behind = end + 1
        while behind < stop and at(data, behind) <= 0x20:
            behind += 1
        if behind < stop and at(data, behind) == _COLON:
            return i + 1, end
        i = _find(data, end + 1, stop, _QUOTE)
    return -1, stop


@kernel
def hash_names(data: Bytes, ends: I64s, out: U64s) -> None:
    """Hashes of names that lie one after the other in data, each up to its end."""
    start = 0
    for i in range(len(ends)):
        out[i] = field_hash(data, start, ends[i])
        start = ends[i]


@part_kernel
def _place_of(sensitive, hashed):
    """1 + where the hash stands among those of fields that give rights; 0 for none of them."""
    for i in range(len(sensitive)):
        if sensitive[i] == hashed:
            return np.uint64(i + 1)
    return _ZERO


@inline_kernel
def _right(data, start, stop, names, seeds, sensitive):
    """As _place_of of a name; `names` remembers the places of those that come again and again, by a keyed hash of their
    bytes.
    """
    folded = fold_bytes(seeds[0], seeds[1], data, start, stop - start) | _ONE  # 0 is none
    place = 2 * np.int64((folded >> np.uint64(8)) & np.uint64(NAMES - 1))
    if names[place] != folded:
        names[place] = folded
        names[place + 1] = _place_of(sensitive, field_hash(data, start, stop))
    return np.int64(names[place + 1])


@part_kernel
def read_fields(arena, start, stop, rights, names, seeds, sensitive):
    """The fields of one body that give rights: `rights`, a bit for each that was sent before, with theirs, and (start,
    length) of the first of them that is new, or (start, 0).
    """
    found, found_len = start, 0
    i = start
    while i < stop:
        key, end = next_field(arena, i, stop)
        if key < 0:
            break
        right = _right(arena, key, end, names, seeds, sensitive)
        if right > 0:
            bit = _ONE << np.uint64(right - 1)
            if rights & bit == 0 and found_len == 0:
                found, found_len = key, end - key
            rights |= bit
        i = end + 1
    return rights, found, found_len


@part_kernel
def has_rights(arena, start, stop, names, seeds, sensitive):
    """Whether a body has one of the fields that are roles and the like."""
    i = start
    while i < stop:
        key, end = next_field(arena, i, stop)
        if key < 0:
            return False
        if 0 < _right(arena, key, end, names, seeds, sensitive) <= ROLE_FIELDS:
            return True
        i = end + 1
    return False
