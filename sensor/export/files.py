"""Where tables and alerts are written: in: a path or `-`; out: an open file, private to its owner.

The one law: whatever is wrong with an output is said before anything is read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sensor.errors import OutputError

ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
MODE = 0o600
"""Outputs hold addresses, accounts and paths of real people: their owner alone may read them."""


def format_of(path: str) -> str:
    """`jsonl` or `parquet`, by the ending; OutputError for any other."""
    if path == "-":
        return "jsonl"
    found = ENDINGS.get(Path(path).suffix.lower())
    if found is None:
        raise OutputError(f"{path}: the ending must be .jsonl or .parquet (or - for JSON lines on standard output)")
    return found


def open_private(path: str, append: bool = False) -> BinaryIO:
    """Open for writing, created with mode 0600 when it is new; OutputError when that fails. With `append` what is there
    stays, and a last line that was cut is ended.
    """
    flags = os.O_RDWR | os.O_APPEND if append else os.O_WRONLY | os.O_TRUNC
    try:
        file = os.fdopen(os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, MODE), "r+b" if append else "wb", buffering=0)
        if append and (size := os.fstat(file.fileno()).st_size) and os.pread(file.fileno(), 1, size - 1) != b"\n":
            file.write(b"\n")
        return file
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


class Output:
    """A file, or standard output for `-`. Writing raises OutputError that names it."""

    def __init__(self, path: str, append: bool = False) -> None:
        self.name = "standard output" if path == "-" else path
        self._file = sys.stdout.buffer if path == "-" else open_private(path, append)

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it."""
        view = memoryview(data)
        while view:
            view = view[self._tried(self._file.write, view) :]

    def flush(self) -> None:
        self._tried(self._file.flush)

    def close(self) -> None:
        """Flush; standard output stays open."""
        self.flush()
        if self._file is not sys.stdout.buffer:
            self._tried(self._file.close)

    def _tried(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except BrokenPipeError as error:
            raise OutputError(f"{self.name}: its reader has closed it") from error
        except OSError as error:
            raise OutputError(f"{self.name}: {error.strerror}") from error
