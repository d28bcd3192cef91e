"""Reading one message head: in: bytes that may hold a whole head; out: where its parts lie, and how the body is framed.

The grammar is RFC 9112's, read as servers read it: a bare LF ends a line, odd header lines are noted and passed over.
The one law: a head is taken whole or not at all (`INCOMPLETE`), so it does not matter how the stream was cut into
segments.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1 import words
from sensor.protocols.http1.credentials import session_cookie
from sensor.protocols.http1.tables import Field
from sensor.protocols.http1.words import find_folded, is_digit, is_letter, is_token, is_word, short_word
from sensor.schema import Anomaly
from sensor.structures import client_stack
from sensor.structures.bytesearch import find_byte, find_byte_inline, load64, word_of

INCOMPLETE = -1
INVALID = -2
_CR, _LF, _SP, _HT, _COLON = 13, 10, 32, 9, 58
_METHOD_MAX = 32
_LENGTH_MAX = 1 << 60
_FIVE = np.uint64(0xFFFFFFFFFF)
_LINE_KNOWN = 24
_SESSION_MIN = 8


@inline_kernel
def _starts_http(data, start, stop):
    return stop - start >= 8 and load64(data, start) & _FIVE == words.HTTP_SLASH and is_digit(at(data, start + 5))


@inline_kernel
def _is_target_start(byte):
    """What a request target can begin with: origin, absolute, authority and asterisk form (RFC 9112, 3.2)."""
    other = byte == 0x2F or byte == 0x2A or byte == 0x5B or byte == 0x3F or byte == 0x25 or byte == 0x2E
    return other or is_letter(byte) or is_digit(byte)


@part_kernel
def looks_like_head(data, start, stop):
    """0 no head, 1 a request's, 2 a response's, 3 too few bytes to say, 4 a request's without a version."""
    while start < stop and (at(data, start) == _CR or at(data, start) == _LF):
        start += 1
    if start == stop:
        return 3
    if _starts_http(data, start, stop):
        return 2
    i = start
    while i < stop and i - start <= _METHOD_MAX and is_token(at(data, i)):
        i += 1
    if i == stop:
        return 3 if i - start <= 12 else 0
    if i == start or at(data, i) != _SP:
        return 3 if i - start == 4 and stop - start < 8 and word_of(data, start, 5) == words.HTTP_SLASH else 0
    while i < stop and at(data, i) == _SP:
        i += 1
    if i == stop:
        return 3
    if not _is_target_start(at(data, i)):
        return 0
    end = find_byte(data, i, stop, _LF)
    if end == stop:
        return 1 if at(data, i) == 0x2F or stop - start < _LINE_KNOWN else _line_goes_on(data, i, stop)
    if _version_start(data, i, end) > i:
        return 1
    return 4 if _is_simple(data, start, i, end) else 0


@inline_kernel
def _is_simple(data, start, target, end):
    """Whether a line without a version is a request of HTTP/0.9 (RFC 1945, 4.1): GET and a path, nothing else."""
    if word_of(data, start, 4) != words.GET_BLANK or target != start + 4 or at(data, target) != 0x2F:
        return False
    if at(data, end - 1) == _CR:
        end -= 1
    while target < end and at(data, target) > _SP:
        target += 1
    return target == end


@inline_kernel
def _line_goes_on(data, start, stop):
    """A first line that is not over yet must at least be free of control characters."""
    for i in range(start, stop):
        if at(data, i) < _SP:
            return 0
    return 1


@inline_kernel
def _version_start(data, start, end):
    """Where `HTTP/d.d` begins at the end of a request line that ends at `end`, or -1."""
    while end > start and (at(data, end - 1) == _CR or at(data, end - 1) == _SP):
        end -= 1
    i = end
    while i > start and end - i < 10 and at(data, i - 1) != _SP and at(data, i - 1) != _HT:
        i -= 1
    if end - i >= 8 and i > start and _starts_http(data, i, end):
        return i
    return -1


@inline_kernel
def _version(data, start, stop, field):
    """10, 11 ... of `HTTP/1.1`; odd ones are an anomaly."""
    major = at(data, start + 5) - 0x30
    if stop - start >= 8 and at(data, start + 6) == 0x2E and is_digit(at(data, start + 7)):
        minor = at(data, start + 7) - 0x30
        if major == 1 and minor <= 1 and stop - start == 8:
            return 10 + minor
        field[Field.ANOMALIES] |= Anomaly.VERSION_INVALID
        return major * 10 + minor
    field[Field.ANOMALIES] |= Anomaly.VERSION_INVALID
    return 0


