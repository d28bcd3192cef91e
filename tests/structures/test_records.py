"""Rows moved as bytes are the rows that numpy moves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor.schema import STREAM, TRANSACTION
from sensor.structures.records import copied, joined, picked, put


def table(seed: int, rows: int, dtype: np.dtype) -> np.ndarray:
    made = np.zeros(rows, dtype)
    for name in dtype.names or ():
        made[name] = np.random.default_rng(seed).integers(0, 100, made[name].shape)
    return made


@given(st.integers(0, 99), st.lists(st.integers(0, 6)), st.lists(st.booleans(), min_size=7, max_size=7))
def test_rows_are_those_of_numpy(seed: int, numbers: list[int], mask: list[bool]) -> None:
    one, other = table(seed, 7, TRANSACTION), table(seed + 1, 3, TRANSACTION)
    for rows in (np.array(numbers, np.int32), np.array(mask)):
        assert picked(one, rows).tolist() == one[rows].tolist()
    assert copied(one).tolist() == one.tolist()
    assert joined([one, other]).tolist() == one.tolist() + other.tolist()
    put(one[:3], other)
    assert one[:3].tolist() == other.tolist()


def test_pairs_of_rows_and_rows_between_others() -> None:
    streams = table(1, 8, STREAM)
    assert picked(streams.reshape(-1, 2), np.array([2, 0])).tolist() == streams.reshape(-1, 2)[[2, 0]].tolist()
    assert copied(streams[1::2]).tolist() == streams[1::2].tolist()


def test_a_copy_is_its_own() -> None:
    one = np.zeros(2, STREAM)
    copied(one)["packets"] = 1
    joined([one])["packets"] = 1
    assert not one["packets"].any()
