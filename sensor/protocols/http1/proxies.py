"""The true client behind proxies: in: X-Forwarded-For, Forwarded (RFC 7239), X-Real-IP, a PROXY header at the start
of a connection; out: the client's address.

Whoever speaks to a server can write what he likes into these, so they count only as far as a trusted proxy wrote them:
from the last hop backwards, the first address that is not a trusted proxy's is the client's. The one law: without a
trusted proxy nothing that is written counts.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.tables import Field
from sensor.protocols.http1.words import find_folded, folded, is_digit, is_hex, literal
from sensor.structures.bytesearch import find_byte, load64

_COMMA, _COLON, _DOT, _QUOTE, _OPEN, _CLOSE, _SEMI, _SP, _LF = 0x2C, 0x3A, 0x2E, 0x22, 0x5B, 0x5D, 0x3B, 0x20, 10
_FOR = folded("for=")
_V4 = np.uint64(0xFFFF00000000)
_PROXY_1, _SIX = literal("PROXY "), np.uint64(0xFFFFFFFFFFFF)
_PROXY_2 = np.uint64(int.from_bytes(b"\r\n\r\n\0\r\nQ", "little"))
_LINE_MAX = 108
_HEADER_2 = 16
HOPS_MAX = 32


@inline_kernel
def is_trusted(proxies, hi, lo):
    """Whether an address lies in one of the networks (address hi, lo, mask hi, lo each)."""
    for i in range(0, len(proxies), 4):
        if hi & proxies[i + 2] == proxies[i] and lo & proxies[i + 3] == proxies[i + 1]:
            return True
    return False


@part_kernel
def read_ipv4(data, start, stop):
    """(position behind it, lower half) of a dotted address; -1 when there is none."""
    number, part, digits, dots = 0, 0, 0, 0
    i = start
    while i < stop:
        byte = at(data, i)
        if is_digit(byte):
            part = part * 10 + byte - 0x30
            digits += 1
            if part > 255 or digits > 3:
                return -1, np.uint64(0)
        elif byte == _DOT and digits > 0 and dots < 3:
            number, part, digits, dots = (number << 8) | part, 0, 0, dots + 1
        else:
            break
        i += 1
    if dots != 3 or digits == 0:
        return -1, np.uint64(0)
    return i, _V4 | np.uint64((number << 8) | part)


@part_kernel
def read_ipv6(data, start, stop):
    """(position behind it, hi, lo) of an address in text (RFC 4291, 2.2); -1 when there is none."""
    hi, lo = np.uint64(0), np.uint64(0)      # groups before `::`, and all of them without it
    tail_hi, tail_lo = np.uint64(0), np.uint64(0)
    groups, tail, compressed = 0, 0, False
    i = start
    if i + 1 < stop and at(data, i) == _COLON and at(data, i + 1) == _COLON:
        compressed = True
        i += 2
    while i < stop and groups + tail < 8 and is_hex(at(data, i)):
        group, digits, begin = 0, 0, i
        while i < stop and digits < 4 and is_hex(at(data, i)):
            byte = at(data, i)
            group = (group << 4) | (byte - 0x30 if is_digit(byte) else (byte | 0x20) - 0x57)
            digits += 1
            i += 1
        words = 1
        low = np.uint64(group)
        if i < stop and at(data, i) == _DOT and groups + tail <= 6:
            end, v4 = read_ipv4(data, begin, stop)
            if end < 0:
                return -1, hi, lo
            i, words, low = end, 2, v4 & np.uint64(0xFFFFFFFF)
        bits = np.uint64(16 * words)
        back = np.uint64(64 - 16 * words)
        if compressed:
            tail_hi = (tail_hi << bits) | (tail_lo >> back)
            tail_lo = (tail_lo << bits) | low
            tail += words
        else:
            hi = (hi << bits) | (lo >> back)
            lo = (lo << bits) | low
            groups += words
        if i + 1 < stop and at(data, i) == _COLON and at(data, i + 1) == _COLON and not compressed:
            compressed = True
            i += 2
        elif i + 1 < stop and at(data, i) == _COLON and is_hex(at(data, i + 1)):
            i += 1
        else:
            break
    if groups + tail > 8 or (not compressed and groups != 8) or (compressed and groups + tail > 7):
        return -1, hi, lo
    missing = 8 - groups if compressed else 0
    while missing >= 4:
        hi, lo, missing = lo, np.uint64(0), missing - 4
    if missing > 0:
        bits = np.uint64(16 * missing)
        hi = (hi << bits) | (lo >> (np.uint64(64) - bits))
        lo = lo << bits
    return i, hi | tail_hi, lo | tail_lo


@part_kernel
def read_address(data, start, stop):
    """(whether there is one, hi, lo) of data[start:stop]: with a port, in brackets or in quotes as well."""
    while start < stop and (at(data, start) <= _SP or at(data, start) == _QUOTE or at(data, start) == _OPEN):
        start += 1
    while stop > start and (at(data, stop - 1) <= _SP or at(data, stop - 1) == _QUOTE):
        stop -= 1
    end, lo = read_ipv4(data, start, stop)
    if end >= 0:
        return end == stop or at(data, end) == _COLON, np.uint64(0), lo
    end, hi, lo = read_ipv6(data, start, stop)
    if end < 0:
        return False, hi, lo
    return end == stop or at(data, end) == _CLOSE or at(data, end) == 0x25, hi, lo


@inline_kernel
def _item_start(data, start, stop):
    """Where the last item of a list with commas begins."""
    i = stop
    while i > start and at(data, i - 1) != _COMMA:
        i -= 1
    return i


@inline_kernel
def _walk(proxies, data, start, stop, named, hi, lo):
    """The first address from behind that is not a trusted proxy's; `named`: each item names it by for=."""
    for _ in range(HOPS_MAX):
        item = _item_start(data, start, stop)
        begin, end = item, stop
        if named:
            place = find_folded(data, item, stop, _FOR)
            if place < 0:
                return hi, lo
            begin = place + 4
            end = find_byte(data, begin, stop, _SEMI)
        good, next_hi, next_lo = read_address(data, begin, end)
        if not good:
            return hi, lo
        hi, lo = next_hi, next_lo
        if item <= start or not is_trusted(proxies, hi, lo):
            return hi, lo
        stop = item - 1
    return hi, lo


