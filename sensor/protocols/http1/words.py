"""Header names and other fixed words as 64-bit constants, for comparing without loops.

A word of at most 8 letters is one little-endian constant; a longer one is its first and its last 8 letters, which
together with the length tell it from every other. Comparisons fold case by setting bit 5 of each byte.
"""

import numpy as np
import numpy.typing as npt

from sensor._jit import at, inline_kernel, part_kernel
from sensor.structures.bytesearch import leading_zeros, load64, match32, trailing_zeros, word_of

FOLD = np.uint64(0x2020202020202020)


def _first(word: str) -> np.uint64:
    return np.uint64(int.from_bytes(word.encode()[:8].ljust(8, b"\0"), "little"))


def _last(word: str) -> np.uint64:
    return np.uint64(int.from_bytes(word.encode()[-8:], "little"))


def folded(word: str) -> np.uint64:
    """A word of at most 8 letters, folded the way `short_word` folds."""
    return np.uint64(int.from_bytes(bytes(b | 0x20 for b in word.encode()).ljust(8, b"\0"), "little"))


def any_of(*words: str) -> npt.NDArray[np.uint64]:
    """A table of words, of at most 8 letters each, for `is_any` and `says_any`."""
    return np.array([folded(word) for word in words], np.uint64)


def literal(text: str) -> np.uint64:
    """A word of at most 8 letters, as `put_word` writes it."""
    return np.uint64(int.from_bytes(text.encode().ljust(8, b"\0"), "little"))


HTTP_SLASH = _first("HTTP/")
PRI = folded("pri")
GET_BLANK = literal("GET ")
HOST = folded("host")
COOKIE = folded("cookie")
REFERER = folded("referer")
UPGRADE = folded("upgrade")
H2C = folded("h2c")
WEBSOCKE = folded("websocke")
ACCEPT = folded("accept")
LOCATION = folded("location")
BASIC = folded("basic")
CHUNKED = folded("chunked")
CLOSE = folded("close")
HTTP_METHOD_HEAD = _first("HEAD")
HTTP_METHOD_CONNECT = _first("CONNECT")
X_API_KEY = (_first("x-api-key"), _last("x-api-key"))
API_KEY_FIRST = folded("api-key")
USER_AGENT = (_first("user-agent"), _last("user-agent"))
FORWARDED = (_first("forwarded"), _last("forwarded"))
X_REAL_IP = (_first("x-real-ip"), _last("x-real-ip"))
SET_COOKIE = (_first("set-cookie"), _last("set-cookie"))
ACCEPT_ENCODING = (_first("accept-encoding"), _last("accept-encoding"))
ACCEPT_LANGUAGE = (_first("accept-language"), _last("accept-language"))
X_FORWARDED_FOR = (_first("x-forwarded-for"), _last("x-forwarded-for"))
CONNECTION = (_first("connection"), _last("connection"))
CONTENT_TYPE = (_first("content-type"), _last("content-type"))
AUTHORIZATION = (_first("authorization"), _last("authorization"))
CONTENT_LENGTH = (_first("content-length"), _last("content-length"))
CONTENT_ENCODING = (_first("content-encoding"), _last("content-encoding"))
TRANSFER_ENCODING = (_first("transfer-encoding"), _last("transfer-encoding"))


@inline_kernel
def _short_word(data, start, length):
    word = word_of(data, start, length)
    if length >= 8:
        return word | FOLD
    return word | (FOLD & ((np.uint64(1) << np.uint64(8 * length)) - np.uint64(1)))


@part_kernel
def short_word(data, start, length):
    """At most 8 bytes as a constant, case folded."""
    return _short_word(data, start, length)


@part_kernel
def put_word(out, position, word, length):
    """Write a word's letters to out[position:]; returns the end."""
    for k in range(length):
        out[position + k] = np.uint8((word >> np.uint64(8 * k)) & np.uint64(255))
    return position + length


@inline_kernel
def is_word(data, start, length, pair):
    """Whether a name of more than 8 bytes, its length already compared, is the word."""
    return (load64(data, start) | FOLD) == pair[0] and (load64(data, start + length - 8) | FOLD) == pair[1]


@inline_kernel
def lower(byte):
    return byte | 0x20 if 0x41 <= byte <= 0x5A else byte


@inline_kernel
def is_digit(byte):
    return 0x30 <= byte <= 0x39


@inline_kernel
def is_hex(byte):
    return is_digit(byte) or 0x61 <= (byte | 0x20) <= 0x66


@inline_kernel
def is_letter(byte):
    return 0x61 <= (byte | 0x20) <= 0x7A


@inline_kernel
def is_token(byte):
    """A character of a method or header name (RFC 9110, 5.6.2), the usual ones."""
    return is_letter(byte) or is_digit(byte) or byte == 0x2D or byte == 0x5F or byte == 0x2E or byte == 0x21


@part_kernel
def find_folded(data, start, stop, word):
    """Position of a word of at most 8 letters, given folded, in any case; -1 when it is not there."""
    length = 8 - (leading_zeros(word) >> 3)
    first = word & np.uint64(255)
    lower_case, upper_case = np.uint8(first), np.uint8(first ^ np.uint64(0x20))
    position = start
    while stop - position >= length and position + 32 <= len(data):
        mask = match32(data, position, lower_case) | match32(data, position, upper_case)
        while mask != 0:
            found = position + trailing_zeros(mask)
            if found + length > stop:
                return -1
            if _short_word(data, found, length) == word:
                return found
            mask &= mask - np.uint64(1)
        position += 32
    while stop - position >= length:
        if (at(data, position) | 0x20) == np.int64(first) and _short_word(data, position, length) == word:
            return position
        position += 1
    return -1


@inline_kernel
def is_any(word, wanted):
    """Whether a word, folded, is one of a table's."""
    found = False
    for i in range(len(wanted)):
        found |= word == wanted[i]
    return found


@part_kernel
def says_any(data, start, stop, wanted):
    """Whether one of the words of a table stands in data[start:stop], in any case."""
    for i in range(len(wanted)):  # noqa: SIM110
        if find_folded(data, start, stop, wanted[i]) >= 0:
            return True
    return False
