"""Tables that several processes work on: in: how many rows of what; out: zeros that a fork shares instead of copying.

The one law: memory is taken when it is first touched, as with numpy's own zeros, so a table may be as large as the
worst case.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

_NO_RESERVE = 0x4000  # MAP_NORESERVE of Linux


def shared_zeros(length: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """np.zeros(length, dtype) in memory that processes forked from now on share."""
    item = np.dtype(dtype)
    flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _NO_RESERVE
    return np.frombuffer(mmap.mmap(-1, max(length * item.itemsize, 1), flags=flags), item, length)
