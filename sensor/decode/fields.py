"""Big- and little-endian header fields, read through `at`. In: bytes and an offset. Out: int64 (addresses: uint64)."""

from __future__ import annotations

import numpy as np

from sensor._jit import at, inline_kernel


@inline_kernel
def u16(data, offset):
    return at(data, offset) << 8 | at(data, offset + 1)


@inline_kernel
def u24(data, offset):
    return at(data, offset) << 16 | at(data, offset + 1) << 8 | at(data, offset + 2)


@inline_kernel
def u32(data, offset):
    return u16(data, offset) << 16 | u16(data, offset + 2)


@inline_kernel
def u64(data, offset):
    return np.uint64(u32(data, offset)) << np.uint64(32) | np.uint64(u32(data, offset + 4))


@inline_kernel
def u16_little(data, offset):
    return at(data, offset) | at(data, offset + 1) << 8
