"""Counting personal data and secrets in bodies: in: bytes; out: how many of each kind they hold.

One pass: masks of 64 bytes at a time find where digits, quotes and at signs are, and only those places are looked at.
The one law: nothing of what is found leaves, but how much there is.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.detection.sensitive.checks import (
    SUMS_DIGITS,
    has_sum,
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
    luhn,
)
from sensor.detection.sensitive.kinds import Kind
from sensor.detection.sensitive.masks import masks, number_begins
from sensor.detection.sensitive.names import Name
from sensor.detection.sensitive.strings import SECRETS_BYTES, count_strings, is_digit, is_letter, is_word, name_before
from sensor.structures.bytesearch import trailing_zeros

_ONE = np.uint64(1)
_COLON, _SP, _MINUS, _DOT, _SLASH, _PLUS, _CLOSE_PAREN = 0x3A, 0x20, 0x2D, 0x2E, 0x2F, 0x2B, 0x29


@inline_kernel
def _national(digits, count):
    """Whether the digits are somebody's number in one of the countries known here; the name before them says so too."""
    if has_sum(digits, count):
        return True
    if count == 9:
        return is_bsn(digits) or is_ssn(digits)
    if count == 10 or count == 13:
        return luhn(digits, count)
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
    if is_word(before) or (inside and position - 2 >= start and is_word(at(data, position - 2))):
        return position + 1
    count, groups, length, shape = 0, 1, 0, 0
    i = position
    while i < stop:
        byte = at(data, i)
        if is_digit(byte):
            if count == 20:
                return i
            digits[count] = np.uint8(byte - 0x30)
            count += 1
            length += 1
        elif (
            i + 1 < stop
            and length > 0
            and is_digit(at(data, i + 1))
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
    if is_word(after):
        dni = count == 8 and groups == 1 and is_letter(after) and not (i + 1 < stop and is_word(at(data, i + 1)))
        if dni and is_dni(digits, after) and name_before(data, start, position, hashes, kinds) == Name.NATIONAL_ID:
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
    if count <= SUMS_DIGITS:
        name = name_before(data, start, position, hashes, kinds)
        if name == Name.NATIONAL_ID and _national(digits, count):
            counts[base + Kind.NATIONAL_ID] += np.uint32(1)
        elif name == Name.PHONE and count <= 15:
            counts[base + Kind.PHONE] += np.uint32(1)
    return i


@inline_kernel
def _email(data, start, stop, position):
    """Whether the at sign at `position` is that of a mail address."""
    if position == start or not is_word(at(data, position - 1)):
        return False
    i = position + 1
    dot = -1
    while i < stop and i - position < 255 and (is_word(at(data, i)) or at(data, i) == _MINUS or at(data, i) == _DOT):
        if at(data, i) == _DOT:
            dot = i
        i += 1
    return dot > position + 1 and i - dot >= 3 and is_letter(at(data, dot + 1))


@part_kernel
def count_kinds(data, start, stop, hashes, kinds, idle, digits, counts, base):
    """Add to counts[base:] what data[start:stop] holds."""
    position = start
    carried = np.uint64(0)
    done = start
    while position < stop:
        numbers, joins, ats, quotes, uppers, width = masks(data, position, stop)
        begins = number_begins(numbers, joins, uppers, carried, position + width < stop)
        carried = (numbers >> np.uint64(width - 1)) & _ONE
        while begins != 0:
            place = position + trailing_zeros(begins)
            begins &= begins - _ONE
            if place < done:
                continue
            letters = place - 2 >= start and 0x41 <= at(data, place - 1) <= 0x5A and 0x41 <= at(data, place - 2) <= 0x5A
            if letters and not (place - 3 >= start and is_word(at(data, place - 3))):
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
        if position - start < SECRETS_BYTES and quotes != 0:
            count_strings(data, start, position, stop, quotes, hashes, kinds, idle, counts, base)
        position += width
