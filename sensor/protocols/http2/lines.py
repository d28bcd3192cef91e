"""From header fields to text: in: one field after the other as the block gives them; out: a head as HTTP/1 would have
sent it, which everything that reads heads can read.

Pseudo header fields become the start line and Host, cookies one line (RFC 9113, 8.2.3). The one law: no byte of a value
can begin a line of its own: line ends within are blanks, and an anomaly.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.words import folded, is_digit, is_token, literal, put_word, short_word
from sensor.protocols.http2.tables import (
    COOKIE_BYTES,
    COOKIES_AT,
    LINE_BYTES,
    LINES_AT,
    PSEUDO_AT,
    PSEUDO_BYTES,
    Part,
)
from sensor.schema import Anomaly
from sensor.structures.bytesearch import copy_bytes
from sensor.structures.string_pool_kernels import is_printable

_METHOD, _PATH, _STATUS, _SCHEME = folded(":method"), folded(":path"), folded(":status"), folded(":scheme")
_AUTHORIT, _PROTOCOL = folded(":authori"), folded(":protoco")
_COOKIE, _GRPC_STA, _UPGRADE = folded("cookie"), folded("grpc-sta"), folded("upgrade")
_CONNECTI, _KEEP_ALI = folded("connecti"), folded("keep-ali")
_PROXY_CO, _TRANSFER = folded("proxy-co"), folded("transfer")
_HTTP_2 = literal("HTTP/2.0")
_HOST = literal("host: ")
_NO_STATUS = literal("000")
_COOKIE_LINE = literal("cookie: ")
_CR, _LF, _SP, _COLON = 13, 10, 32, 0x3A


@part_kernel
def _note(parts, anomaly):
    parts[Part.ANOMALIES] |= anomaly


@inline_kernel
def _clean_value(h, start, length):
    """Line ends and zeros become blanks, or what follows would be read as a header line of its own."""
    if is_printable(h.text, start, length):
        return
    for i in range(start, start + length):
        byte = at(h.text, i)
        if byte == _CR or byte == _LF or byte == 0:
            h.text[i] = np.uint8(_SP)
            _note(h.parts, Anomaly.HEADER_INVALID)


@inline_kernel
def _clean_name(h, start, length):
    """A name is a token in lower case (RFC 9113, 8.2.1)."""
    for i in range(start, start + length):
        byte = at(h.text, i)
        if not is_token(byte) or 0x41 <= byte <= 0x5A:
            _note(h.parts, Anomaly.HEADER_INVALID)
            if byte <= _SP or byte == _COLON:
                h.text[i] = np.uint8(0x2D)


@inline_kernel
def _pseudo_part(h, start, length):
    """Which part a pseudo header field is, -1 when none of them."""
    if length == 5 and short_word(h.text, start, 5) == _PATH:
        return Part.PATH
    if length == 7:
        word = short_word(h.text, start, 7)
        if word == _METHOD:
            return Part.METHOD
        if word == _STATUS:
            return Part.STATUS
        if word == _SCHEME:
            return Part.SCHEME
    elif length == 10 and short_word(h.text, start, 8) == _AUTHORIT:
        return Part.AUTHORITY
    elif length == 9 and short_word(h.text, start, 8) == _PROTOCOL:
        return Part.PROTOCOL
    return -1


@inline_kernel
def _put_pseudo(h, start, length, value_at, value_len):
    parts = h.parts
    part = _pseudo_part(h, start, length)
    end = parts[Part.PSEUDO_END]
    if part < 0 or parts[part + 1] > 0 or parts[Part.REGULAR] > 0:
        _note(parts, Anomaly.HEADER_INVALID)  # unknown, twice, or behind a regular field (RFC 9113, 8.3)
        if part < 0 or parts[part + 1] > 0:
            return
    if end + value_len > PSEUDO_AT + PSEUDO_BYTES:
        parts[Part.OVERFLOW] = 1
        return
    copy_bytes(h.text, value_at, value_len, h.text, end)
    parts[part], parts[part + 1] = end, value_len
    parts[Part.PSEUDO_END] = end + value_len


@inline_kernel
def _put_cookie(h, value_at, value_len):
    parts = h.parts
    end = parts[Part.COOKIES_END]
    if end + value_len + 2 > COOKIES_AT + COOKIE_BYTES:
        parts[Part.OVERFLOW] = 1
        return
    if end > COOKIES_AT:
        end = put_word(h.text, end, np.uint64(0x203B), 2)
    copy_bytes(h.text, value_at, value_len, h.text, end)
    parts[Part.COOKIES_END] = end + value_len


@inline_kernel
def _number(h, start, length):
    """A decimal number of at most three digits, or -1."""
    if length < 1 or length > 3:
        return -1
    number = 0
    for i in range(start, start + length):
        if not is_digit(at(h.text, i)):
            return -1
        number = number * 10 + at(h.text, i) - 0x30
    return number


@inline_kernel
def _special(h, start, length, value_at, value_len):
    """Note the fields that mean something here; True for a cookie, which goes elsewhere."""
    if length == 6 and short_word(h.text, start, 6) == _COOKIE:
        _put_cookie(h, value_at, value_len)
        return True
    if length == 7 and short_word(h.text, start, 7) == _UPGRADE:
        _note(h.parts, Anomaly.HEADER_FORBIDDEN)
    elif length >= 10 and length <= 17:
        word = short_word(h.text, start, 8)
        if length == 11 and word == _GRPC_STA:
            h.parts[Part.GRPC_STATUS] = _number(h, value_at, value_len)
        elif (
            (length == 10 and (word == _CONNECTI or word == _KEEP_ALI))
            or (length == 16 and word == _PROXY_CO)
            or (length == 17 and word == _TRANSFER)
        ):
            _note(h.parts, Anomaly.HEADER_FORBIDDEN)
    return False


@part_kernel
def put_field(h, start, length, value_at, value_len):
    """The field whose name is text[start:start+length] and whose value lies two bytes behind it; `length` -1 when its
    name is not known.
    """
    parts = h.parts
    if length < 0:
        parts[Part.UNKNOWN] += 1
        return
    _clean_value(h, value_at, value_len)
    if length > 0 and at(h.text, start) == _COLON:
        _put_pseudo(h, start, length, value_at, value_len)
        return
    parts[Part.REGULAR] += 1
    _clean_name(h, start, length)
    if length == 0 or _special(h, start, length, value_at, value_len):
        return
    put_word(h.text, start + length, np.uint64(0x203A), 2)
    end = put_word(h.text, value_at + value_len, np.uint64(0x0A0D), 2)
    if end > LINES_AT + LINE_BYTES:
        parts[Part.OVERFLOW] = 1
        return
    parts[Part.LINES_END] = end


@inline_kernel
def _put_part(h, position, part):
    """A part's bytes, or a dash when it is absent."""
    length = h.parts[part + 1]
    if length == 0:
        h.text[position] = np.uint8(0x2D)
        return position + 1
    copy_bytes(h.text, h.parts[part], length, h.text, position)
    return position + length


