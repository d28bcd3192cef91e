"""Ids that answers gave to an identity: in: bytes of answers and targets; out: bits of a filter for each identity.

A word is a run of letters, digits, - and _ with a digit in it; when there are many, only those are noted of whose
length and sort ids are asked for. Each block is one identity's: two halves of a Bloom filter (Bloom, 1970), that of the
present window and that of the one before. The one law: what is not known to the last id makes an identity silent: what
was cut or lost of an answer counts as so many ids that may have been given, and a full block is blind for a while.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.detection.sensitive.masks import masks
from sensor.structures.bytesearch import trailing_zeros
from sensor.structures.hashing import finish, hash_bytes

HALF_WORDS = 64
_HALF_BITS = 64 * HALF_WORDS
_FULL = _HALF_BITS // 3
"""Bits set in a half from which on too many words would seem to be in it."""
_CHOOSY = _FULL // 4
"""Bits set from which on only words are noted that look like an id that somebody asked for."""
WORD_MAX = 79
SHAPES = 2 * (WORD_MAX + 1)
_CREDIT_MAX = 64
_UNSEEN_MAX = 1 << 30
_ONE = np.uint64(1)
_DOT, _COLON, _AT, _PERCENT, _BACKSLASH, _PLUS = 0x2E, 0x3A, 0x40, 0x25, 0x5C, 0x2B

BLOCK = np.dtype(
    [
        ("owner", "i4"),          # 1 + row of the identity, 0 while it is nobody's
        ("generation", "u4"),
        ("credit", "i4"),         # uses that others must make before they may have it
        ("half", "i4"),           # which half is the present window's
        ("fill", "i4"),           # bits set in it
        ("unseen", "i4"),         # ids at most that answers gave in this window and nobody saw
        ("unseen_before", "i4"),
        ("dirty", "i4"),          # 1 when a bit may be set
        ("began_now", "i8"),
        ("window_now", "i8"),
        ("used_now", "i8"),
        ("blind_now", "i8"),      # until then not all is known
    ],
    align=True,
)


@inline_kernel
def _is_digit(byte):
    return 0x30 <= byte <= 0x39


@inline_kernel
def is_word_byte(byte):
    return _is_digit(byte) or 0x61 <= (byte | 0x20) <= 0x7A or byte == 0x2D or byte == 0x5F


@inline_kernel
def shape_of(data, start, stop):
    """The length of a word, WORD_MAX + 1 more when it is not of digits alone."""
    i = start
    while i < stop and _is_digit(at(data, i)):
        i += 1
    return stop - start if i == stop else stop - start + WORD_MAX + 1


@inline_kernel
def _set(bits, base, place):
    """Set a bit; 1 when it was not set."""
    word, mask = base + np.int64(place >> np.uint64(6)), _ONE << (place & np.uint64(63))
    if bits[word] & mask != 0:
        return 0
    bits[word] |= mask
    return 1


@inline_kernel
def _has(bits, base, place):
    return bits[base + np.int64(place >> np.uint64(6))] & (_ONE << (place & np.uint64(63))) != 0


@inline_kernel
def is_noted(bits, at_block, hashed):
    """Whether a hash was noted in either half, or seems so."""
    one, other = hashed & np.uint64(_HALF_BITS - 1), (hashed >> np.uint64(16)) & np.uint64(_HALF_BITS - 1)
    base = at_block * 2 * HALF_WORDS
    if _has(bits, base, one) and _has(bits, base, other):
        return True
    return _has(bits, base + HALF_WORDS, one) and _has(bits, base + HALF_WORDS, other)


@inline_kernel
def note(block, bits, at_block, hashed):
    base = (at_block * 2 + np.int64(block["half"])) * HALF_WORDS
    block["fill"] += _set(bits, base, hashed & np.uint64(_HALF_BITS - 1))
    block["fill"] += _set(bits, base, (hashed >> np.uint64(16)) & np.uint64(_HALF_BITS - 1))
    block["dirty"] = 1


@inline_kernel
def read_hash(hashed, endpoint):
    """What stands for an id having been read at an endpoint, where `hashed` stands for its having been given."""
    return finish(hashed ^ (np.uint64(endpoint + 1) << np.uint64(32)))


@part_kernel
def _forget(block, bits, at_block, half):
    base = (at_block * 2 + half) * HALF_WORDS
    for i in range(base, base + HALF_WORDS):
        bits[i] = np.uint64(0)


@part_kernel
def _begin(block, bits, at_block, owner, generation, now, blind_now):
    if block["dirty"] != 0:
        _forget(block, bits, at_block, 0)
        _forget(block, bits, at_block, 1)
    block["owner"], block["generation"] = owner, generation
    block["credit"], block["half"], block["fill"], block["dirty"] = 1, 0, 0, 0
    block["unseen"], block["unseen_before"] = 0, 0
    block["began_now"], block["window_now"], block["blind_now"] = now, now, blind_now


@part_kernel
def own_block(blocks, bits, identity, generation, now, since, window):
    """Make the block of an identity its own: 0 it is, 1 it was taken from a lighter one, 2 it was nobody's, -1 it is a
    heavier one's.

    What was noted before `since` is forgotten, as more was given meanwhile that was not looked at; unless it is 0, who
    begins within a window of it is blind until its end.
    """
    at_block = identity % len(blocks)
    block = blocks[at_block]
    owner = identity + 1
    taken = 0
    if block["owner"] == owner and block["generation"] == generation and block["began_now"] >= since:
        block["credit"] = min(block["credit"] + 1, _CREDIT_MAX)
    elif block["owner"] == 0 or block["owner"] == owner or block["began_now"] < since:
        _begin(block, bits, at_block, owner, generation, now, since + window if since > 0 else 0)
        taken = 2
    else:
        block["credit"] -= 1
        if block["credit"] > 0 and now - np.int64(block["used_now"]) < window:
            return -1
        _begin(block, bits, at_block, owner, generation, now, now + 2 * window)
        taken = 1
    block["used_now"] = now
    if now - np.int64(block["window_now"]) >= window:
        if now - np.int64(block["window_now"]) >= 2 * window:
            _forget(block, bits, at_block, block["half"])
            block["unseen"] = 0
        block["half"] = 1 - block["half"]
        _forget(block, bits, at_block, block["half"])
        block["fill"] = 0
        block["unseen_before"], block["unseen"] = block["unseen"], 0
        block["window_now"] = now
    return taken


@inline_kernel
def blind(block, now, window):
    """Say nothing of the identity until two windows are over."""
    block["blind_now"] = now + 2 * window


@inline_kernel
def note_unseen(block, count):
    """So many more ids at most were given that nobody saw."""
    block["unseen"] = min(np.int64(block["unseen"]) + count, _UNSEEN_MAX)


@inline_kernel
def take_unseen(block):
    """Whether an id may be one of those that nobody saw; each of them once."""
    if block["unseen_before"] > 0:
        block["unseen_before"] -= 1
        return True
    if block["unseen"] > 0:
        block["unseen"] -= 1
        return True
    return False


@inline_kernel
def _is_apart(data, start, begin, end, stop):
    """Whether the word is no part of a number, a time, a mail address or an escape."""
    before = at(data, begin - 1) if begin > start else 0
    after = at(data, end) if end < stop else 0
    if before == _DOT or before == _PERCENT or before == _AT or before == _PLUS or before == _BACKSLASH:
        return False
    return not (after == _DOT or after == _COLON or after == _AT or after == _PERCENT)


@part_kernel
def note_words(block, bits, at_block, data, start, stop, shapes, seed):
    """Note the words of data[start:stop]; once there are many, those whose shape is one of those asked for."""
    position, done = start, start
    choosy = block["fill"] > _CHOOSY
    while position < stop:
        digits, _joins, _ats, _quotes, _uppers, width = masks(data, position, stop)
        while digits != 0:
            place = position + trailing_zeros(digits)
            digits &= digits - _ONE
            if place < done:
                continue
            begin, end = place, place + 1
            while begin > done and is_word_byte(at(data, begin - 1)):
                begin -= 1
            while end < stop and is_word_byte(at(data, end)):
                end += 1
            done = end
            if end - begin > WORD_MAX or (choosy and shapes[shape_of(data, begin, end)] == 0):
                continue
            if _is_apart(data, start, begin, end, stop):
                note(block, bits, at_block, hash_bytes(seed, data, begin, end - begin))
        position += width


@inline_kernel
def is_full(block):
    return block["fill"] > _FULL
