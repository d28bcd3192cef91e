"""Outputs whose files change: in: a name, perhaps with %Y%m%d and the like, and limits; out: the writer to use now.

    http-%Y%m%d.jsonl     a file a day, by packet time in UTC
    http.jsonl            renamed to http.1.jsonl, http.2.jsonl ... when it is large or old enough

The one law: whatever is renamed, by us or by others, ends whole, and no file that holds rows of an earlier run is
written over.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from sensor.config import OutputSettings
from sensor.errors import OutputError
from sensor.export.files import format_of
from sensor.limits import NS

_REST_SECONDS = 5.0
"""After a failure, how long a sensor leaves an output alone before it tries again."""
_CODES = {"%Y": r"\d{4}", "%m": r"\d\d", "%d": r"\d\d", "%H": r"\d\d", "%M": r"\d\d", "%S": r"\d\d", "%j": r"\d{3}"}


class Closing(Protocol):
    def close(self) -> None: ...


W = TypeVar("W", bound=Closing)
Open = Callable[[str, bool], W]
"""Opens a writer to a path; True appends to what is there."""


def is_pattern(name: str) -> bool:
    """Whether the name changes with time; OutputError for a code that is none of ours."""
    for code in re.findall(r"%.?", name):
        if code not in _CODES:
            raise OutputError(f"{name}: {code} is none of {' '.join(_CODES)}")
    return "%" in name


class Rotating(Generic[W]):
    """`keeps`: files that are there are not written over (a sensor that runs), but appended to or renamed.

    `rows`, `rows_late` and `rows_lost` are those of all files of this run.
    """

    def __init__(self, name: str, open_writer: Open[W], settings: OutputSettings, keeps: bool) -> None:
        format_of(name)
        self._name, self._open, self.settings, self._keeps = name, open_writer, settings, keeps
        self._pattern = is_pattern(name)
        self._fixed = name == "-" or (os.path.exists(name) and not os.path.isfile(name))
        self._path, self._inode, self._began = "", 0, 0
        self._writer: W | None = None
        self._asked = False
        self._past = {"rows": 0, "rows_late": 0}
        self._rests_until = 0.0
        self.rows_lost = 0
        if not self._pattern:
            self._begin(name)
        elif not os.access(Path(name).parent, os.W_OK | os.X_OK):
            raise OutputError(f"{name}: cannot be written: no such folder, or not allowed")

    def at(self, now: int) -> W:
        """The writer for what comes at packet time `now` (ns). Raises OutputError."""
        if self._writer is None or not self._fixed:
            try:
                self._follow(now)
            except OSError as error:
                raise OutputError(f"{self._path or self._name}: cannot be rotated: {error.strerror}") from error
        assert self._writer is not None
        return self._writer

    def put(self, now: int, rows: int, write: Callable[[W], object]) -> str:
        """Have the `rows` that came at packet time `now` (ns) written by `write`. A sensor that runs goes on when that
        fails, leaves rows out for a while (counted, with all of this call), then goes on where the file ended, or in
        a new one: why it failed comes back, empty when it did not. Raises OutputError for what is no file, and when
        files are read.
        """
        if time.monotonic() < self._rests_until:
            self.rows_lost += rows
            return ""
        try:
            write(self.at(now))
        except OutputError as error:
            if not self._keeps or self._fixed:
                raise
            self.rows_lost += rows
            self._rests_until, self._path = time.monotonic() + _REST_SECONDS, ""
            with suppress(OutputError):
                self._end()
            return str(error)
        return ""

    def _follow(self, now: int) -> None:
        """Go on to another file where it is time to."""
        path = self._path_at(now)
        self._began = self._began or now
        if path != self._path or (self._asked and _inode(path) != self._inode):
            self._end()
            self._begin(path)
        elif self._is_over(now):
            self._end()
            self._put_away(path)
            self._begin(path)
        self._asked = False
        self._began = self._began or now

    def reopen(self) -> None:
        """With the next rows: where the file was renamed or removed by someone else, begin a new one."""
        self._asked = True

    def close(self) -> None:
        self._end()

    @property
    def rows(self) -> int:
        return self._count("rows")

    @property
    def rows_late(self) -> int:
        return self._count("rows_late")

    def _count(self, name: str) -> int:
        return self._past[name] + int(getattr(self._writer, name, 0))

    def _path_at(self, now: int) -> str:
        return datetime.fromtimestamp(now / NS, UTC).strftime(self._name) if self._pattern else self._name

    def _is_over(self, now: int) -> bool:
        limit, seconds = self.settings.rotate_bytes, self.settings.rotate_seconds
        if seconds and now - self._began >= seconds * NS:
            return True
        return bool(limit) and _size(self._path) >= limit

    def _begin(self, path: str) -> None:
        keeps = self._keeps and not self._fixed
        if keeps and format_of(path) == "parquet" and _size(path):
            self._put_away(path)
        self._writer = self._open(path, keeps)
        self._path, self._inode, self._began = path, _inode(path), 0
        self._remove_oldest()

    def _end(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            for name in self._past:
                self._past[name] += int(getattr(writer, name, 0))

    def _put_away(self, path: str) -> None:
        """Rename to the next free number."""
        at = Path(path)
        numbers = [int(found[1]) for other in at.parent.iterdir() if (found := _numbered(at).fullmatch(other.name))]
        if at.exists():
            at.rename(at.with_name(f"{at.stem}.{max(numbers, default=0) + 1}{at.suffix}"))

    def _remove_oldest(self) -> None:
        kept = self.settings.files_kept
        if not kept or self._fixed:
            return
        at = Path(self._name)
        own = _matching(at)
        others = [path for path in at.parent.iterdir() if own.fullmatch(path.name) and path != Path(self._path)]
        for path in sorted(others, key=_age)[: max(0, len(others) - kept)]:
            path.unlink(missing_ok=True)


def _numbered(path: Path) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(path.stem)}\.(\d+){re.escape(path.suffix)}")


def _matching(pattern: Path) -> re.Pattern[str]:
    """Names of all files of an output, renamed ones too."""
    stem = re.escape(pattern.stem)
    for code, digits in _CODES.items():
        stem = stem.replace(re.escape(code), digits)
    return re.compile(rf"{stem}(\.\d+)?{re.escape(pattern.suffix)}")


def _age(path: Path) -> tuple[Any, ...]:
    found = re.search(r"\.(\d+)$", path.stem)
    return path.stat().st_mtime_ns, int(found[1]) if found else 0


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
