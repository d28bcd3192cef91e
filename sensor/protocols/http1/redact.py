"""What of a target may be shown: in: its bytes; out: the same with `***` for every secret.

Secrets are the values of secret parameters (in queries, fragments, path parameters, and in URLs inside of these), card
numbers, JSON Web Tokens, and users and passwords in an authority. The one law: they do not leave, however they are
cased or escaped; in doubt more is hidden, not less.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.escapes import PERCENT, unit
from sensor.protocols.http1.secret_names import NAME_MAX, is_secret_name
from sensor.protocols.http1.tables import NAME_AT
from sensor.protocols.http1.words import is_digit, is_letter
from sensor.structures.bytesearch import copy_bytes

_STAR, _SPACE, _QUOTE, _PLUS, _DASH = 0x2A, 0x20, 0x22, 0x2B, 0x2D
_SLASH, _QUERY, _HASH, _AMP, _SEMI, _EQUAL, _AT, _COLON = 0x2F, 0x3F, 0x23, 0x26, 0x3B, 0x3D, 0x40, 0x3A
_CARD_MIN, _CARD_MAX = 13, 19
_BREAK_MAX = 3
"""Separators between two groups of a card number's digits, as in `4111 - 1111`."""
_TOKEN_MIN = 20
"""Letters of a JSON Web Token that are more than the beginning of any JSON."""


@inline_kernel
def _is_separator(byte):
    return byte == _DASH or byte == _PLUS or byte == _SPACE


@part_kernel
def card_end(data, start, stop):
    """Position behind the card number that begins at `start` (13 to 19 digits, known first digit, Luhn), separators
    included; or `start`.
    """
    first, i = unit(data, start, stop)
    if first < 0x32 or first > 0x36:
        return start
    value = first - 0x30
    digits, breaks = 1, 0
    even, odd = value, 2 * value - 9 if value > 4 else 2 * value
    best = start
    while True:
        byte, following = unit(data, i, stop) if i < stop else (np.int64(0), stop)
        if is_digit(byte):
            value = byte - 0x30
            even, odd = odd + value, even + (2 * value - 9 if value > 4 else 2 * value)
            digits += 1
            breaks = 0
        else:
            if breaks == 0 and _CARD_MIN <= digits <= _CARD_MAX and even % 10 == 0:
                best = i
            breaks += 1
            if not _is_separator(byte) or breaks > _BREAK_MAX:
                return best
        if digits > _CARD_MAX:
            return best
        i = following


@part_kernel
def _begins_token(data, start, stop):
    """Whether the bytes begin like a JSON Web Token (RFC 7519): `eyJ`, and more."""
    second, i = unit(data, start, stop)
    if i >= stop:
        return False
    second, i = unit(data, i, stop)
    if second != 0x79 or i >= stop:
        return False
    third, i = unit(data, i, stop)
    return third == 0x4A


@part_kernel
def _token_end(data, start, stop):
    """Position behind the words of base64 with dots between that begin at `start`; `start` when it is too short."""
    i = start
    length = 0
    while i < stop:
        byte, following = unit(data, i, stop)
        if not (is_letter(byte) or is_digit(byte) or byte == 0x2E or byte == _DASH or byte == 0x5F):
            break
        length += 1
        i = following
    return i if length > _TOKEN_MIN else start


@inline_kernel
def _needs_care(data, start, stop):
    """Whether there is anything in which a secret could be: parameters, a user in the authority, escapes, many digits,
    `eyJ`.
    """
    run = 0
    for i in range(start, stop):
        byte = at(data, i)
        if is_digit(byte):
            run += 1
            if run >= _CARD_MIN:
                return True
        elif byte == _QUERY or byte == _EQUAL or byte == _HASH or byte == _AT or byte == PERCENT or byte == _QUOTE:  # noqa: SIM114
            return True
        elif byte == 0x4A and i - start >= 2 and at(data, i - 1) == 0x79 and at(data, i - 2) == 0x65:
            return True
        elif not _is_separator(byte):
            run = 0
    return False


