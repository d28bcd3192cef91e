"""A regular file as bytes: in: a path; out: what is in it, up to the last byte that was there when it was reached.

The one law: read into the caller's buffer, never mapped, so that no page stays behind (mapping costs twice as
much: a page fault for every 4 KiB).
"""

from __future__ import annotations

import io

from sensor.errors import InputError


class FileBytes:
    """`readinto` fills the view as far as the file goes; 0 at its end. `position`: bytes read so far."""

    ready = True

    def __init__(self, name: str) -> None:
        self.name, self.position = name, 0
        try:
            self._file = io.FileIO(name)
        except OSError as error:
            raise InputError(name, f"cannot be opened: {error.strerror}") from error

    def readinto(self, view: memoryview) -> int:
        try:
            size = self._file.readinto(view) or 0
        except OSError as error:
            raise InputError(self.name, f"cannot be read on: {error.strerror}", self.position) from error
        self.position += size
        return size

    def close(self) -> None:
        self._file.close()
