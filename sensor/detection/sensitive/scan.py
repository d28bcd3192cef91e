"""Counting personal data and secrets in bodies: in: contents and their arena; out: how many of each kind a body holds.

One pass: masks of 64 bytes at a time find where digits, quotes and at signs are, and only those places are looked at.
The one law: nothing of what is found leaves, but how much there is.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U32s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.detection.sensitive.checks import (
    iban_end,
    is_aadhaar,
    is_bsn,
    is_card,
    is_cpf,
    is_dni,
    is_nir,
    is_pesel,
    is_ssn,
    is_tax_id,
)
from sensor.detection.sensitive.names import TABLE_SIZE, Name, word
from sensor.schema import CONTENT
from sensor.structures.bytesearch import find_byte, json_masks64, load64, match32, trailing_zeros

_ONE = np.uint64(1)
_QUOTE, _COLON, _SP, _MINUS, _DOT, _SLASH, _AT = 0x22, 0x3A, 0x20, 0x2D, 0x2E, 0x2F, 0x40
_PLUS, _EQUAL, _AMP, _STAR, _COMMA, _OPEN, _PAREN, _CLOSE_PAREN = 0x2B, 0x3D, 0x26, 0x2A, 0x2C, 0x7B, 0x28, 0x29
_NAME_MAX = 40
_NAMES_BYTES = 4_096
"""Names and secrets are looked for in the first bytes: the records of a list are all alike."""
_FOUR = np.uint64(0xFFFFFFFF)
_ZEROS, _LOW, _TOPS = np.uint64(0x3030303030303030), np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x8080808080808080)
_SIX_TO_TOP = np.uint64(0x7676767676767676)
"""Added to a byte, carries into its top bit what is above 9."""
_GATHER = np.uint64(0x0002040810204081)
"""Multiplied with the top bits of eight bytes, puts them side by side into the highest byte."""


_AKIA, _ASIA, _GHP, _GHO, _XOXB, _XOXP = (word(x) for x in ("AKIA", "ASIA", "ghp_", "gho_", "xoxb", "xoxp"))
_AIZA, _SK, _RK, _GLPAT, _PEM, _JWT = (word(x) for x in ("AIza", "sk_l", "rk_l", "glpa", "----", "eyJ"))
_PRIVATE = word("PRIVATE ")


class Kind(IntEnum):
    CARD = 0
    IBAN = 1
    NATIONAL_ID = 2
    EMAIL = 3
    PHONE = 4
    PASSWORD = 5
    KEY = 6  # of a cloud, a platform, or a private key
    TOKEN = 7  # JSON Web Token
    HEALTH = 8
    LOCATION = 9
    CARD_LIKE = 10  # as many digits as a card has, in its groups, whatever they are


KINDS = 11


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _is_digit(byte):
    return 0x30 <= byte <= 0x39


@inline_kernel
def _is_letter(byte):
    return 0x61 <= (byte | 0x20) <= 0x7A


@inline_kernel
def _is_word(byte):
    return _is_digit(byte) or _is_letter(byte) or byte == 0x5F


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
def _name_before(data, start, position, hashes, kinds):
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
    while i >= start and end - i <= _NAME_MAX and (_is_word(at(data, i)) or at(data, i) == _MINUS):
        i -= 1
    return _name_kind(data, i + 1, end, hashes, kinds)


@inline_kernel
def _national(digits, count):
    """Whether the digits are somebody's number in one of the countries known here; the name before them says so too."""
    if count == 9:
        return is_bsn(digits) or is_ssn(digits)
    if count == 11:
        return is_cpf(digits) or is_pesel(digits) or is_tax_id(digits)
    if count == 12:
        return is_aadhaar(digits)
    return count == 15 and is_nir(digits)


@inline_kernel
def _is_card_shape(shape, groups):
    """One group, or as cards are printed: 4-4-4-4, 4-4-4-4-3, 4-6-5, 4-6-4 (five bits a group)."""
    if groups == 1:
        return True
    grouped = shape == 135300 or shape == 4329603 or shape == 4293 or shape == 4292
    return grouped