@inline_kernel
def _hide(out, position):
    for k in range(3):
        out[position + k] = np.uint8(_STAR)
    return position + 3


@inline_kernel
def _value_end(data, start, stop, in_query):
    """Where a parameter's value ends: in a query at `&`, in a path at the next parameter or segment."""
    while start < stop and at(data, start) != _HASH:
        byte = at(data, start)
        if byte == _AMP if in_query else (byte == _SEMI or byte == _SLASH or byte == _QUERY):
            break
        start += 1
    return start


@part_kernel
def _user_end(data, start, stop):
    """Position of the `@` behind the user and password of an authority that begins at `start`, or `start`."""
    i = start
    user = start
    while i < stop:
        byte, following = unit(data, i, stop)
        if byte == _SLASH or byte == _QUERY or byte == _HASH or byte == _AMP:
            break
        if byte == _AT:
            user = i
        i = following
    return user


@inline_kernel
def _is_secret(data, start, stop, work):
    """Whether data[start:stop] is the name of a secret, once its escapes are gone."""
    length = 0
    i = start
    while i < stop and length < NAME_MAX:
        byte, i = unit(data, i, stop)
        work[NAME_AT + length] = np.uint8(byte)
        length += 1
    return is_secret_name(work, NAME_AT, NAME_AT + length)


@inline_kernel
def _is_name(byte):
    """What a parameter's name is made of, besides letters and digits."""
    return byte == 0x5F or byte == _DASH or byte == 0x2E or byte == 0x5B or byte == 0x5D or byte == 0x24 or byte > 0x7E


@part_kernel
def redact(data, start, stop, work, position):
    """Copy data[start:stop] to work[position:] with `***` for every secret; returns the end. There is room for four
    times the length.
    """
    i = _user_end(data, start, stop)
    if i > start:
        position = _hide(work, position)
    name, quoted, quoted_stop = i, i, i
    previous = np.int64(0)
    in_query = False
    while i < stop:
        byte, following = unit(data, i, stop)
        hidden = i
        if is_letter(byte):
            if byte == 0x65 and stop - i > _TOKEN_MIN and _begins_token(data, i, stop):
                hidden = _token_end(data, i, stop)
        elif is_digit(byte):
            if not is_digit(previous):
                hidden = card_end(data, i, stop)
        elif byte == _EQUAL or (byte == _COLON and quoted_stop > quoted):
            begin, end = (name, i) if byte == _EQUAL else (quoted, quoted_stop)
            if end > begin and _is_secret(data, begin, end, work):
                copy_bytes(data, i, following - i, work, position)
                position += following - i
                i = following
                hidden = _value_end(data, following, stop, in_query)
                previous = np.int64(0)
            name, quoted, quoted_stop = following, i, i
        elif byte == _SLASH and previous == _SLASH:
            user = _user_end(data, following, stop)
            if user > following:
                copy_bytes(data, i, following - i, work, position)
                position += following - i
                i = following
                hidden = user
            name = following
        elif byte == _QUOTE:
            if i > name:
                quoted, quoted_stop = name, i
            name = following
        elif not _is_name(byte):
            in_query = in_query or byte == _QUERY or byte == _HASH
            name = following
            if not _is_separator(byte):
                quoted_stop = quoted
        if hidden > i or i == following:
            if hidden > i:
                position = _hide(work, position)
            i = max(hidden, i)
            previous = np.int64(0)
            continue
        copy_bytes(data, i, following - i, work, position)
        position += following - i
        previous = byte
        i = following
    return position


@inline_kernel
def clean(data, start, length, work, position, show_secrets):
    """Length of the redacted copy at work[position:], or -1 when the bytes may go as they are."""
    if show_secrets or not _needs_care(data, start, start + length):
        return -1
    return redact(data, start, start + length, work, position) - position
