"""Searching and copying against Python's own bytes; every access past an end raises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, kernel
from sensor.structures.bytesearch import copy_bytes, find_byte, load64, word_of


@kernel
def find(data: Bytes, start: int, stop: int, byte: int) -> int:
    return find_byte(data, start, stop, byte)


@kernel
def word(data: Bytes, start: int, length: int) -> np.uint64:
    return word_of(data, start, length)


@kernel
def wide(data: Bytes, start: int) -> np.uint64:
    return load64(data, start)


@kernel
def copy(data: Bytes, start: int, length: int, out: Bytes, position: int) -> None:
    copy_bytes(data, start, length, out, position)


def array(content: bytes) -> np.ndarray:
    return np.frombuffer(content or b"\0", np.uint8).copy()


@given(st.binary(max_size=120), st.integers(0, 120), st.integers(0, 255))
def test_find_is_pythons(content: bytes, start: int, byte: int) -> None:
    start = min(start, len(content))
    found = content.find(bytes([byte]), start)
    assert find(array(content), start, len(content), byte) == (found if found >= 0 else len(content))


@given(st.binary(min_size=9, max_size=40), st.integers(0, 8))
def test_words_are_little_endian(content: bytes, length: int) -> None:
    assert word(array(content), 1, length) == int.from_bytes(content[1 : 1 + length], "little")


@given(st.binary(min_size=1, max_size=60), st.data())
def test_copies(content: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, len(content) - start))
    out = np.zeros(80, np.uint8)
    copy(array(content), start, length, out, 7)
    assert out.tobytes() == bytes(7) + content[start : start + length] + bytes(80 - 7 - length)


@pytest.mark.parametrize("start", [-1, -8, 3, 10, 2**40, -(2**63), 2**63 - 1])
def test_wide_loads_past_an_end_raise(start: int) -> None:
    with pytest.raises(IndexError):
        wide(np.zeros(10, np.uint8), start)


@pytest.mark.parametrize(("start", "position"), [(-1, 0), (5, 0), (0, -1), (0, 5), (2**40, 0), (0, 2**40)])
def test_copies_past_an_end_raise(start: int, position: int) -> None:
    with pytest.raises(IndexError):
        copy(np.zeros(10, np.uint8), start, 8, np.zeros(10, np.uint8), position)


def test_searching_past_an_end_raises() -> None:
    with pytest.raises(IndexError):
        find(np.zeros(10, np.uint8), 0, 60, 1)