@inline_kernel
def _request_line(data, start, end, field):
    """Method, target and version of data[start:end]; False when it is none."""
    i = start
    while i < end and i - start <= _METHOD_MAX and is_token(at(data, i)):
        i += 1
    if i == start or i == end or at(data, i) != _SP:
        return False
    field[Field.METHOD], field[Field.METHOD + 1] = start, i - start
    while i < end and at(data, i) == _SP:
        i += 1
    version = _version_start(data, i, end)
    if version < 0:
        if i == end or not _is_simple(data, start, i, end):
            return False
        field[Field.VERSION] = 9
        field[Field.URI], field[Field.URI + 1] = i, end - i
        return True
    stop = end
    while stop > version and (at(data, stop - 1) == _SP or at(data, stop - 1) == _CR):
        stop -= 1
    field[Field.VERSION] = _version(data, version, stop, field)
    stop = i
    while stop < version and at(data, stop) != _SP and at(data, stop) != _HT:
        stop += 1
    field[Field.URI], field[Field.URI + 1] = i, stop - i
    while stop < version and (at(data, stop) == _SP or at(data, stop) == _HT):
        stop += 1
    if stop < version:
        field[Field.ANOMALIES] |= Anomaly.VERSION_INVALID
    if field[Field.VERSION] == 20 and field[Field.METHOD + 1] == 3 and short_word(data, start, 3) == words.PRI:
        return False  # the preface of HTTP/2 (RFC 9113, 3.4) only looks like a request
    return field[Field.URI + 1] > 0


@inline_kernel
def status_line(data, start, end, field):
    """Version, status and reason phrase of data[start:end]; False when it is none."""
    i = start
    while i < end and at(data, i) != _SP:
        i += 1
    field[Field.VERSION] = _version(data, start, i, field)
    while i < end and at(data, i) == _SP:
        i += 1
    status = 0
    digits = 0
    while i < end and digits < 3 and is_digit(at(data, i)):
        status = status * 10 + at(data, i) - 0x30
        i += 1
        digits += 1
    if digits != 3 or (i < end and at(data, i) != _SP and at(data, i) != _CR):
        return False
    while i < end and at(data, i) == _SP:
        i += 1
    field[Field.STATUS] = status
    field[Field.STATUS_MSG], field[Field.STATUS_MSG + 1] = i, end - i
    field[Field.RESPONSE] = 1
    return True


@part_kernel
def _content_length(data, start, stop, field):
    """A number, or the same number several times with commas; anything else is an anomaly (RFC 9112, 6.3)."""
    i = start
    while i < stop:
        while i < stop and (at(data, i) == _SP or at(data, i) == _HT):
            i += 1
        number = 0
        digits = 0
        while i < stop and is_digit(at(data, i)):
            number = min(number * 10 + at(data, i) - 0x30, _LENGTH_MAX)
            i += 1
            digits += 1
        while i < stop and (at(data, i) == _SP or at(data, i) == _HT):
            i += 1
        if digits == 0 or number >= _LENGTH_MAX or (i < stop and at(data, i) != 0x2C):
            field[Field.ANOMALIES] |= Anomaly.CL_INVALID
            return
        if field[Field.LENGTH] >= 0 and field[Field.LENGTH] != number:
            field[Field.ANOMALIES] |= Anomaly.CL_CONFLICT
        else:
            field[Field.LENGTH] = number
        i += 1
    if stop == start:
        field[Field.ANOMALIES] |= Anomaly.CL_INVALID


@inline_kernel
def _transfer_encoding(data, start, stop, field):
    """chunked has to come last (RFC 9112, 6.1); where it does not, that is odd, and frames requests all the same, as
    the stricter servers have it.
    """
    while stop > start and (at(data, stop - 1) == _SP or at(data, stop - 1) == _HT or at(data, stop - 1) == 0x2C):
        stop -= 1
    found = find_folded(data, start, stop, words.CHUNKED)
    while found >= 0:
        whole = (found == start or not is_token(at(data, found - 1))) and (
            found + 7 == stop or not is_token(at(data, found + 7))
        )
        if whole:
            field[Field.CHUNKED] = 1
            if found + 7 < stop:
                field[Field.CHUNKED] = 3
                field[Field.ANOMALIES] |= Anomaly.TE_INVALID
            return
        found = find_folded(data, found + 1, stop, words.CHUNKED)
    if not (stop - start == 8 and (at(data, start) | 0x20) == 0x69):
        field[Field.CHUNKED] = 2 if field[Field.CHUNKED] % 2 == 0 else 3
        field[Field.ANOMALIES] |= Anomaly.TE_INVALID


@inline_kernel
def _keep(field, name, start, stop):
    """The first of several headers of one name counts."""
    if field[name + 1] == 0:
        field[name], field[name + 1] = start, stop - start


@inline_kernel
def _in_order(data, name, field, number):
    """Note which of the usual headers comes next, and whether its name is in lower case."""
    small = (at(data, name) >> 5) & 1
    field[Field.ORDER] = ((field[Field.ORDER] << 4) | (number << 1) | small) & 0xFFFFFFFF


