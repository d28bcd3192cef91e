"""Header compression against the hpack library: whatever its encoder writes is read, table and all; broken and mutated
blocks change nothing but what they must.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor._jit import Bytes, kernel
from sensor.protocols.http1.tables import TUNNELS
from sensor.protocols.http2.codes import HUFFMAN_FIRST, HUFFMAN_PLACE, HUFFMAN_SYMBOLS
from sensor.protocols.http2.hpack import read_block, reset_table
from sensor.protocols.http2.lines import write_head
from sensor.protocols.http2.tables import LARGE_RING, Http2Tables, Part, http2_tables
from sensor.schema import Anomaly


@kernel
def _reset(h: Http2Tables, lost: int) -> None:
    reset_table(h, 0, lost)


@kernel
def _read(h: Http2Tables, data: Bytes, stop: int) -> bool:
    return read_block(h, 0, data, 0, stop)


@kernel
def _head(h: Http2Tables, response: bool) -> int:
    return write_head(h, response)


class Reader:
    """One side's dynamic table, fed block by block."""

    def __init__(self, lost: bool = False) -> None:
        self.tables = http2_tables(TUNNELS)
        _reset(self.tables, int(lost))

    def read(self, block: bytes) -> bool:
        return bool(_read(self.tables, np.frombuffer(block + b"\0", np.uint8).copy(), len(block)))

    def head(self, response: bool = False) -> bytes:
        start = _head(self.tables, response)
        return self.tables.text[start : self.tables.parts[Part.LINES_END]].tobytes()

    @property
    def anomalies(self) -> set[str]:
        found = int(self.tables.parts[Part.ANOMALIES])
        return {str(flag.name).lower() for flag in Anomaly if found & flag}

    def table(self) -> list[tuple[bytes, bytes]]:
        """The dynamic table, newest entry first."""
        side: Any = self.tables.sides[0]
        mask = LARGE_RING // 32 - 1 if side["large"] else 127
        out = []
        for number in range(side["entries_next"] - 1, side["entries_first"] - 1, -1):
            entry = self.tables.entries[side["entries_at"] + (number & mask)]
            name = max(int(entry["name_len"]), 0)
            places = (np.arange(name + entry["value_len"]) + entry["start"]) & (side["table_room"] - 1)
            whole = self.tables.rings[side["bytes_at"] + places].tobytes()
            out.append((whole[:name], whole[name:]))
        return out


def written(fields: list[tuple[bytes, bytes]]) -> bytes:
    """The head that a request's fields should give, in plain Python."""
    pseudo = {name: value for name, value in fields if name.startswith(b":")}
    lines = [pseudo[b":method"] + b" " + pseudo[b":path"] + b" HTTP/2.0"]
    if pseudo.get(b":authority"):
        lines.append(b"host: " + pseudo[b":authority"])
    lines += [name + b": " + value for name, value in fields if name[:1] != b":" and name != b"cookie"]
    cookies = [value for name, value in fields if name == b"cookie"]
    if cookies:
        lines.append(b"cookie: " + b"; ".join(cookies))
    return b"\r\n".join([*lines, b"", b""])


NAMES = st.sampled_from([b"accept", b"x-request-id", b"authorization", b"cookie", b"user-agent", b"grpc-status"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60).map(str.encode)
FIELDS = st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=12)
PSEUDO = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"api.test:8080"), (b":path", b"/users/7")]


def test_the_huffman_code_is_the_rfcs() -> None:
    for symbol, (code, bits) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)):
        assert HUFFMAN_SYMBOLS[HUFFMAN_PLACE[bits] + code - HUFFMAN_FIRST[bits]] == symbol


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=8), st.booleans(), st.sampled_from([0, 64, 256, 4096, 16384, 65536]))
def test_blocks_as_a_library_writes_them(blocks: list[Any], huffman: bool, size: int) -> None:
    encoder, reader = Encoder(), Reader()
    encoder.header_table_size = size
    for fields in blocks:
        wanted = PSEUDO + [(name, value) for name, value, _ in fields]
        block = encoder.encode([*PSEUDO, *fields], huffman=huffman)
        assert reader.read(block)
        assert reader.head() == written(wanted)
        assert reader.table() == list(encoder.header_table.dynamic_entries)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_what_the_library_gives(block: bytes) -> None:
    """Where the library finds fields, the same dynamic table is found; where it finds a fault, so is one here, unless
    nothing but a limit of its own was passed.
    """
    reader, decoder = Reader(), Decoder()
    decoder.max_allowed_table_size = 1 << 28
    good = reader.read(block)
    try:
        decoder.decode(block, raw=True)
    except (HPACKError, UnicodeDecodeError):
        return
    assert good
    if decoder.header_table_size <= LARGE_RING:
        assert reader.table() == list(decoder.header_table.dynamic_entries)


