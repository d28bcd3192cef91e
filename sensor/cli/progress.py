"""A bar while captures are read: in: how many bytes were read; out: bytes, rate and time left on a terminal, nothing
elsewhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

_REFRESH_SECONDS = 0.1


class Reading(Protocol):
    """What a bar needs to know; `bytes_total` is None for streams."""

    @property
    def bytes_total(self) -> int | None: ...

    @property
    def bytes_read(self) -> int: ...


@contextmanager
def progress(reading: Reading, quiet: bool) -> Iterator[Callable[[], None]]:
    """Yields a function to call after each batch."""
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    ends = [] if reading.bytes_total is None else [TimeRemainingColumn()]
    bar = Progress(
        SpinnerColumn(), BarColumn(), DownloadColumn(), TransferSpeedColumn(), *ends,
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=reading.bytes_total)
        due = 0.0

        def advance() -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due:
                bar.update(task, completed=reading.bytes_read)
                due = now + _REFRESH_SECONDS

        yield advance
