"""What to read: in: the names the user gave; out: one Input per file or stream, its faults and bytes on record.

A folder stands for all captures below it, sorted by path, numbers as numbers; other files in it are skipped and
counted. The one law: whatever the user named and cannot be read is a fault with its name, and the other inputs are
read all the same.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

from sensor.capture.clock import KEY_FIRST
from sensor.capture.layout import Count
from sensor.capture.reader import Reader, Table
from sensor.capture.sources.compressed import Source
from sensor.capture.sources.source import NotACapture, is_stream, open_capture
from sensor.counters import Counters
from sensor.errors import InputError
from sensor.limits import CLOCK_AHEAD_NS, SHORT_READ_BYTES


class Input(NamedTuple):
    """`order`: its place among all; `size`: bytes of the file, None for a stream; `found`: in a folder, not named."""

    name: str
    order: int
    size: int | None
    found: bool


class Inputs:
    """All inputs of a run. `listed`: what the names stand for; `faults`: what could not be read, or not to its end."""

    def __init__(self, names: Sequence[str], counters: Counters) -> None:
        self.faults: list[InputError] = []
        self.listed = [Input(name, order, size, found) for order, (name, size, found) in enumerate(self._list(names))]
        self._counters = counters
        self._clock_limit = time.time_ns() + CLOCK_AHEAD_NS
        self._sizes = {each.order: each.size for each in self.listed}
        self._readers: dict[int, Reader] = {}
        self._bytes_closed = 0

    @property
    def bytes_total(self) -> int | None:
        """Size of all captures; None with a stream among them. At least `bytes_read`, should a file grow."""
        total = 0
        for size in self._sizes.values():
            if size is None:
                return None
            total += size
        return max(total, self.bytes_read)

    @property
    def bytes_read(self) -> int:
        return self._bytes_closed + sum(reader.position for reader in self._readers.values())

    def open(self, each: Input, table: Table) -> Reader | None:
        """A reader of the input, to be given back to `close`; None, and the reason on record, when it does not open."""
        reader = self._reader(each, table, self._counters)
        if reader:
            self._readers[each.order] = reader
        return reader

    def begins(self, each: Input, table: Table) -> int | None:
        """The first merge key (ns) of a file, from a short look at it; None, and on record, without frames."""
        reader = self._reader(each, table, Counters(Count), short=True)
        if reader is None:
            return None
        with closing(reader):
            rows = 0
            while count := reader.advance():
                rows += count
                sane = table.keys[:count][table.keys[:count] != KEY_FIRST]
                if len(sane):
                    return int(sane[0])
            if rows:
                return KEY_FIRST
        self._counters.values[Count.INPUTS] += 1
        self._bytes_closed += reader.position
        if reader.fault:
            self.faults.append(reader.fault)
        return None

    def close(self, each: Input) -> None:
        """Put the fault of the input's reader on record, and close it."""
        reader = self._readers.pop(each.order)
        self._bytes_closed += reader.position
        if reader.fault:
            self.faults.append(reader.fault)
        reader.close()

    def close_all(self) -> None:
        """Close what a run that was broken off has left open."""
        for each in self.listed:
            if each.order in self._readers:
                self.close(each)

    def refuse(self, each: Input, fault: InputError) -> None:
        """Put an input on record that is not read; no fault when it is a file in a folder that is no capture."""
        self._sizes[each.order] = 0
        if each.found and isinstance(fault, NotACapture):
            self._counters.values[Count.FILES_SKIPPED] += 1
        else:
            self.faults.append(fault)

    def _reader(self, each: Input, table: Table, counters: Counters, short: bool = False) -> Reader | None:
        try:
            capture = open_capture(each.name)
        except InputError as fault:
            self.refuse(each, fault)
            return None
        if short:
            capture = replace(capture, source=_ShortReads(capture.source))
        return Reader(capture, table, self._clock_limit, counters)

    def _list(self, names: Iterable[str]) -> Iterator[tuple[str, int | None, bool]]:
        """Name, size and whether it was found in a folder; a file that was listed already is not found again."""
        seen = set()
        for name in names:
            if name == "-" or name.startswith("tcp://") or not os.path.isdir(name):
                seen.add(os.path.realpath(name))
                yield name, None if is_stream(name) else _size(name), False
                continue
            for path in self._files_below(name):
                if os.path.realpath(path) not in seen:
                    seen.add(os.path.realpath(path))
                    yield path, _size(path), True

    def _files_below(self, name: str) -> Iterator[str]:
        def unreadable(error: OSError) -> None:
            self.faults.append(InputError(str(error.filename), f"the folder cannot be listed: {error.strerror}"))

        for folder, folders, files in os.walk(name, onerror=unreadable):
            folders.sort(key=_counted)
            files.sort(key=_counted)
            yield from (path for file in files if os.path.isfile(path := os.path.join(folder, file)))


def _counted(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts names with numbers as they were counted: tcpdump -C writes x, x1 ... x9, x10, and frames of
    equal time come in the order of their files.
    """
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", name)]


def _size(name: str) -> int:
    try:
        return os.path.getsize(name)
    except OSError:
        return 0  # opening it will say why


class _ShortReads:
    """A source read in small steps, for those who want no more than its first frames."""

    def __init__(self, inner: Source) -> None:
        self.name, self._inner = inner.name, inner

    @property
    def position(self) -> int:
        return self._inner.position

    @property
    def ready(self) -> bool:
        return self._inner.ready

    def readinto(self, view: memoryview) -> int:
        return self._inner.readinto(view[:SHORT_READ_BYTES])

    def close(self) -> None:
        self._inner.close()
