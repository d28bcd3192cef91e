"""What a capture can be read from: in: a name as the user gave it; out: its plain bytes and the index of its format.

Three tables say what opens what: SOURCES by the look of the name, CODECS (compressed.py) and FORMATS by the
first bytes, never by the file's extension. The one law: what a source, a codec or a format cannot do is an
InputError that names the input.

To add a source: a file here with `readinto`, `position`, `ready`, `name`, `close`, and a line in SOURCES. To add a
format: a file with an index (`start`, `fill`, `explain`) and a line in FORMATS.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sensor.capture.sources import pcap, pcapng
from sensor.capture.sources.compressed import DecodedBytes, Source, codec_of
from sensor.capture.sources.file import FileBytes
from sensor.capture.sources.stream import connect, open_fifo, open_standard_input
from sensor.errors import InputError


class Index(Protocol):
    """Where the packets lie in a format's bytes. `start`: bytes at the head of the file that hold none."""

    @property
    def start(self) -> int: ...

    def fill(
        self, data: npt.NDArray[np.uint8], cursor: npt.NDArray[np.int64], frames: npt.NDArray[np.void], row: int
    ) -> int:
        """Fill frames[row:] from data[cursor[POSITION]:cursor[STOP]] and move the cursor; the rows there are then."""

    def explain(self, cursor: npt.NDArray[np.int64]) -> str:
        """cursor[FAULT] in words."""


class NotACapture(InputError):
    """The first bytes are those of no format in FORMATS."""


@dataclass(frozen=True)
class Capture:
    """An opened input: `head` are the bytes already read of `source`."""

    source: Source
    index: Index
    head: bytes
    compressed: bool


def _open_path(name: str) -> Source:
    try:
        mode = os.stat(name).st_mode
    except OSError as error:
        raise InputError(name, f"cannot be opened: {error.strerror}") from error
    return FileBytes(name) if stat.S_ISREG(mode) else open_fifo(name)


SOURCES: Mapping[str, Callable[[str], Source]] = {
    "-": open_standard_input,
    "tcp://": connect,
    "": _open_path,
}
"""What the name is or begins with, and what opens it."""

FORMATS: Mapping[tuple[bytes, ...], Callable[[str, bytes], Index]] = {
    pcap.MAGICS: pcap.PcapIndex,
    pcapng.MAGICS: pcapng.PcapngIndex,
}
"""The first four bytes, and what finds the packets."""

_HEAD_BYTES = pcap.HEADER_BYTES  # no pcapng file is shorter


def is_stream(name: str) -> bool:
    """Whether the input can be read only once and has no known size."""
    return name == "-" or name.startswith("tcp://") or (os.path.exists(name) and not os.path.isfile(name))


def open_capture(name: str) -> Capture:
    """Open an input and recognise its codec and format; InputError says why not."""
    opener = SOURCES["-"] if name == "-" else SOURCES["tcp://" if name.startswith("tcp://") else ""]
    source = opener(name)
    try:
        return recognise(source)
    except InputError:
        source.close()
        raise


def recognise(source: Source) -> Capture:
    """Codec and format of an opened source by its first bytes; InputError when there is none that is known."""
    head = _read_head(source)
    codec = codec_of(head)
    if codec:
        source = DecodedBytes(source, codec, head)
        head = _read_head(source)
    if not head:
        raise NotACapture(source.name, "is empty", 0)
    for magics, index in FORMATS.items():
        if head[:4] in magics:
            return Capture(source, index(source.name, head), head, codec is not None)
    found = head[:4].hex(" ")
    raise NotACapture(source.name, f"is not a capture: pcap or pcapng expected, it begins with {found}", 0)


def _read_head(source: Source) -> bytes:
    """The first _HEAD_BYTES, fewer only when the source ends before."""
    head = bytearray(_HEAD_BYTES)
    have = 0
    while have < _HEAD_BYTES and (size := source.readinto(memoryview(head)[have:])):
        have += size
    return bytes(head[:have])
