"""What RFC 7541 fixes: in: nothing; out: the static table (appendix A) and the Huffman code (appendix B) as arrays.

The Huffman code is canonical: the lengths of its codes give the codes themselves, shortest first and in the order of
the symbols among codes of one length.
"""

import numpy as np

_STATIC = (
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
)  # fmt: skip
STATIC_ENTRIES = len(_STATIC)
STATIC_BYTES = np.frombuffer("".join(name + value for name, value in _STATIC).encode() + bytes(8), np.uint8).copy()
STATIC_NAME_LEN = np.array([len(name) for name, _ in _STATIC], np.int64)
STATIC_VALUE_LEN = np.array([len(value) for _, value in _STATIC], np.int64)
STATIC_START = np.concatenate([[0], np.cumsum(STATIC_NAME_LEN + STATIC_VALUE_LEN)[:-1]]).astype(np.int64)

_LENGTHS = bytes(
    [13, 23] + [28] * 7 + [24, 30, 28, 28, 30] + [28] * 8 + [30] + [28] * 9
    + [6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6]
    + [5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10]
    + [13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]
    + [7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6]
    + [15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5]
    + [6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28]
    + [20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23]
    + [24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24]
    + [22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23]
    + [21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23]
    + [26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25]
    + [19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27]
    + [20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23]
    + [26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26]
    + [30]
)  # fmt: skip
"""Bits of the code of each byte, and of the end-of-string symbol last."""


def _canonical() -> tuple[list[int], list[int], list[int]]:
    """Symbols in the order of their codes; for each length the first code, and where its symbols begin."""
    symbols = sorted(range(257), key=lambda symbol: (_LENGTHS[symbol], symbol))
    first, place = [0] * 32, [0] * 32
    code = position = 0
    for length in range(1, 31):
        code <<= 1
        first[length], place[length] = code, position
        count = _LENGTHS.count(length)
        code, position = code + count, position + count
    return symbols, first, place


_symbols, _first, _place = _canonical()
HUFFMAN_SYMBOLS = np.array(_symbols, np.int64)
HUFFMAN_FIRST = np.array(_first, np.int64)
HUFFMAN_PLACE = np.array(_place, np.int64)
HUFFMAN_LIMIT = np.array(
    [(_first[n] + _LENGTHS.count(n)) << (30 - n) if n else 0 for n in range(31)], np.int64
)
"""Codes of at most n bits, written in 30, lie below HUFFMAN_LIMIT[n]."""
SHORT_BITS = 8


def _short() -> list[int]:
    table = [0] * (1 << SHORT_BITS)
    for symbol in range(257):
        bits = _LENGTHS[symbol]
        if bits <= SHORT_BITS:
            code = _first[bits] + _symbols[_place[bits] :].index(symbol)
            for rest in range(1 << (SHORT_BITS - bits)):
                table[(code << (SHORT_BITS - bits)) + rest] = symbol << 8 | bits
    return table


HUFFMAN_SHORT = np.array(_short(), np.int64)
"""What the next eight bits begin with: symbol << 8 | bits; 0 when its code is longer."""
