"""Estimates of how many different things were seen stay near the truth, from none to a million."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, F64s, U64s, kernel
from sensor.structures.distinct import (
    BITS,
    FULL,
    REGISTERS,
    SKETCH,
    WORDS,
    P,
    is_new_bit,
    sketch_add,
    sketch_clear,
    sketch_count,
    weight_of_bit,
)


@kernel
def sketch_all(sketches: SKETCH, registers: Bytes, row: int, hashes: U64s) -> float:
    for hashed in hashes:
        sketch_add(sketches, registers, row, hashed)
    return sketch_count(sketches, row)


@kernel
def empty_sketch(sketches: SKETCH, registers: Bytes, row: int) -> None:
    sketch_clear(sketches, registers, row)


@kernel
def bitmap_all(words: U64s, base: int, hashes: U64s, counts: F64s) -> int:
    bits = 0
    for i in range(len(hashes)):
        if is_new_bit(words, base, hashes[i]):
            counts[i] = weight_of_bit(bits, BITS)
            bits += 1
    return bits


def hashes_of(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, np.uint64)


def tables(rows: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(rows, SKETCH), np.zeros(rows * REGISTERS, np.uint8)


@pytest.mark.parametrize("count", [0, 1, 10, 1_000, 5_000, 50_000, 1_000_000])
def test_a_sketch_is_within_four_standard_errors(count: int) -> None:
    sketches, registers = tables()
    assert sketch_all(sketches, registers, 1, hashes_of(count)) == pytest.approx(count, rel=4 * 1.04 / REGISTERS**0.5)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=300), st.randoms())
def test_the_sum_kept_along_is_that_of_the_registers(hashes: list[int], random: object) -> None:
    """A slow twin of the registers; the order and repeats do not matter, nor do neighbours."""
    sketches, registers = tables()
    once = sketch_all(sketches, registers, 1, np.array(hashes, np.uint64))
    twice = sketch_all(sketches, registers, 1, np.array(hashes[::-1], np.uint64))
    assert once == twice
    slow = np.zeros(REGISTERS, np.int64)
    for hashed in hashes:
        rest = hashed >> P
        rank = 1 if rest & 1 else min((rest & -rest).bit_length() if rest else 64, 64 - P)
        slow[hashed % REGISTERS] = max(slow[hashed % REGISTERS], rank)
    assert registers[REGISTERS : 2 * REGISTERS].tolist() == slow.tolist()
    assert sketches[1]["touched"] == (slow > 0).sum()
    assert sketches[1]["sum"] == pytest.approx((2.0 ** -slow[slow > 0]).sum())
    assert not registers[:REGISTERS].any()
    empty_sketch(sketches, registers, 1)
    assert not registers.any()
    assert sketches[1]["sum"] == 0


@pytest.mark.parametrize("count", [10, 500, 5_000, 30_000])
def test_a_bitmap_says_what_is_new(count: int) -> None:
    words, hashes = np.zeros(3 * WORDS, np.uint64), hashes_of(count)
    counts = np.zeros(count)
    bits = bitmap_all(words, WORDS, hashes, counts)
    assert bits < FULL
    assert counts.sum() == pytest.approx(count, rel=0.05)
    again = np.zeros(count)
    assert bitmap_all(words, WORDS, hashes, again) == 0
    assert not words[:WORDS].any()
    assert not words[2 * WORDS :].any()