@pytest.mark.parametrize("seed", range(20))
def test_mutated_blocks_never_raise(seed: int) -> None:
    chance, encoder, reader = random.Random(seed), Encoder(), Reader()
    for turn in range(50):
        fields = [*PSEUDO, (b"x-request-id", str(turn).encode() * chance.randrange(1, 30)), (b"accept", b"*/*")]
        block = bytearray(encoder.encode(fields, huffman=chance.random() < 0.5))
        for _ in range(chance.randrange(4)):
            block[chance.randrange(len(block))] = chance.randrange(256)
        reader.read(bytes(block[: chance.randrange(len(block) + 1)]) if chance.random() < 0.2 else bytes(block))
        reader.head()
        side = reader.tables.sides[0]
        assert 0 <= side["table_size"] <= side["table_room"]


def test_after_a_loss_what_comes_new_is_known_and_the_rest_left_out() -> None:
    encoder, reader = Encoder(), Reader(lost=True)
    encoder.encode([*PSEUDO, (b"x-old", b"1")])  # not seen
    assert reader.read(encoder.encode([*PSEUDO, (b"x-old", b"1"), (b"x-new", b"2")]))
    unknown = int(reader.tables.parts[Part.UNKNOWN])
    assert unknown == 3  # :authority, :path and x-old are entries of the block that was lost
    assert b"x-new: 2" in reader.head()
    assert b"x-old" not in reader.head()
    assert reader.read(encoder.encode([(b":method", b"PUT"), (b"x-new", b"2")]))
    assert reader.tables.parts[Part.UNKNOWN] == 0
    assert b"x-new: 2" in reader.head()


def test_a_name_that_is_not_known_takes_its_place_in_the_table() -> None:
    encoder, reader = Encoder(), Reader(lost=True)
    encoder.encode([(b"x-old", b"1")])
    assert reader.read(encoder.encode([(b"x-old", b"2"), (b"x-new", b"3")]))
    assert reader.table() == [(b"x-new", b"3"), (b"", b"2")]
    assert reader.read(encoder.encode([(b"x-old", b"2"), (b"x-new", b"3")]))
    assert reader.tables.parts[Part.UNKNOWN] == 1


def test_line_ends_in_values_make_no_lines() -> None:
    reader = Reader()
    reader.read(Encoder().encode([*PSEUDO, (b"x-a", b"1\r\nhost: evil"), (b"x-B", b"2")]))
    assert b"x-a: 1  host: evil\r\n" in reader.head()
    assert reader.anomalies == {"header_invalid"}


@pytest.mark.parametrize("name", [b"transfer-encoding", b"connection", b"upgrade", b"keep-alive", b"proxy-connection"])
def test_header_fields_of_http_1_are_noted(name: bytes) -> None:
    reader = Reader()
    reader.read(Encoder().encode([*PSEUDO, (name, b"chunked")]))
    assert reader.anomalies == {"header_forbidden"}


def test_a_bomb_is_given_up() -> None:
    encoder, reader = Encoder(), Reader()
    assert reader.read(encoder.encode([(b"x-a", b"y" * 4000)], huffman=False))
    assert not reader.read(b"\xbe" * 60_000)
    assert reader.tables.parts[Part.DECODED] < 300_000


def test_large_tables_run_out_one_by_one_and_come_back() -> None:
    reader = Reader()
    encoder = Encoder()
    encoder.header_table_size = LARGE_RING
    free = int(reader.tables.parts[Part.LARGE_FREE])
    reader.read(encoder.encode(PSEUDO))
    assert reader.tables.parts[Part.LARGE_FREE] == free - 1
    _reset(reader.tables, 0)
    assert reader.tables.parts[Part.LARGE_FREE] == free
