"""Files that are read again when they change: in: how to look and how to read; out: what was read, once it is whole.

Reading is done in the background, so no packet waits for it. The one law: what cannot be read leaves what was read
before, and says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from sensor.errors import TapirError

LOOK_SECONDS = 1.0
"""Wall clock between two looks at whether a file has changed."""
Read = TypeVar("Read")


class Reloading(Generic[Read]):
    """`paths` gives the files that count at the moment, `read` what they hold; both raise TapirError only."""

    def __init__(self, paths: Callable[[], Iterable[Path]], read: Callable[[], Read]) -> None:
        self._paths, self._read = paths, read
        self._stamps = self._look()
        self._looked = time.monotonic()
        self._coming: list[Read | TapirError] = []
        self._reader: threading.Thread | None = None

    def _look(self) -> tuple[object, ...]:
        paths = sorted(set(self._paths()))
        return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path in paths if (stat := _stat(path)))

    def poll(self) -> Read | TapirError | None:
        """What was read since the last call, or why it could not be; begins to read when a file has changed."""
        if self._reader is not None:
            if self._reader.is_alive():
                return None
            self._reader = None
            return self._coming.pop()
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            stamps = self._look()
            if stamps != self._stamps:
                self._stamps = stamps
                self._reader = threading.Thread(target=self._run, name="reloading", daemon=True)
                self._reader.start()
        return None

    def _run(self) -> None:
        try:
            self._coming.append(self._read())
        except TapirError as error:
            self._coming.append(error)


def _stat(path: Path) -> Any:
    try:
        return path.stat()
    except OSError:
        return None
