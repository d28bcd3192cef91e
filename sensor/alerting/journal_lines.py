"""The text of a journal: records in, lines out, and back; what a file of them holds, and where it is damaged.

    HASH PREVIOUS EPOCH SEQUENCE TOPIC JSON

HASH is SHA-256 of the rest of the line, PREVIOUS the HASH of the line before, across files. Law: a line is taken only
when its hash fits, so half a line, or one that was changed, is never given out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sensor.alert_log import Record
from sensor.limits import ALERT_BYTES_MAX

FIRST_HASH = b"0" * 64
HEADER = b"tapir-journal 1\n"
LINE_BYTES_MAX = ALERT_BYTES_MAX + 1_024
_READ_BYTES = 262_144


class Line(NamedTuple):
    """One whole line; `end` is the offset behind it."""

    hash: bytes
    previous: bytes
    record: Record
    end: int


def line_of(previous: bytes, record: Record) -> tuple[bytes, bytes]:
    """(hash, line with its end) of a record that follows the line with hash `previous`."""
    rest = b"%s %d %d %s %s" % (previous, record.epoch, record.sequence, record.topic, record.body)
    digest = hashlib.sha256(rest).hexdigest().encode()
    return digest, digest + b" " + rest + b"\n"


def parse(text: bytes, end: int = 0) -> Line | None:
    """A line without its end; None when it is not whole or was changed."""
    digest, _, rest = text.partition(b" ")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        return None
    parts = rest.split(b" ", 4)
    if len(parts) != 5 or not (parts[1].isdigit() and parts[2].isdigit()):
        return None
    previous, epoch, sequence, topic, body = parts
    return Line(digest, previous, Record(int(epoch), int(sequence), topic, body), end)


def raw_lines(path: Path, offset: int, stop: int | None = None) -> Iterator[tuple[bytes, int]]:
    """(text, offset behind it) of each line from `offset` on, up to `stop`. The last may lack its end: it is cut."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = b""
        while True:
            wanted = _READ_BYTES if stop is None else min(_READ_BYTES, stop - offset - len(rest))
            block = file.read(wanted) if wanted > 0 else b""
            if not block:
                break
            *whole, rest = (rest + block).split(b"\n")
            for text in whole:
                offset += len(text) + 1
                yield text, offset
            if len(rest) > LINE_BYTES_MAX:  # no line is so long: damage, passed over like any other
                offset += len(rest)
                yield rest, offset
                rest = b""
        if rest:
            yield rest, offset + len(rest)


class Scan(NamedTuple):
    """What a file holds: `whole` is the offset behind its last good line, `damaged` counts bad lines before that."""

    lines: list[Line]
    whole: int
    size: int
    damaged: int

    @property
    def torn_bytes(self) -> int:
        """Bytes at the end that belong to no good line: a write that was cut."""
        return self.size - self.whole


def scan(path: Path) -> Scan:
    """Check every line of a file against its hash. The header counts as good, not as a line."""
    lines: list[Line] = []
    whole = damaged = bad = 0
    size = path.stat().st_size
    for text, end in raw_lines(path, 0):
        line = parse(text, end) if end < size or _ends_whole(path) else None
        if line is not None:
            lines.append(line)
        elif text + b"\n" != HEADER or end != len(HEADER):
            bad += 1
            continue
        whole, damaged = end, damaged + bad
        bad = 0
    return Scan(lines, whole, size, damaged)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