@part_kernel
def write_head(h, response):
    """Put the start line, Host and cookies to the lines; returns where the head begins, its end in LINES_END.

    A method or target that is not known is a dash, a status 000; the reason phrase is empty (RFC 9113, 8.3.2).
    """
    parts = h.parts
    text = h.text
    position = parts[Part.LINES_END]
    cookies = parts[Part.COOKIES_END] - COOKIES_AT
    if cookies > 0:
        position = put_word(text, position, _COOKIE_LINE, 8)
        copy_bytes(text, COOKIES_AT, cookies, text, position)
        position = put_word(text, position + cookies, np.uint64(0x0A0D), 2)
    parts[Part.LINES_END] = put_word(text, position, np.uint64(0x0A0D), 2)
    target = Part.PATH if parts[Part.PATH + 1] > 0 else Part.AUTHORITY
    host = parts[Part.AUTHORITY + 1]
    if response:
        status = parts[Part.STATUS + 1]
        begin = LINES_AT - (9 + (status if status > 0 else 3) + 3)
        position = put_word(text, begin, _HTTP_2, 8)
        text[position] = np.uint8(_SP)
        if status > 0:
            position = _put_part(h, position + 1, Part.STATUS)
        else:
            position = put_word(text, position + 1, _NO_STATUS, 3)
        text[position] = np.uint8(_SP)
        put_word(text, position + 1, np.uint64(0x0A0D), 2)
        return begin
    begin = LINES_AT - max(parts[Part.METHOD + 1], 1) - max(parts[target + 1], 1) - 12
    if host > 0:
        begin -= host + 8
    position = _put_part(h, begin, Part.METHOD)
    text[position] = np.uint8(_SP)
    position = _put_part(h, position + 1, target)
    text[position] = np.uint8(_SP)
    position = put_word(text, position + 1, _HTTP_2, 8)
    position = put_word(text, position, np.uint64(0x0A0D), 2)
    if host > 0:
        position = put_word(text, position, _HOST, 6)
        copy_bytes(text, parts[Part.AUTHORITY], host, text, position)
        put_word(text, position + host, np.uint64(0x0A0D), 2)
    return begin
