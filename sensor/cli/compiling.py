"""Loading the compiled kernels: in: nothing; out: one line when this is the first time and takes a while.

The one law: nobody waits for the compiler without being told.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FIRST_TIME_SECONDS = 20
"""What the first compilation takes on two cores, roughly."""


@contextmanager
def told_when_compiling(quiet: bool) -> Iterator[None]:
    """Wrap the import of the kernels: says on standard error that they are being compiled when they were not yet."""
    from sensor._jit import cache_folder

    marker = cache_folder() / "complete"
    if marker.exists():
        yield
        return
    _say(quiet, f"tapir: compiling, once for this version and machine (about {FIRST_TIME_SECONDS} s) ...")
    start = time.monotonic()
    yield
    mark_complete(marker)
    _say(quiet, f"tapir: compiled in {time.monotonic() - start:.1f} s, kept in {marker.parent}")


def mark_complete(marker: Path) -> None:
    """Remember that every kernel is in the cache; a cache that cannot be written to is only slower."""
    try:
        marker.touch(mode=0o600)
    except OSError:
        return


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        print(line, file=sys.stderr, flush=True)
