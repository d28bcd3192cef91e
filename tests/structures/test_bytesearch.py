"""Searching and copying against Python's own bytes; every access past an end raises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, kernel
from sensor.structures.bytesearch import copy32, copy_bytes, find_byte, leading_zeros, load64, word_of


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


@kernel
def lane(data: Bytes, start: int, out: Bytes, position: int) -> None:
    copy32(data, start, out, position)


@kernel
def zeros_in_front(number: np.uint64) -> int:
    return leading_zeros(number)


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


@given(st.binary(min_size=32, max_size=70), st.integers(-3, 45), st.integers(-3, 45))
def test_32_bytes_are_copied_or_refused(content, start, position):
    source, out = array(content), np.zeros(64, np.uint8)
    if 0 <= start <= len(content) - 32 and 0 <= position <= 32:
        lane(source, start, out, position)
        assert out.tobytes() == bytes(position) + content[start : start + 32] + bytes(32 - position)
    else:
        with pytest.raises(IndexError):
            lane(source, start, out, position)
        assert not out.any()


@given(st.integers(0, 2**64 - 1), st.integers(0, 64))
def test_zeros_in_front_of_a_word(number, shift):
    assert zeros_in_front(np.uint64(number >> shift)) == 64 - (number >> shift).bit_length()
