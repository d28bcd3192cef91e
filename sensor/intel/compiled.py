"""A feed as it lies on disk for sensors: in: indicators; out: arrays in a file of numpy's, and what updates gave.

NAME.npz is the last good feed, NAME.json what the last update did. The one law: a file is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.errors import StateError
from sensor.intel.indicator import Indicator, Kind
from sensor.intel.networks import NETWORK4, NETWORK6

KINDS = tuple(Kind)
TEXT = np.dtype(
    [
        ("hash", "u8"),        # of kind and value
        ("expires", "i8"),     # seconds since 1970, 0 for never
        ("start", "u4"),       # of the value in the blob
        ("note", "u4"),        # row of notes
        ("confidence", "f4"),  # -1 when the entry does not say
        ("length", "u2"),
        ("feed", "u2"),        # row of feeds
        ("kind", "u1"),        # place in KINDS
    ]
)


class Status(msgspec.Struct, kw_only=True):
    """What became of a feed's updates; times are seconds since 1970, 0 for never."""

    name: str
    url: str = ""
    updated: float = 0.0         # the last success
    tried: float = 0.0
    failures: int = 0            # in a row
    error: str = ""              # of the last try, empty when it went well
    entries: int = 0
    skipped: dict[str, int] = {}
    sha256: str = ""
    trust: str = ""              # what says that it is genuine: signature, checksum, tls, file, nothing
    etag: str = ""
    last_modified: str = ""
    taken: float = 0.0           # when its entries were last read, not only known to be as they were
    read_as: str = ""            # by which of the settings they were read
    confidence: float = 0.7
    stale_seconds: float = 259_200.0


class Compiled(NamedTuple):
    """Arrays of one feed; `notes` are what entries say of themselves, the first of them empty."""

    four: npt.NDArray[np.void]
    six: npt.NDArray[np.void]
    texts: npt.NDArray[np.void]
    blob: npt.NDArray[np.uint8]
    notes: tuple[str, ...]


def text_hash(kind: Kind, value: str) -> int:
    digest = hashlib.blake2b(f"{kind.value} {value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def compiled(indicators: Sequence[Indicator]) -> Compiled:
    """The arrays of a feed's indicators."""
    notes: dict[str, int] = {"": 0}
    four, six, texts, blob = [], [], [], bytearray()
    for one in indicators:
        note = notes.setdefault(one.note, len(notes))
        expires, confidence = round(one.expires or 0), -1.0 if one.confidence is None else one.confidence
        if one.kind == Kind.ADDRESS:
            net = ipaddress.ip_network(one.value)
            first, last = net.network_address, net.broadcast_address
            if net.version == 4:
                four.append((int(first), int(last), expires, note, confidence, 0))
            else:
                six.append((first.packed, last.packed, expires, note, confidence, 0))
            continue
        raw = one.value.encode()[:65_535]
        hashed = text_hash(one.kind, one.value)
        texts.append((hashed, expires, len(blob), note, confidence, len(raw), 0, KINDS.index(one.kind)))
        blob += raw
    return Compiled(
        np.array(four, NETWORK4), np.array(six, NETWORK6), np.array(texts, TEXT),
        np.frombuffer(bytes(blob), np.uint8), tuple(notes),
    )  # fmt: skip


def write(folder: Path, name: str, feed: Compiled) -> None:
    path = folder / f"{name}.npz"
    unfinished = path.with_suffix(f".{os.getpid()}")
    notes = np.frombuffer(msgspec.json.encode(feed.notes), np.uint8)
    with unfinished.open("wb") as file:
        np.savez(file, four=feed.four, six=feed.six, texts=feed.texts, blob=feed.blob, notes=notes)
    os.replace(unfinished, path)


def write_status(folder: Path, status: Status) -> None:
    path = folder / f"{status.name}.json"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n")
    os.replace(unfinished, path)


def read(path: Path) -> Compiled:
    """StateError when the file is not what `write` makes."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            notes = msgspec.json.decode(arrays["notes"].tobytes(), type=tuple[str, ...])
            feed = Compiled(arrays["four"], arrays["six"], arrays["texts"], arrays["blob"], notes)
    except (OSError, ValueError, KeyError, msgspec.DecodeError, EOFError) as error:
        raise StateError(f"{path}: not a feed as `tapir feeds update` writes it: {error}") from None
    if (feed.four.dtype, feed.six.dtype, feed.texts.dtype) != (NETWORK4, NETWORK6, TEXT):
        raise StateError(f"{path}: a feed of another version: tapir feeds update --force")
    return feed


def read_status(path: Path) -> Status:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError) as error:
        raise StateError(f"{path}: not a status as `tapir feeds update` writes it: {error}") from None
