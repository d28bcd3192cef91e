"""Masks of 64 bytes say of each byte what it is, wherever the bytes lie and however many are left."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, U64s, kernel
from sensor.detection.sensitive.masks import masks, number_begins

BODIES = st.text(alphabet='0123456789 -./,")(@AZaz{}:', max_size=150).map(str.encode)


@kernel
def all_masks(data: Bytes, start: int, stop: int, out: U64s) -> int:
    digits, joins, ats, quotes, uppers, width = masks(data, start, stop)
    out[0] = digits
    out[1] = joins
    out[2] = ats
    out[3] = quotes
    out[4] = uppers
    out[5] = number_begins(digits, joins, uppers, np.uint64(0), start + width < stop)
    return width


def bits(mask: int) -> set[int]:
    return {place for place in range(64) if mask >> place & 1}


@given(BODIES, st.integers(0, 70))
def test_each_bit_is_what_its_byte_is(body: bytes, before: int) -> None:
    data, out = np.frombuffer(b"7" * before + body + b"9", np.uint8).copy(), np.zeros(6, np.uint64)
    width = all_masks(data, before, before + len(body), out)
    assert width == min(len(body), 64)
    tests = (
        str.isdigit, lambda char: char < "0" and char not in ',"', "@".__eq__, '"'.__eq__, str.isupper,
    )  # fmt: skip
    for mask, is_so in zip(out[:5].tolist(), tests, strict=True):
        assert bits(mask) & set(range(width)) == {i for i in range(width) if is_so(chr(body[i]))}


@given(BODIES)
def test_no_long_number_is_passed_over(body: bytes) -> None:
    data, out = np.frombuffer(body + b"9", np.uint8).copy(), np.zeros(6, np.uint64)
    width = all_masks(data, 0, len(body), out)
    begins = bits(int(out[5]))
    for start in range(width):
        run = body[start : start + 7]
        if len(run) == 7 and run.isdigit() and not body[start - 1 : start].isdigit():
            assert start in begins
