"""Addresses, connection names, fingerprints and histories as text, against Python's own."""

import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor._jit import Bytes, kernel
from sensor.export import held_kernels, texts
from sensor.schema import HISTORY_LETTERS
from tests.oracles.export import address, base62

words = st.integers(0, 2**64 - 1)
LETTERS = np.frombuffer(HISTORY_LETTERS.encode(), np.uint8).copy()


@kernel
def fingerprint(word: np.uint64, data: Bytes) -> int:
    return texts.put_hex(data, 1, word)


@kernel
def put_address(hi: np.uint64, lo: np.uint64, data: Bytes) -> int:
    return texts.put_address(data, 3, hi, lo)


@kernel
def put_uid(hi: np.uint64, lo: np.uint64, data: Bytes) -> int:
    return texts.put_uid(data, 3, hi, lo)


@kernel
def put_history(low: np.uint64, high: np.uint64, letters: Bytes, data: Bytes) -> int:
    return texts.put_history(data, 0, low, high, letters)


def made(put, bytes_max, *columns):
    """What `put` makes of each row of the columns, behind a few bytes that were there before."""
    found = []
    for hi, lo in zip(*columns, strict=True):
        data = np.zeros(3 + bytes_max, np.uint8)
        end = put(np.uint64(hi), np.uint64(lo), data)
        found.append(data[3:end].tobytes().decode())
    return found


sparse = st.lists(st.sampled_from([0, 0, 1, 0xFF, 0x1000, 0xFFFF]), min_size=8, max_size=8)


@given(st.lists(sparse, min_size=1, max_size=20))
@settings(deadline=None)
def test_ipv6_is_written_as_rfc_5952_has_it(many):
    numbers = [sum(group << 16 * (7 - i) for i, group in enumerate(groups)) for groups in many]
    halves = [(number >> 64, number & (2**64 - 1)) for number in numbers]
    found = made(put_address, texts.ADDRESS_BYTES, *zip(*halves, strict=True))
    assert found == [address(*half) for half in halves]


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1))
@settings(deadline=None)
def test_ipv4_is_dotted_decimal(numbers):
    found = made(put_address, texts.ADDRESS_BYTES, [0] * len(numbers), [0xFFFF << 32 | n for n in numbers])
    assert found == [str(ipaddress.IPv4Address(number)) for number in numbers]


def test_the_longest_address_fits():
    text = "1234:5678:9abc:def0:1234:5678:9abc:def0"
    number = int(ipaddress.IPv6Address(text))
    assert made(put_address, texts.ADDRESS_BYTES, [number >> 64], [number & (2**64 - 1)]) == [text]
    assert len(text) == texts.ADDRESS_BYTES


@given(st.lists(st.tuples(words, words), min_size=1))
@settings(deadline=None)
def test_connection_names(many):
    found = made(put_uid, texts.UID_BYTES, *zip(*many, strict=True))
    assert found == ["C" + base62(hi) + base62(lo) for hi, lo in many]


@given(words)
@settings(deadline=None)
def test_fingerprints(word):
    data = np.zeros(1 + texts.HEX_BYTES, np.uint8)
    assert fingerprint(np.uint64(word), data) == len(data)
    assert data[1:].tobytes().decode() == f"{word:016x}"


@given(st.lists(st.integers(0, len(HISTORY_LETTERS) - 1), max_size=24))
@settings(deadline=None)
def test_history(letters):
    low = sum((letter + 1) << 5 * i for i, letter in enumerate(letters[:12]))
    high = sum((letter + 1) << 5 * i for i, letter in enumerate(letters[12:]))
    data = np.zeros(texts.HISTORY_BYTES, np.uint8)
    end = put_history(np.uint64(low), np.uint64(high), LETTERS, data)
    assert data[:end].tobytes().decode() == "".join(HISTORY_LETTERS[letter] for letter in letters)


@given(words, words)
@settings(deadline=None)
def test_a_history_of_any_bits_is_only_letters(low, high):
    data = np.zeros(texts.HISTORY_BYTES, np.uint8)
    end = put_history(np.uint64(low), np.uint64(high), LETTERS, data)
    assert set(data[:end].tobytes().decode()) <= set(HISTORY_LETTERS)


@pytest.mark.parametrize(("escape", "expected"), [(True, b'\\"a\\\\b\\"'), (False, b'"a\\b"')])
def test_quotes_and_backslashes_are_escaped_for_json(escape, expected):
    source = np.frombuffer(b'"a\\b"', np.uint8).copy()
    offsets, data = np.zeros(2, np.int64), np.zeros(10, np.uint8)
    end = held_kernels.append_texts(np.array([0, 5]), source, 1, offsets, data, 0, 0, escape)
    assert data[:end].tobytes() == expected
