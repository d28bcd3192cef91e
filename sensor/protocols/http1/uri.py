"""What becomes of a request target: in: its bytes; out: the same with secrets replaced, and its path as a template.

The one law: values of secret parameters, card numbers, tokens and passwords in the authority do not leave, however they
are cased.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.words import (
    find_folded,
    folded,
    is_digit,
    is_hex,
    is_letter,
    literal,
    put_word,
    short_word,
)
from sensor.structures.bytesearch import copy_bytes, find_byte

TEMPLATE_MAX = 512
_STAR = 0x2A
_SLASH, _QUERY, _HASH, _AMP, _SEMI, _EQUAL, _AT, _COLON = 0x2F, 0x3F, 0x23, 0x26, 0x3B, 0x3D, 0x40, 0x3A
_TOKEN, _SECRET, _PASSW, _APIKEY = folded("token"), folded("secret"), folded("passw"), folded("apikey")
_API_KEY, _API_DASH, _SIGNATUR, _SESSION = folded("api_key"), folded("api-key"), folded("signatur"), folded("session")
_OAUTH, _JWT, _CREDENTI, _AUTHORIZ = folded("oauth"), folded("jwt"), folded("credenti"), folded("authoriz")
_PRIVATE, _KEY, _PWD, _PASS, _SID = folded("private"), folded("key"), folded("pwd"), folded("pass"), folded("sid")
_SESSID = folded("sessid")
_SIG, _PIN, _OTP, _CVV, _CVC = folded("sig"), folded("pin"), folded("otp"), folded("cvv"), folded("cvc")
_PAN, _AUTH, _CARD, _SSN, _IBAN = folded("pan"), folded("auth"), folded("card"), folded("ssn"), folded("iban")


@inline_kernel
def _has(data, start, stop, word, length):
    return stop - start >= length and find_folded(data, start, stop, word, length) >= 0


@part_kernel
def is_secret_name(data, start, stop):
    """Whether a parameter of this name holds what nobody else may read."""
    length = stop - start
    if length == 3:
        word = short_word(data, start, 3)
        return (
            word == _KEY or word == _PWD or word == _SID or word == _SIG or word == _PIN or word == _OTP
            or word == _CVV or word == _CVC or word == _PAN or word == _SSN or word == _JWT
        )  # fmt: skip
    if length == 4:
        word = short_word(data, start, 4)
        return word == _PASS or word == _AUTH or word == _CARD or word == _IBAN
    if length < 5 or length > 64:
        return False
    return (
        _has(data, start, stop, _TOKEN, 5)
        or _has(data, start, stop, _SECRET, 6)
        or _has(data, start, stop, _PASSW, 5)
        or _has(data, start, stop, _APIKEY, 6)
        or _has(data, start, stop, _API_KEY, 7)
        or _has(data, start, stop, _API_DASH, 7)
        or _has(data, start, stop, _SIGNATUR, 8)
        or _has(data, start, stop, _SESSION, 7)
        or _has(data, start, stop, _SESSID, 6)
        or _has(data, start, stop, _OAUTH, 5)
        or _has(data, start, stop, _JWT, 3)
        or _has(data, start, stop, _CREDENTI, 8)
        or _has(data, start, stop, _AUTHORIZ, 8)
        or _has(data, start, stop, _PRIVATE, 7)
        or _has(data, start, stop, _CARD, 4)
    )


@part_kernel
def card_length(data, start, stop):
    """Length of the card number that begins at `start` (13 to 19 digits, known first digit, Luhn), separators included;
    or 0.
    """
    first = at(data, start) - 0x30
    if first < 2 or first > 6:
        return 0
    digits = 0
    even, odd = 0, 0
    i = start
    end = start
    while i < stop and digits < 20:
        byte = at(data, i)
        if is_digit(byte):
            value = byte - 0x30
            doubled = 2 * value - 9 if value > 4 else 2 * value
            even, odd = odd + value, even + doubled
            digits += 1
            end = i + 1
        elif byte != 0x2D and byte != 0x2B and byte != 0x20:
            break
        i += 1
    return end - start if 13 <= digits <= 19 and even % 10 == 0 else 0


@inline_kernel
def _needs_care(data, start, stop):
    """Whether there is anything in which a secret could be: parameters, a user in the authority, many digits."""
    run = 0
    for i in range(start, stop):
        byte = at(data, i)
        if is_digit(byte):
            run += 1
            if run >= 13:
                return True
        elif byte == _QUERY or byte == _HASH or byte == _AT or byte == _SEMI:  # noqa: SIM114
            return True
        elif byte == 0x4A and i - start >= 2 and short_jwt(data, i - 2):
            return True
        elif byte != 0x2D and byte != 0x2B:
            run = 0
    return False


@inline_kernel
def _hide(out, position):
    for k in range(3):
        out[position + k] = np.uint8(_STAR)
    return position + 3


@inline_kernel
def _value_end(data, start, stop):
    while start < stop and at(data, start) != _AMP and at(data, start) != _SEMI and at(data, start) != _HASH:
        start += 1
    return start


@part_kernel
def _user_end(data, start, stop):
    """Position of the `@` behind the user and password of an authority that begins at `start`, or `start`."""
    i = start
    user = start
    while i < stop and at(data, i) != _SLASH and at(data, i) != _QUERY and at(data, i) != _HASH and at(data, i) != _AMP:
        if at(data, i) == _AT:
            user = i
        i += 1
    return user


@inline_kernel
def _token_end(data, start, stop):
    """Position behind a JSON Web Token (three words of base64url with dots between, RFC 7519), or `start`."""
    i = start
    dots = 0
    while i < stop:
        byte = at(data, i)
        if byte == 0x2E:
            dots += 1
        elif not (is_letter(byte) or is_digit(byte) or byte == 0x2D or byte == 0x5F):
            break
        i += 1
    return i if dots > 0 and i - start > 20 else start


@part_kernel
def redact(data, start, stop, out, position):
    """Copy data[start:stop] to out[position:] with `***` for every secret; returns the end. `out` holds four times the
    length.
    """
    i = _user_end(data, start, stop)
    if i > start:
        position = _hide(out, position)
    name = start
    in_query = False
    fresh = True
    while i < stop:
        byte = at(data, i)
        if byte == _SLASH and i + 1 < stop and at(data, i + 1) == _SLASH and i > start:
            user = _user_end(data, i + 2, stop)
            if user > i + 2:
                out[position] = np.uint8(byte)
                out[position + 1] = np.uint8(byte)
                position = _hide(out, position + 2)
                i = user
                continue
        if byte == _QUERY or byte == _HASH or byte == _AMP or byte == _SEMI:
            in_query = True
            name = i + 1
        elif byte == _EQUAL and in_query and name >= 0:
            value_stop = _value_end(data, i + 1, stop)
            jwt = value_stop - i > 20 and short_jwt(data, i + 1)
            if value_stop > i + 1 and (jwt or is_secret_name(data, name, i)):
                out[position] = np.uint8(byte)
                position = _hide(out, position + 1)
                i = value_stop
                continue
            name = -1
        elif is_digit(byte) and fresh:
            length = card_length(data, i, stop)
            if length > 0:
                position = _hide(out, position)
                i += length
                continue
        elif byte == 0x65 and stop - i > 20 and short_jwt(data, i):
            token_stop = _token_end(data, i, stop)
            if token_stop > i:
                position = _hide(out, position)
                i = token_stop
                continue
        fresh = not is_digit(byte)
        out[position] = np.uint8(byte)
        position += 1
        i += 1
    return position


@inline_kernel
def short_jwt(data, start):
    """Whether a value begins like a JSON Web Token (RFC 7519): `eyJ`."""
    return at(data, start) == 0x65 and at(data, start + 1) == 0x79 and at(data, start + 2) == 0x4A


@inline_kernel
def clean(data, start, length, out, position, show_secrets):
    """Length of the redacted copy at out[position:], or -1 when the bytes may go as they are."""
    if show_secrets or not _needs_care(data, start, start + length):
        return -1
    return redact(data, start, start + length, out, position) - position


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