@inline_kernel
def _header(data, name, length, start, stop, field):
    """One header whose name is data[name:name+length] and whose value is data[start:stop]."""
    if length < 8:
        word = short_word(data, name, length)
        if word == words.HOST:
            _keep(field, Field.HOST, start, stop)
            _in_order(data, name, field, client_stack.HOST)
        elif word == words.ACCEPT:
            _in_order(data, name, field, client_stack.ACCEPT)
        elif word == words.COOKIE:
            _keep(field, Field.COOKIE, start, stop)
        elif word == words.REFERER:
            _keep(field, Field.REFERRER, start, stop)
        elif word == words.UPGRADE:
            if find_folded(data, start, stop, words.H2C) >= 0:
                field[Field.UPGRADE] = 2
            else:
                field[Field.UPGRADE] = 3 if find_folded(data, start, stop, words.WEBSOCKE) >= 0 else 1
        elif word == words.API_KEY_FIRST:
            _keep(field, Field.API_KEY, start, stop)
    elif length == 8:
        if short_word(data, name, 8) == words.LOCATION:
            _keep(field, Field.LOCATION, start, stop)
    elif length == 9:
        if is_word(data, name, length, words.X_API_KEY):
            _keep(field, Field.API_KEY, start, stop)
        elif is_word(data, name, length, words.FORWARDED):
            _keep(field, Field.FORWARDED, start, stop)
        elif is_word(data, name, length, words.X_REAL_IP):
            _keep(field, Field.REAL_IP, start, stop)
    elif length == 10:
        if is_word(data, name, length, words.USER_AGENT):
            _keep(field, Field.USER_AGENT, start, stop)
            _in_order(data, name, field, client_stack.USER_AGENT)
        elif is_word(data, name, length, words.CONNECTION):
            _in_order(data, name, field, client_stack.CONNECTION)
            if find_folded(data, start, stop, words.CLOSE) >= 0:
                field[Field.CLOSE] = 1
        elif field[Field.SESSION + 1] == 0 and is_word(data, name, length, words.SET_COOKIE):
            value, size = session_cookie(data, start, stop)
            field[Field.SESSION], field[Field.SESSION + 1] = value, size if size >= _SESSION_MIN else 0
    elif length == 12:
        if is_word(data, name, length, words.CONTENT_TYPE):
            _keep(field, Field.CONTENT_TYPE, start, stop)
    elif length == 13:
        if is_word(data, name, length, words.AUTHORIZATION):
            _keep(field, Field.AUTHORIZATION, start, stop)
    elif length == 14:
        if is_word(data, name, length, words.CONTENT_LENGTH):
            _content_length(data, start, stop, field)
    elif length == 15:
        if is_word(data, name, length, words.ACCEPT_ENCODING):
            _in_order(data, name, field, client_stack.ACCEPT_ENCODING)
        elif is_word(data, name, length, words.ACCEPT_LANGUAGE):
            _in_order(data, name, field, client_stack.ACCEPT_LANGUAGE)
        elif is_word(data, name, length, words.X_FORWARDED_FOR):
            _keep(field, Field.FORWARDED_FOR, start, stop)
    elif length == 16:
        if is_word(data, name, length, words.CONTENT_ENCODING):
            _keep(field, Field.CODING, start, stop)
    elif length == 17 and is_word(data, name, length, words.TRANSFER_ENCODING):
        _transfer_encoding(data, start, stop, field)


@inline_kernel
def _header_line(data, start, end, field):
    """Split data[start:end] at its colon, trim the value, and keep it if it matters."""
    first = at(data, start)
    if first == _SP or first == _HT:
        field[Field.ANOMALIES] |= Anomaly.FOLDED_HEADER
        return
    colon = find_byte_inline(data, start, end, _COLON)
    if colon == end or colon == start:
        field[Field.ANOMALIES] |= Anomaly.HEADER_INVALID
        return
    stop = colon
    if at(data, stop - 1) == _SP or at(data, stop - 1) == _HT:
        field[Field.ANOMALIES] |= Anomaly.HEADER_INVALID
        while stop > start and (at(data, stop - 1) == _SP or at(data, stop - 1) == _HT):
            stop -= 1
    value = colon + 1
    while value < end and (at(data, value) == _SP or at(data, value) == _HT):
        value += 1
    while end > value and (at(data, end - 1) == _SP or at(data, end - 1) == _HT):
        end -= 1
    _header(data, start, stop - start, value, end, field)


@part_kernel
def parse_head(data, start, stop, final, field):
    """Read the head at data[start:stop]; returns the position behind it, INCOMPLETE or INVALID.

    `final` says that nothing more will come: what is there is taken for the whole head, if its first line is complete.
    """
    for i in range(Field.END, Field.ORDER + 1):
        field[i] = 0
    field[Field.LENGTH] = -1
    while start < stop and (at(data, start) == _CR or at(data, start) == _LF):
        start += 1
    line = start
    first = True
    while True:
        end = find_byte_inline(data, line, stop, _LF)
        if end == stop:
            if final and not first:
                field[Field.END] = stop
                return stop
            return INCOMPLETE
        following = end + 1
        if end > line and at(data, end - 1) == _CR:
            end -= 1
        else:
            field[Field.ANOMALIES] |= Anomaly.BARE_LF
        if first:
            good = status_line(data, line, end, field) if _starts_http(data, line, end) else _request_line(
                data, line, end, field
            )
            if not good:
                return INVALID
            first = False
        elif end == line:
            field[Field.END] = following
            return following
        else:
            _header_line(data, line, end, field)
        line = following
