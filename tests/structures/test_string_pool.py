"""Strings as codes: the same code for the same text, printable whatever the bytes, bounded, and forgotten when told."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor._jit import Bytes, kernel
from sensor.structures.string_pool import PoolTables, StringPool
from sensor.structures.string_pool_kernels import State, intern


@kernel
def code_of(pool: PoolTables, data: Bytes, length: int, scratch: Bytes) -> int:
    return intern(pool, data, 0, length, scratch)


def put(pool: StringPool, content: bytes) -> int:
    data = np.frombuffer(content or b"\0", np.uint8).copy()
    return int(code_of(pool.tables, data, len(content), np.zeros(4 * len(content) + 8, np.uint8)))


def shown(content: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}" for byte in content)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"GET", b"a" * 8, b"a" * 9, b"a" * 16])), max_size=30)
)
def test_equal_texts_have_equal_codes(contents: list[bytes]) -> None:
    pool = StringPool(256, 4_096)
    codes = [put(pool, content) for content in contents]
    assert [pool.text(code) for code in codes] == [shown(content) for content in contents]
    assert len(set(codes)) == len({shown(content) for content in contents})
    offsets, text = pool.gather(np.array(codes, np.uint32))
    assert text.tobytes() == "".join(map(shown, contents)).encode()
    assert offsets.tolist() == np.cumsum([0, *map(len, map(shown, contents))]).tolist()


def test_the_empty_text_is_0() -> None:
    assert put(StringPool(16, 64), b"") == 0


def test_what_finds_no_room_is_absent_and_counted() -> None:
    few, small = StringPool(4, 1_000), StringPool(1_000, 20)
    assert [put(few, bytes([65 + i])) > 0 for i in range(5)] == [True, True, True, False, False]
    assert [put(small, b"x" * 9 + bytes([65 + i])) > 0 for i in range(3)] == [True, True, False]
    assert (few.rejected, small.rejected) == (2, 1)
    assert put(few, b"A") > 0


def test_a_sweep_forgets_all_but_the_marked() -> None:
    pool = StringPool(64, 1_000)
    for round_ in range(200):
        codes = [put(pool, f"text {round_} {i}".encode()) for i in range(20)]
        kept = put(pool, b"kept")
        assert pool.text(kept) == "kept"
        assert all(codes)
        pool.tables.entries["mark"][kept] = 1
        pool.sweep()
        assert pool.tables.state[State.FREE] == 62
        assert put(pool, b"kept") == kept
    assert pool.rejected == 0