@part_kernel
def _number(data, start, stop, position, hashes, kinds, digits, counts, base):
    """Judge the digits that begin at `position`; returns where to go on."""
    before = at(data, position - 1) if position > start else 0
    inside = before == _MINUS or before == _DOT or before == _COLON or before == _SLASH
    if _is_word(before) or (inside and position - 2 >= start and _is_word(at(data, position - 2))):
        return position + 1
    count, groups, length, shape = 0, 1, 0, 0
    i = position
    while i < stop:
        byte = at(data, i)
        if _is_digit(byte):
            if count == 20:
                return i
            digits[count] = np.uint8(byte - 0x30)
            count += 1
            length += 1
        elif (
            i + 1 < stop
            and length > 0
            and _is_digit(at(data, i + 1))
            and (byte == _SP or byte == _MINUS or byte == _DOT or byte == _SLASH or byte == _CLOSE_PAREN)
        ):
            shape = (shape << 5) | length
            groups += 1
            length = 0
        else:
            break
        i += 1
    shape = (shape << 5) | length
    after = at(data, i) if i < stop else 0
    if count < 7:
        return i
    if _is_word(after):
        dni = count == 8 and groups == 1 and _is_letter(after) and not (i + 1 < stop and _is_word(at(data, i + 1)))
        if dni and is_dni(digits, after) and _name_before(data, start, position, hashes, kinds) == Name.NATIONAL_ID:
            counts[base + Kind.NATIONAL_ID] += np.uint32(1)
        return i
    if before == _PLUS:
        if count <= 15:
            counts[base + Kind.PHONE] += np.uint32(1)
        return i
    if count >= 13 and _is_card_shape(shape, groups):
        counts[base + Kind.CARD_LIKE] += np.uint32(1)
        if is_card(digits, count):
            counts[base + Kind.CARD] += np.uint32(1)
            return i
    ssn = count == 9 and shape == 3140 and is_ssn(digits)
    cpf = count == 11 and shape == 101474 and is_cpf(digits)
    aadhaar = count == 12 and shape == 4228 and is_aadhaar(digits)
    if ssn or cpf or aadhaar:
        counts[base + Kind.NATIONAL_ID] += np.uint32(1)
        return i
    if count <= 15:
        name = _name_before(data, start, position, hashes, kinds)
        if name == Name.NATIONAL_ID and _national(digits, count):
            counts[base + Kind.NATIONAL_ID] += np.uint32(1)
        elif name == Name.PHONE:
            counts[base + Kind.PHONE] += np.uint32(1)
    return i


@inline_kernel
def _email(data, start, stop, position):
    """Whether the at sign at `position` is that of a mail address."""
    if position == start or not _is_word(at(data, position - 1)):
        return False
    i = position + 1
    dot = -1
    while i < stop and i - position < 255 and (_is_word(at(data, i)) or at(data, i) == _MINUS or at(data, i) == _DOT):
        if at(data, i) == _DOT:
            dot = i
        i += 1
    return dot > position + 1 and i - dot >= 3 and _is_letter(at(data, dot + 1))


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
        while end < stop and (_is_word(at(data, end)) or at(data, end) == _MINUS):
            end += 1
        if end - start >= 20 and end < stop and at(data, end) == _QUOTE:
            counts[base + Kind.KEY] += np.uint32(1)
    elif word == _PEM:
        for i in range(start + 10, min(start + 32, stop - 8)):
            if load64(data, i) == _PRIVATE:
                counts[base + Kind.KEY] += np.uint32(1)
                return


@inline_kernel
def _named(data, quote, stop, hashes, kinds, counts, base):
    """A name that begins behind `quote`: count its value when the name says what it is."""
    end = quote + 1
    while end < stop and end - quote <= _NAME_MAX and (_is_word(at(data, end)) or at(data, end) == _MINUS):
        end += 1
    if end + 2 >= stop or at(data, end) != _QUOTE or at(data, end + 1) != _COLON:
        return
    name = _name_kind(data, quote + 1, end, hashes, kinds)
    if name == Name.NONE or name > Name.LOCATION:
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
def _digits8(word):
    """Bits of the bytes of a word that are digits."""
    turned = word ^ _ZEROS
    odd = ((turned & _LOW) + _SIX_TO_TOP) | turned
    return ((~odd & _TOPS) * _GATHER) >> np.uint64(56)


