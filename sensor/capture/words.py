"""32-bit fields of either byte order: in: 64 bits of a record, as load64 gives them; out: int64 values.

The one law: every byte is read through load64 or at, which check.
"""

import numpy as np

from sensor._jit import at, inline_kernel


@inline_kernel
def _swapped(value):
    return (value >> 24) | ((value >> 8) & 0xFF00) | ((value & 0xFF00) << 8) | ((value & 0xFF) << 24)


@inline_kernel
def first(word, big):
    """The four bytes at the lower address."""
    value = np.int64(word & np.uint64(0xFFFFFFFF))
    return _swapped(value) if big != 0 else value


@inline_kernel
def second(word, big):
    """The four bytes behind them."""
    value = np.int64(word >> np.uint64(32))
    return _swapped(value) if big != 0 else value


@inline_kernel
def half(data, offset, big):
    """The 16-bit field at `offset`."""
    left = at(data, offset)
    right = at(data, offset + 1)
    return (left << 8) | right if big != 0 else (right << 8) | left
