"""The hash that stands for bytes: against a plain twin, and what keyed means."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, kernel
from sensor.structures.folding import fold_bytes

MASK = (1 << 64) - 1


@kernel
def hashed(key0: np.uint64, key1: np.uint64, data: Bytes, start: int, length: int) -> np.uint64:
    return fold_bytes(key0, key1, data, start, length)


def fold(one: int, other: int) -> int:
    wide = one * other
    return (wide ^ wide >> 64) & MASK


def twin(key0: int, key1: int, octets: bytes) -> int:
    def word(at: int, size: int = 8) -> int:
        return int.from_bytes(octets[at : at + size], "little")

    size, one, other = len(octets), key0 ^ len(octets), key1
    if size >= 16:
        for at in range(0, size - 15, 16):
            if at % 32 == 0:
                one = fold(word(at) ^ key1, word(at + 8) ^ one)
            else:
                other = fold(word(at) ^ key0, word(at + 8) ^ other)
        other = fold(word(size - 16) ^ key0, word(size - 8) ^ other)
    elif size >= 8:
        one = fold(word(0) ^ key1, word(size - 8) ^ one)
    else:
        one = fold(word(0, size) ^ key1, one)
    return fold(one ^ key1, other ^ key0)


def of(octets: bytes, key0: int = 0x1234567, key1: int = 0x89ABCDEF01) -> int:
    data = np.frombuffer(b"xy" + octets + b"z", np.uint8).copy()
    return int(hashed(np.uint64(key0), np.uint64(key1), data, 2, len(octets)))


@given(st.binary(max_size=140), st.integers(0, MASK), st.integers(0, MASK))
def test_the_twin_agrees(octets: bytes, key0: int, key1: int) -> None:
    assert of(octets, key0, key1) == twin(key0, key1, octets)


@given(st.binary(min_size=1, max_size=140), st.integers(0, 139), st.integers(1, 255))
def test_one_changed_byte_changes_it(octets: bytes, place: int, change: int) -> None:
    place %= len(octets)
    other = octets[:place] + bytes([octets[place] ^ change]) + octets[place + 1 :]
    assert of(octets) != of(other)


@given(st.binary(max_size=40), st.integers(1, 8))
def test_length_counts(octets: bytes, more: int) -> None:
    assert of(octets) != of(octets + b"\0" * more)


def test_top_bits_do_not_cancel_out_without_the_keys() -> None:
    plain = bytearray(64)
    for lane in (16, 32, 48):
        for bits in ((1 << 63), (1 << 63 | 1 << 31)):
            other = bytearray(plain)
            other[7] ^= 0x80
            other[lane : lane + 8] = (int.from_bytes(other[lane : lane + 8], "little") ^ bits).to_bytes(8, "little")
            assert of(bytes(plain)) != of(bytes(other))
