"""Files that are renamed as they grow: alerts go in, lines come out. Law: what `write` returned from is on the disk, in
whole lines, and a file is not longer than asked for unless one line is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sensor.alert import Alert
from sensor.collector.sinks.sink import Refused, line_of
from sensor.config import SinkSettings


class RotatingFile:
    def __init__(self, settings: SinkSettings) -> None:
        self._path, self._line = Path(settings.file), line_of(settings)
        self._bytes_max, self._kept = settings.file_bytes_max, settings.files_kept

    def write(self, alerts: Sequence[Alert]) -> Refused:
        waiting: list[bytes] = []
        size = self._size()
        for alert in alerts:
            line = self._line(alert) + b"\n"
            if size and size + len(line) > self._bytes_max:
                self._append(waiting)
                self._rotate()
                waiting, size = [], 0
            waiting.append(line)
            size += len(line)
        self._append(waiting)
        return {}

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _append(self, lines: list[bytes]) -> None:
        if not lines:
            return
        with open(self._path, "a+b", opener=_private) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a write that was cut: its alerts come again
                    file.write(b"\n")
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())

    def _rotate(self) -> None:
        for number in range(self._kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        if self._path.exists():
            self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)