@part_kernel
def true_client(proxies, field, data, flow, row):
    """Put the true client into the row whose peer is a proxy; what connected stays as its peer."""
    hi, lo = row["peer_hi"], row["peer_lo"]
    if not is_trusted(proxies, hi, lo):
        return
    if flow["true_lo"] != 0 or flow["true_hi"] != 0:
        hi, lo = flow["true_hi"], flow["true_lo"]
    if is_trusted(proxies, hi, lo):
        if field[Field.FORWARDED_FOR + 1] > 0:
            start = field[Field.FORWARDED_FOR]
            hi, lo = _walk(proxies, data, start, start + field[Field.FORWARDED_FOR + 1], False, hi, lo)
        elif field[Field.FORWARDED + 1] > 0:
            start = field[Field.FORWARDED]
            hi, lo = _walk(proxies, data, start, start + field[Field.FORWARDED + 1], True, hi, lo)
        elif field[Field.REAL_IP + 1] > 0:
            start = field[Field.REAL_IP]
            good, next_hi, next_lo = read_address(data, start, start + field[Field.REAL_IP + 1])
            if good:
                hi, lo = next_hi, next_lo
    row["client_hi"], row["client_lo"] = hi, lo


@part_kernel
def proxy_header_end(data, start, stop):
    """Position behind a PROXY header (HAProxy's proxy-protocol.txt, versions 1 and 2) at data[start:stop], which is the
    beginning of a connection; `start` when there is none.
    """
    if stop - start < _HEADER_2:
        return start
    word = load64(data, start)
    if word == _PROXY_2:
        length = (at(data, start + 14) << 8) | at(data, start + 15)
        whole = at(data, start + 12) >> 4 == 2 and start + _HEADER_2 + length <= stop
        return start + _HEADER_2 + length if whole else start
    if word & _SIX != _PROXY_1:
        return start
    most = min(stop, start + _LINE_MAX)
    end = find_byte(data, start, most, _LF)
    return start if end == most else end + 1


@inline_kernel
def _version_2(data, start, end, flow):
    """The source in a binary PROXY header, unless it is the proxy's own."""
    family = at(data, start + 13) >> 4
    length = end - start - _HEADER_2
    source = start + _HEADER_2
    if at(data, start + 12) & 15 == 1 and family == 1 and length >= 12:
        number = np.int64(0)
        for i in range(4):
            number = (number << 8) | at(data, source + i)
        flow["true_hi"], flow["true_lo"] = np.uint64(0), _V4 | np.uint64(number)
    elif at(data, start + 12) & 15 == 1 and family == 2 and length >= 36:
        hi, lo = np.uint64(0), np.uint64(0)
        for i in range(8):
            hi = (hi << np.uint64(8)) | np.uint64(at(data, source + i))
            lo = (lo << np.uint64(8)) | np.uint64(at(data, source + 8 + i))
        flow["true_hi"], flow["true_lo"] = hi, lo


@part_kernel
def skip_proxy_header(data, start, stop, flow):
    """Position behind a PROXY header, of which the flow learns the address that it names."""
    end = proxy_header_end(data, start, stop)
    if end == start:
        return start
    if load64(data, start) == _PROXY_2:
        _version_2(data, start, end, flow)
        return end
    begin = find_byte(data, start + 6, end, _SP) + 1
    good, hi, lo = read_address(data, begin, find_byte(data, min(begin, end), end, _SP))
    if good:
        flow["true_hi"], flow["true_lo"] = hi, lo
    return end
