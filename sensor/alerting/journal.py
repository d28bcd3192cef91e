"""The sensor's journal: records go in, and are on disk when `append` returns; out: what follows any position.

    DIRECTORY/00000000000000000001.journal   segments, named after the number of their first record (journal_lines.py)
    DIRECTORY/journal.json                   the epoch of the latest run; the last sequence of epochs that were removed

Law: what was given to a subscriber is in the journal, or is counted as lost. A disk that fails never stops the sensor:
records wait in memory, in order, until they can be written.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import msgspec

from sensor.alert_log import START, Chunk, Hole, Position, Record
from sensor.alerting.journal_lines import FIRST_HASH, HEADER, Line, line_of, parse, raw_lines, scan
from sensor.config import JournalSettings
from sensor.counters import Counters
from sensor.errors import OutputError
from sensor.limits import JOURNAL_SCAN_BYTES, JOURNAL_UNWRITTEN_BYTES, JOURNAL_UNWRITTEN_MAX

_SUFFIX = ".journal"
_PLACES_MAX = 256          # readers whose place in the files is remembered
_EPOCHS_REMOVED_MAX = 1_000
_RETRY_SECONDS = 1.0
_TEND_SECONDS = 60.0
_CLOCK_STEP_SECONDS = 3_600.0


class JournalCount(IntEnum):
    """What a journal counts."""

    WRITTEN = 0           # records that are on disk
    COMMITS = 1           # times the disk was waited for: one commit takes all records that came meanwhile
    FAILED = 2            # commits that failed: no space, a quota, a broken disk
    LOST = 3              # records given up because too many waited for the disk
    TORN_BYTES = 4        # bytes of a cut write at the end, removed when the journal was opened
    DAMAGED = 5           # lines found whose hash does not fit, passed over
    SEGMENTS_REMOVED = 6  # files removed because of age or size


class _Known(msgspec.Struct):
    """journal.json"""

    epoch: int = 0
    removed: dict[int, int] = {}  # epoch -> its last sequence that was removed


@dataclass(slots=True)
class _Segment:
    number: int
    path: Path
    first: Position | None  # None while it holds no record
    size: int               # bytes that are known good


class Journal:
    """One directory, one sensor. Raises OutputError when the directory cannot be used or another sensor uses it."""

    def __init__(self, directory: str | Path, settings: JournalSettings | None = None) -> None:
        self.counters = Counters(JournalCount)
        self.directory = Path(directory)
        self._settings = settings or JournalSettings()
        self._hash = FIRST_HASH
        self._last: Position = START
        self._next_number = 1
        self._segments: list[_Segment] = []
        self._unwritten: deque[Record] = deque()
        self._unwritten_bytes = 0
        self._places: OrderedDict[Position, tuple[int, int]] = OrderedDict()  # position -> segment, offset behind it
        self._tail: list[Record] = []
        self._file: int | None = None
        self._failing = ""
        self._retry_at = self._tend_at = 0.0
        self._clock_offset = time.time() - time.monotonic()
        self._lock = self._locked()
        try:
            self._known = self._load()
            self._open_segments()
        except OSError as error:
            os.close(self._lock)
            raise OutputError(f"{self.directory}: the journal cannot be read: {error.strerror}") from error
        self._known.epoch = max(time.time_ns() // 1000, self._known.epoch + 1, self._last[0] + 1)
        try:
            self._save()
        except OSError as error:
            self._fail(error)

    # --- what it tells ---------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        return self._known.epoch

    @property
    def first(self) -> Position:
        held = next((segment.first for segment in self._segments if segment.first), None)
        return held or (self._unwritten[0].position if self._unwritten else self._last)

    @property
    def last(self) -> Position:
        return self._unwritten[-1].position if self._unwritten else self._last

    @property
    def hash(self) -> str:
        return self._hash.decode()

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    @property
    def failing(self) -> str:
        return self._failing

    @property
    def unwritten(self) -> int:
        return len(self._unwritten)

    def tail(self) -> list[Record]:
        """The newest records as they were found when the journal was opened, about limits.JOURNAL_SCAN_BYTES."""
        return self._tail

    # --- writing ---------------------------------------------------------------------------------------------------

    def append(self, records: Iterable[Record]) -> None:
        """Write records and wait for the disk; when it fails they wait in memory for the next try."""
        for record in records:
            self._unwritten.append(record)
            self._unwritten_bytes += len(record.body)
        while len(self._unwritten) > JOURNAL_UNWRITTEN_MAX or self._unwritten_bytes > JOURNAL_UNWRITTEN_BYTES:
            self._unwritten_bytes -= len(self._unwritten.popleft().body)
            self.counters.values[JournalCount.LOST] += 1
        self._commit()

    def tend(self) -> None:
        """Try again after a failure; remove what is too old or too much."""
        self._commit()
        if time.monotonic() >= self._tend_at:
            self._tend_at = time.monotonic() + _TEND_SECONDS
            self._retain()

    def close(self) -> None:
        """A last try for what waits; then let go of the directory."""
        self._retry_at = 0.0
        self._commit()
        self._close_file()
        os.close(self._lock)

    def _commit(self) -> None:
        if not (self._unwritten or self._failing) or time.monotonic() < self._retry_at:
            return
        digest, lines = self._hash, []
        for record in self._unwritten:
            digest, line = line_of(digest, record)
            lines.append(line)
        try:
            if self._failing:
                self._retain()
                self._save()
            if lines:
                segment = self._writable()
                _write_all(self._file, b"".join(lines))
                os.fdatasync(self._file or 0)
                self._committed(segment, digest, lines)
        except OSError as error:
            self._fail(error)
            return
        self._failing = ""

    def _committed(self, segment: _Segment, digest: bytes, lines: list[bytes]) -> None:
        segment.first = segment.first or self._unwritten[0].position
        segment.size += sum(map(len, lines))
        self._hash, self._last = digest, self._unwritten[-1].position
        self._next_number += len(lines)
        self.counters.values[JournalCount.WRITTEN] += len(lines)
        self.counters.values[JournalCount.COMMITS] += 1
        self._unwritten.clear()
        self._unwritten_bytes = 0
        self._remember(self._last, segment.number, segment.size)
        if segment.size >= self._settings.segment_bytes:
            self._close_file()
            self._retain()

    def _writable(self) -> _Segment:
        """The segment that is written to, begun when there is none."""
        if self._file is not None:
            return self._segments[-1]
        path = self.directory / f"{self._next_number:020d}{_SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not self._segments or self._segments[-1].path != path:
            self._segments.append(_Segment(self._next_number, path, None, 0))
        self._segments[-1].size = 0
        _write_all(self._file, HEADER)
        self._segments[-1].size = len(HEADER)
        self._sync_directory()
        return self._segments[-1]

    def _fail(self, error: OSError) -> None:
        """Undo what may have been written of a commit, so that its records are written once, later."""
        self.counters.values[JournalCount.FAILED] += 1
        self._failing = error.strerror or str(error)
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if self._file is not None and self._segments:
            with suppress(OSError):  # where even that fails, the cut line is passed over by whoever reads
                os.ftruncate(self._file, self._segments[-1].size)
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None

    # --- reading ---------------------------------------------------------------------------------------------------

    def read(self, after: Position, topics: Sequence[bytes], records_max: int, bytes_max: int) -> Chunk:
        """What follows `after`; reads at most limits.JOURNAL_SCAN_BYTES, whatever is asked for."""
        reset = after[0] > self.epoch
        chunk = Chunk(START if reset else after, reset=reset)
        wanted = tuple(topics)
        self._pass_removed(chunk)
        scanned, place = 0, None
        for number, line, end, length in self._lines_after(chunk.upto):
            if line is None:
                self.counters.values[JournalCount.DAMAGED] += 1
            elif line.record.position > chunk.upto:
                if len(chunk.records) >= records_max or chunk.body_bytes >= bytes_max or scanned >= JOURNAL_SCAN_BYTES:
                    chunk.more = True
                    break
                chunk.take(line.record, wanted)
                scanned, place = scanned + length, (number, end)
        if place is not None:
            self._remember(chunk.upto, *place)
        for record in () if chunk.more else self._unwritten:
            if record.position > chunk.upto:
                chunk.more = len(chunk.records) >= records_max or chunk.body_bytes >= bytes_max
                if chunk.more:
                    break
                chunk.take(record, wanted)
        return chunk

    def _pass_removed(self, chunk: Chunk) -> None:
        """What retention took away behind the position that was asked for is a hole."""
        if chunk.upto == START:
            return
        for epoch, last in sorted(self._known.removed.items()):
            if chunk.upto < (epoch, last) < self.first:
                begin = chunk.upto[1] + 1 if epoch == chunk.upto[0] else 1
                chunk.holes.append(Hole(epoch, begin, last))
                chunk.upto = (epoch, last)

    def _lines_after(self, after: Position) -> Iterator[tuple[int, Line | None, int, int]]:
        """(segment, line or None when damaged, offset behind it, length) of all lines that may follow `after`."""
        begun = [index for index, one in enumerate(self._segments) if one.first is not None and one.first <= after]
        index, offset = begun[-1] if begun else 0, 0
        place = self._places.get(after)
        if place is not None:
            known = [at for at, one in enumerate(self._segments) if one.number == place[0]]
            if known:
                index, offset = known[0], place[1]
        for segment in self._segments[index:]:
            with suppress(OSError):  # removed or made unreadable by someone else: a hole like any other
                for text, end in raw_lines(segment.path, offset, segment.size):
                    if end > len(HEADER) or text + b"\n" != HEADER:
                        yield segment.number, parse(text), end, len(text)
            offset = 0

    def _remember(self, position: Position, number: int, offset: int) -> None:
        self._places[position] = (number, offset)
        if len(self._places) > _PLACES_MAX:
            self._places.popitem(last=False)

    # --- opening and retention -------------------------------------------------------------------------------------

    def _locked(self) -> int:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(f"{self.directory}: the journal cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise OutputError(f"{self.directory}: another sensor writes this journal; give each its own") from None
        return lock

    def _open_segments(self) -> None:
        """Find the segments, cut a torn end off the newest, and learn where the chain stands."""
        self._segments = [_Segment(int(path.stem), path, _first_position(path), path.stat().st_size)
                          for path in segment_paths(self.directory)]  # fmt: skip
        held = 0
        for segment in reversed(self._segments):
            found = scan(segment.path)
            self.counters.values[JournalCount.DAMAGED] += found.damaged
            segment.size = found.whole
            if self._last == START:
                self._next_number = max(self._next_number, segment.number + len(found.lines) + found.damaged)
                if found.torn_bytes:
                    self.counters.values[JournalCount.TORN_BYTES] += found.torn_bytes
                    os.truncate(segment.path, found.whole)
                if found.lines:
                    self._hash, self._last = found.lines[-1].hash, found.lines[-1].record.position
            self._tail = [line.record for line in found.lines] + self._tail
            held += found.size
            if self._last != START and held >= JOURNAL_SCAN_BYTES:
                return

    def _load(self) -> _Known:
        try:
            return msgspec.json.decode((self.directory / "journal.json").read_bytes(), type=_Known)
        except (FileNotFoundError, msgspec.MsgspecError):  # a new journal, or a file cut by a crash: the lines tell
            return _Known()

    def _save(self) -> None:
        made = self.directory / ".journal.json"
        made.write_bytes(msgspec.json.encode(self._known))
        file = os.open(made, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
        made.rename(self.directory / "journal.json")
        self._sync_directory()

    def _sync_directory(self) -> None:
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _retain(self) -> None:
        """Remove the oldest segments while the journal is too large, or they too old; never the one written to."""
        while len(self._segments) > 1 and self._is_over(self._segments[0]):
            segment = self._segments.pop(0)
            with suppress(OSError):  # removed by someone else already
                for line in scan(segment.path).lines:
                    self._known.removed[line.record.epoch] = line.record.sequence
            for epoch in sorted(self._known.removed)[:-_EPOCHS_REMOVED_MAX]:
                del self._known.removed[epoch]
            with suppress(OSError):  # a full disk: written when space was made
                self._save()
            with suppress(OSError):
                segment.path.unlink()
            self.counters.values[JournalCount.SEGMENTS_REMOVED] += 1

    def _is_over(self, segment: _Segment) -> bool:
        if self.size_bytes > self._settings.bytes_max:
            return True
        stepped = abs(time.time() - time.monotonic() - self._clock_offset) > _CLOCK_STEP_SECONDS
        try:
            return not stepped and time.time() - segment.path.stat().st_mtime > self._settings.age_max_seconds
        except FileNotFoundError:
            return True


def segment_paths(directory: Path) -> list[Path]:
    """The segments of a journal, oldest first."""
    return sorted(path for path in directory.glob(f"*{_SUFFIX}") if path.stem.isdigit())


def _first_position(path: Path) -> Position | None:
    lines = (parse(text) for text, _ in raw_lines(path, 0))
    return next((line.record.position for line in lines if line is not None), None)


def _write_all(file: int | None, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(file or 0, rest):]
