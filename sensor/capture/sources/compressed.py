"""Compressed bytes as plain ones: in: any source whose first bytes are a codec's magic; out: what was compressed.

gzip, xz, zstd and lz4; several members or frames in one file follow one another. The one law: never more output
at a time than asked for, and never more memory than DECODER_WINDOW_BYTES, whatever the compressed bytes claim.
"""

from __future__ import annotations

import lzma
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from sensor.errors import InputError
from sensor.limits import COMPRESSED_READ_BYTES, DECODED_STEP_BYTES, DECODER_WINDOW_BYTES

_EXTRA = "needs a library that is not installed: pip install 'tapir-sensor[compressed]'"


class Source(Protocol):
    """What compressed bytes are read from."""

    name: str

    @property
    def position(self) -> int: ...

    @property
    def ready(self) -> bool:
        """Whether the next readinto need not wait."""

    def readinto(self, view: memoryview) -> int: ...

    def close(self) -> None: ...


class Decoder(Protocol):
    """The decompressors of the standard library and of its relatives, for one member."""

    @property
    def needs_input(self) -> bool: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipDecoder:
    """zlib's decompressor with the face of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._more_output = False

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._more_output

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        plain = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._more_output = len(plain) == max_length
        return plain


def _gzip() -> Decoder:
    try:
        from isal import igzip_lib
    except ImportError:
        return _GzipDecoder()
    decoder: Decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return decoder


def _xz() -> Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DECODER_WINDOW_BYTES)


def _zstd() -> Decoder:
    library: Any
    if sys.version_info >= (3, 14):
        from compression import zstd as library
    else:
        from backports import zstd as library
    window_log = DECODER_WINDOW_BYTES.bit_length() - 1
    decoder: Decoder = library.ZstdDecompressor(options={library.DecompressionParameter.window_log_max: window_log})
    return decoder


def _lz4() -> Decoder:
    import lz4.frame

    decoder: Decoder = lz4.frame.LZ4FrameDecompressor()
    return decoder


class Codec(NamedTuple):
    name: str
    decoder: Callable[[], Decoder]


CODECS: Mapping[bytes, Codec] = {
    b"\x1f\x8b": Codec("gzip", _gzip),
    b"\xfd7zXZ\x00": Codec("xz", _xz),
    b"\x28\xb5\x2f\xfd": Codec("zstd", _zstd),
    b"\x04\x22\x4d\x18": Codec("lz4", _lz4),
}
"""Magic bytes and what decodes them."""


def codec_of(head: bytes) -> Codec | None:
    """The codec whose magic `head` begins with."""
    return next((codec for magic, codec in CODECS.items() if head.startswith(magic)), None)


class DecodedBytes:
    """`readinto` returns at least one byte, or 0 at the end. `position`: compressed bytes read so far.

    `head` is what was already read of `inner` to recognise the codec. A cut stream raises InputError after everything
    that can be decoded was handed out, a damaged one after all but the last DECODED_STEP_BYTES before the damage.
    """

    def __init__(self, inner: Source, codec: Codec, head: bytes) -> None:
        self.name = inner.name
        self._inner, self._codec = inner, codec
        self._waiting = head
        self._fault: InputError | None = None
        self._read = memoryview(bytearray(COMPRESSED_READ_BYTES))
        try:
            self._decoder = codec.decoder()
        except ImportError as error:
            raise InputError(self.name, f"{codec.name} {_EXTRA}") from error

    @property
    def position(self) -> int:
        return self._inner.position

    def readinto(self, view: memoryview) -> int:
        size = 0
        while size < len(view) and self._fault is None and (size == 0 or self.ready):
            try:
                plain = self._decode(min(len(view) - size, DECODED_STEP_BYTES))
            except InputError as fault:
                self._fault = fault
                break
            if not plain:
                break
            view[size : size + len(plain)] = plain
            size += len(plain)
        if size == 0 and self._fault:
            raise self._fault
        return size

    @property
    def ready(self) -> bool:
        return bool(self._waiting) or not (self._decoder.eof or self._decoder.needs_input) or self._inner.ready

    def _decode(self, size_max: int) -> bytes:
        """The next plain bytes; none at the end of the last member."""
        while not self._decoder.eof or self._next_member():
            if not self._waiting and self._decoder.needs_input:
                self._waiting = self._more()
                if not self._waiting:
                    raise self._problem("is cut off")
            data, self._waiting = self._waiting, b""
            try:
                plain = self._decoder.decompress(data, size_max)
            except Exception as error:  # each library has its own
                raise self._problem(f"is damaged before here: {error}") from error
            if plain:
                return plain
        return b""

    def _problem(self, problem: str) -> InputError:
        where = "offset in the compressed bytes"
        return InputError(self.name, f"the {self._codec.name} stream {problem} ({where})", self.position)

    def _more(self) -> bytes:
        return bytes(self._read[: self._inner.readinto(self._read)])

    def _next_member(self) -> bool:
        """Begin the next member; False when nothing but zero padding follows."""
        rest = (self._decoder.unused_data or b"").lstrip(b"\0")
        while not rest:
            data = self._more()
            if not data:
                return False
            rest = data.lstrip(b"\0")
        self._decoder = self._codec.decoder()
        self._waiting = rest
        return True

    def close(self) -> None:
        self._inner.close()