@inline_kernel
def _masks64(data, position):
    """Where digits, at signs and quotes are in 64 bytes."""
    numbers = np.uint64(0)
    for i in range(8):
        numbers |= _digits8(load64(data, position + 8 * i)) << np.uint64(8 * i)
    ats = match32(data, position, np.uint8(_AT)) | match32(data, position + 32, np.uint8(_AT)) << np.uint64(32)
    return numbers, ats, json_masks64(data, position)[0]


@inline_kernel
def _masks(data, position, stop):
    """Where digits, at signs and quotes are in the next bytes, and how many of them count."""
    if stop - position >= 64:
        numbers, ats, quotes = _masks64(data, position)
        return numbers, ats, quotes, 64
    width = stop - position
    if stop >= 64:
        numbers, ats, quotes = _masks64(data, stop - 64)
        shift = np.uint64(64 - width)
        return numbers >> shift, ats >> shift, quotes >> shift, width
    numbers, ats, quotes = np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(width):
        bit = _ONE << np.uint64(i)
        byte = at(data, position + i)
        if _is_digit(byte):
            numbers |= bit
        elif byte == _AT:
            ats |= bit
        elif byte == _QUOTE:
            quotes |= bit
    return numbers, ats, quotes, width


@part_kernel
def _scan(data, start, stop, hashes, kinds, digits, counts, base):
    """Add to counts[base:] what data[start:stop] holds."""
    position = start
    carried = np.uint64(0)
    done = start
    while position < stop:
        numbers, ats, quotes, width = _masks(data, position, stop)
        last = _ONE << np.uint64(width - 1)
        begins = numbers & ~((numbers << _ONE) | carried)
        carried = _ONE if numbers & last != 0 else np.uint64(0)
        begins &= (numbers >> _ONE) | last
        while begins != 0:
            place = position + trailing_zeros(begins)
            begins &= begins - _ONE
            if place < done:
                continue
            letters = place - 2 >= start and 0x41 <= at(data, place - 1) <= 0x5A and 0x41 <= at(data, place - 2) <= 0x5A
            if letters and not (place - 3 >= start and _is_word(at(data, place - 3))):
                end = iban_end(data, place - 2, stop)
                if end > place:
                    counts[base + Kind.IBAN] += np.uint32(1)
                    done = end
                    continue
            done = _number(data, start, stop, place, hashes, kinds, digits, counts, base)
        while ats != 0:
            if _email(data, start, stop, position + trailing_zeros(ats)):
                counts[base + Kind.EMAIL] += np.uint32(1)
            ats &= ats - _ONE
        if position - start < _NAMES_BYTES:
            while quotes != 0:
                quote = position + trailing_zeros(quotes)
                quotes &= quotes - _ONE
                if quote + 9 >= stop:
                    break
                before = at(data, quote - 1) if quote > start else 0
                if before == _COMMA or before == _OPEN or before == _SP or before == 0x0A:
                    _named(data, quote, stop, hashes, kinds, counts, base)
                if before == _COLON or before == _SP:
                    _secret(data, quote + 1, stop, counts, base)
        position += width


@inline_kernel
def _any(counts, base):
    for k in range(KINDS - 1):  # noqa: SIM110
        if counts[base + k] != 0:
            return True
    return False


@kernel
def scan_contents(
    contents: CONTENT, arena: Bytes, start: int, hashes: U64s, kinds: Bytes, digits: Bytes,
    rows: I64s, counts: U32s, progress: I64s,
) -> int:  # fmt: skip
    """Look at bodies from row `start` on; returns the row to go on with.

    Hit number h is of the request (side 0) or response (side 1) of row rows[h] >> 1, its side rows[h] & 1, and holds
    counts[KINDS * h + kind] of each kind. `hashes` and `kinds` are those of name_table().
    """
    hits = 0
    for row in range(start, len(contents)):
        progress[Progress.ROW] = row
        progress[Progress.HITS] = hits
        if hits + 2 > len(rows):
            return row
        content = contents[row]
        for side in range(2):
            offset = content["request_body_offset"] if side == 0 else content["response_body_offset"]
            length = np.int64(content["request_body_len"] if side == 0 else content["response_body_len"])
            if length == 0:
                continue
            base = KINDS * hits
            for k in range(KINDS):
                counts[base + k] = np.uint32(0)
            _scan(arena, offset, offset + length, hashes, kinds, digits, counts, base)
            if _any(counts, base):
                rows[hits] = 2 * row + side
                hits += 1
    progress[Progress.HITS] = hits
    return len(contents)
