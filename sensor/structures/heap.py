"""What the C library does with memory that is freed: in: nothing; out: nothing. Law: where it is not glibc's, nothing
is changed.
"""

from __future__ import annotations

import ctypes
from typing import Any

_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1 << 20


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None)  # musl has neither


def map_large_tables() -> None:
    """Keep tables of 1 MiB and more out of the heap from now on.

    glibc moves larger and larger ones into it once some were freed: their zeros are then written, not only promised by
    the system, and what is freed between others stays. Reading ten captures one after the other held 1.5 GB so.
    """
    set_option = _glibc("mallopt")
    if set_option:
        set_option(_MMAP_THRESHOLD, _LARGE_BYTES)


def trim_heap() -> None:
    """Give what is free back to the system: glibc keeps it."""
    trim = _glibc("malloc_trim")
    if trim:
        trim(0)
