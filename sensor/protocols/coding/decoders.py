"""Undoing one content coding: in: coded bytes, which may be cut off; out: as much of what they hold as was asked for.

gzip, deflate (RFC 9110, 8.4.1.2: in zlib's frame; many servers send it bare), br (RFC 7932) and zstd (RFC 8878). The
one law: never more output than `limit`, whatever the bytes; bytes that are not what they say give what came before.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from sensor.schema import Coding

_SLICE_BYTES = 256
"""Brotli and zstd do not tell how much they have read: they are given so little at a time, and less to begin with."""
_WINDOW_LOG_MAX = 23
"""The window a zstd decoder must have for the web (RFC 9659): 8 MB."""


def _slice(coded: bytes, used: int) -> bytes:
    return coded[used : used + min(_SLICE_BYTES, max(16, used))]


class Decoded(NamedTuple):
    """`content`: plain bytes; `used`: coded bytes that they came from; `sound`: nothing in those was wrong."""

    content: bytes
    used: int
    sound: bool


Decoder = Callable[[bytes, int], Decoded]


def _inflate(coded: bytes, limit: int, wbits: int) -> Decoded:
    """By the standard library: faster ones read ahead, and do not tell how much they used."""
    out, rest, sound = bytearray(), coded, True
    while rest and len(out) < limit:
        stream = zlib.decompressobj(wbits)
        try:
            out += stream.decompress(rest, limit - len(out))
        except zlib.error:
            sound = False
            break
        rest = stream.unused_data if stream.eof else stream.unconsumed_tail
        if not stream.eof or wbits < 0 or not rest.startswith(b"\x1f\x8b"):
            break
    return Decoded(bytes(out), len(coded) - len(rest), sound)


def _gzip(coded: bytes, limit: int) -> Decoded:
    return _inflate(coded, limit, 31)


def _deflate(coded: bytes, limit: int) -> Decoded:
    framed = len(coded) >= 2 and coded[0] & 15 == 8 and int.from_bytes(coded[:2], "big") % 31 == 0
    return _inflate(coded, limit, 15 if framed else -15)


def _brotli() -> Decoder:
    import brotli

    def decode(coded: bytes, limit: int) -> Decoded:
        stream, out, used = brotli.Decompressor(), bytearray(), 0
        try:
            while used < len(coded) and len(out) < limit and not stream.is_finished():
                piece = _slice(coded, used)
                out += stream.process(piece, output_buffer_limit=limit - len(out))
                used += len(piece)
                while len(out) < limit and not stream.can_accept_more_data():
                    out += stream.process(b"", output_buffer_limit=limit - len(out))
        except brotli.error:
            return Decoded(bytes(out[:limit]), used, False)
        return Decoded(bytes(out[:limit]), used, True)

    return decode


def _zstd() -> Decoder:
    library: Any
    if sys.version_info >= (3, 14):
        from compression import zstd as library
    else:
        from backports import zstd as library
    options = {library.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}

    def decode(coded: bytes, limit: int) -> Decoded:
        out, rest, sound = bytearray(), coded, True
        while rest and len(out) < limit:
            stream = library.ZstdDecompressor(options=options)
            used = 0
            try:
                while used < len(rest) and len(out) < limit and not stream.eof:
                    piece = _slice(rest, used)
                    out += stream.decompress(piece, limit - len(out))
                    used += len(piece)
                    while len(out) < limit and not stream.needs_input and not stream.eof:
                        out += stream.decompress(b"", limit - len(out))
            except library.ZstdError:
                sound = False
                break
            rest = stream.unused_data + rest[used:] if stream.eof else rest[used:]
            if not stream.eof:
                break
        return Decoded(bytes(out), len(coded) - len(rest), sound)

    return decode


def decoders() -> dict[int, Decoder]:
    """The decoder of each coding whose library is installed."""
    found: dict[int, Decoder] = {Coding.GZIP: _gzip, Coding.DEFLATE: _deflate}
    for coding, build in ((Coding.BROTLI, _brotli), (Coding.ZSTD, _zstd)):
        try:
            found[coding] = build()
        except ImportError:
            continue
    return found
