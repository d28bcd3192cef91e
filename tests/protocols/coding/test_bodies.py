"""Coded bodies: what they hold, wherever they are cut, whatever they are, and not more than there is room and time for.

The law: a coded body tells detectors what the same body would in plain.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import zlib

import brotli
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.config import ProtocolSettings
from sensor.limits import BODY_BYTES_MAX
from sensor.protocols.coding.decoders import decoders
from sensor.schema import Coding, ContentFlag, Wanted
from tests.protocols.http1.messages import chunked, request, response, talk, told
from tests.traffic import Row, observe

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ALL = Wanted(True, 65_536, True, 65_536)
DECODERS = decoders()
ROWS = [{"id": i, "name": f"name {i}"} for i in range(300)]
JSON = json.dumps(ROWS).encode()


def bare_deflate(content: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(content) + coder.flush()


CODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


def kept(coded: bytes, coding: str, *headers: str, wanted: Wanted = ALL, **given: object) -> Row:
    """What was kept of an exchange whose response has this body."""
    answered = response(coded, f"Content-Encoding: {coding}", *headers)
    (row,) = told(request("/a"), answered, wanted=wanted, **given).contents
    return row


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("mss", [7, 1_460])
def test_each_coding(coding: str, mss: int) -> None:
    row = kept(CODERS[coding](JSON), coding, mss=mss, batch=50)
    assert row["response_body"] == JSON
    assert row["flags"] == 0


def test_bare_deflate_and_several_gzip_members() -> None:
    assert kept(bare_deflate(JSON), "deflate")["response_body"] == JSON
    assert kept(gzip.compress(JSON[:500]) + gzip.compress(JSON[500:]), "gzip")["response_body"] == JSON


def test_codings_of_codings_and_chunks() -> None:
    coded = brotli.compress(zlib.compress(gzip.compress(JSON)))
    assert kept(coded, "gzip, deflate, br")["response_body"] == JSON
    answered = response(b"", "Content-Encoding: gzip", "Transfer-Encoding: chunked", length=False)
    answered += chunked(*[gzip.compress(JSON)[i : i + 100] for i in range(0, len(gzip.compress(JSON)), 100)])
    (row,) = told(request("/a"), answered, wanted=ALL).contents
    assert row["response_body"] == JSON


def test_requests_are_decoded_too() -> None:
    asked = request("/a", "Content-Encoding: gzip", method="POST", body=gzip.compress(JSON))
    (row,) = told(asked, response(b""), wanted=ALL).contents
    assert row["request_body"] == JSON


@pytest.mark.parametrize("coding", CODERS)
def test_a_body_that_was_lost_in_part_gives_what_it_holds(coding: str) -> None:
    body = random.Random(1).randbytes(4_000).hex().encode()
    packets = talk(request("/a"), response(CODERS[coding](body), f"Content-Encoding: {coding}"), mss=500).packets
    (row,) = observe([*packets[:7], *packets[8:]], wanted=ALL).contents
    assert row["flags"] & ContentFlag.RESPONSE_GAP
    assert row["flags"] & ContentFlag.RESPONSE_CUT
    assert len(row["response_body"]) > 200 or coding in ("br", "zstd")  # these tell nothing before a block is whole
    assert body.startswith(row["response_body"])


def test_no_more_is_kept_than_is_wanted() -> None:
    row = kept(gzip.compress(JSON), "gzip", wanted=Wanted(True, 0, True, 1_000))
    assert row["response_body"] == JSON[:1_000]
    assert row["flags"] == ContentFlag.RESPONSE_CUT


@pytest.mark.parametrize("coding", ["compress", "gzip, compress", "gzip,gzip,gzip,gzip,gzip"])
def test_what_nobody_can_decode_is_left_out_and_counted(coding: str) -> None:
    row = kept(b"whatever", coding)
    assert row["response_body"] == b""
    assert row["flags"] & ContentFlag.RESPONSE_CODED


def test_damaged_bodies_keep_their_flag() -> None:
    coded = bytearray(gzip.compress(random.Random(2).randbytes(3_000)))
    coded[1_500] ^= 0xFF
    row = kept(b"not gzip at all", "gzip")
    assert (row["response_body"], row["flags"]) == (b"", ContentFlag.RESPONSE_CODED | ContentFlag.RESPONSE_CUT)


# --- records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("wanted", [Wanted(), ALL])
def test_records_of_coded_bodies_are_counted_whoever_wants_them(coding: str, wanted: Wanted) -> None:
    answered = response(CODERS[coding](JSON), f"Content-Encoding: {coding}", "Content-Type: application/json")
    assert told(request("/a"), answered, wanted=wanted).only["records"] == len(ROWS)


def test_records_beyond_what_is_decoded_go_by_length() -> None:
    chance = random.Random(3)
    rows = [{"id": i, "key": chance.randbytes(30).hex()} for i in range(20_000)]
    answered = response(gzip.compress(json.dumps(rows).encode()), "Content-Encoding: gzip", "Content-Type: text/json")
    assert told(request("/a"), answered).only["records"] == pytest.approx(20_000, rel=0.05)


# --- bombs, budgets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bomb",
    [
        ("gzip", gzip.compress(bytes(20 << 20))),
        ("br", brotli.compress(bytes(20 << 20))),
        ("zstd", zstd.compress(bytes(20 << 20))),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(64 << 20)))),
    ],
    ids=lambda bomb: bomb[0],
)
@pytest.mark.parametrize("wanted", [4_096, 65_536])
def test_bombs(bomb: tuple[str, bytes], wanted: int) -> None:
    coding, coded = bomb
    answered = response(coded, f"Content-Encoding: {coding}")
    outcome = told(request("/a"), answered, wanted=Wanted(True, 0, True, wanted))
    assert outcome.contents[0]["flags"] & ContentFlag.RESPONSE_BOMB
    assert "response_bomb" in outcome.only["anomalies"]
    assert len(outcome.contents[0]["response_body"]) <= wanted


@pytest.mark.parametrize("body", [JSON * 20, bytes(200_000), b'{"a":0},' * 50_000])
def test_what_compresses_well_is_no_bomb(body: bytes) -> None:
    assert not kept(gzip.compress(body), "gzip")["flags"] & ContentFlag.RESPONSE_BOMB


def many(count: int) -> list[bytes]:
    body = gzip.compress(random.Random(4).randbytes(20_000).hex().encode())
    answered = response(body, "Content-Encoding: gzip")
    return [turn for number in range(count) for turn in (request(f"/{number}"), answered)]


def test_a_budget_bounds_the_work_whatever_the_batches() -> None:
    packets = talk(*many(400), mss=30_000, step=1_000).packets
    settings = ProtocolSettings(decoding_ms_per_second=10.0)
    whole = observe(packets, wanted=ALL, protocols=settings).contents
    done = sum(len(row["response_body"]) > 0 for row in whole)
    assert 30 < done < 350
    for batch in (1, 333):
        assert observe(packets, wanted=ALL, protocols=settings, batch=batch).contents == whole


def test_what_is_left_out_has_the_records_of_its_endpoint() -> None:
    body = gzip.compress(JSON * 3)
    answered = response(body, "Content-Encoding: gzip", "Content-Type: application/json")
    turns = [turn for number in range(900) for turn in (request(f"/{number}"), answered)]
    outcome = observe(talk(*turns, mss=30_000, step=1_000).packets)
    assert outcome.contents[-1]["flags"] & ContentFlag.RESPONSE_CODED
    assert {row["records"] for row in outcome.transactions} == {900}


def test_time_fills_the_budget_again() -> None:
    packets = talk(*many(400), mss=30_000, step=100_000_000).packets
    assert all(row["response_body"] for row in observe(packets, wanted=ALL).contents)


def test_no_budget_no_decoding() -> None:
    row = kept(gzip.compress(JSON), "gzip", protocols=ProtocolSettings(decoding_ms_per_second=0))
    assert (row["response_body"], row["flags"] & ContentFlag.RESPONSE_CODED) == (b"", ContentFlag.RESPONSE_CODED)


def test_many_bodies_of_a_batch_find_room() -> None:
    body = gzip.compress(random.Random(5).randbytes(BODY_BYTES_MAX // 2).hex().encode())
    asked = [turn for number in range(90) for turn in (request("/a"), response(body, "Content-Encoding: gzip"))]
    outcome = observe(talk(*asked, mss=30_000, step=50_000_000).packets, wanted=ALL)
    assert [len(row["response_body"]) for row in outcome.contents] == [BODY_BYTES_MAX] * 90


# --- the decoders alone ----------------------------------------------------------------------------------------------

RAW = {Coding.GZIP: gzip.compress, Coding.DEFLATE: zlib.compress, Coding.BROTLI: brotli.compress}
RAW[Coding.ZSTD] = zstd.compress


@pytest.mark.parametrize("coding", RAW)
@given(content=st.binary(max_size=3_000), cut=st.integers(0, 3_100), limit=st.integers(1, 4_000))
def test_never_more_than_asked_for_and_nothing_else(coding: Coding, content: bytes, cut: int, limit: int) -> None:
    plain = DECODERS[coding](RAW[coding](content)[:cut], limit)
    assert content[:limit].startswith(plain.content)
    assert plain.sound
    whole = DECODERS[coding](RAW[coding](content), len(content) + 1)
    assert (whole.content, whole.used) == (content, len(RAW[coding](content)))


@pytest.mark.parametrize("coding", RAW)
@given(coded=st.binary(max_size=500), limit=st.integers(1, 500), prefix=st.integers(0, 40))
def test_any_bytes(coding: Coding, coded: bytes, limit: int, prefix: int) -> None:
    plain = DECODERS[coding](RAW[coding](b"some text " * 20)[:prefix] + coded, limit)
    assert len(plain.content) <= limit
    assert 0 <= plain.used <= prefix + len(coded)


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_an_answer_to_a_login_is_read_though_it_is_coded(coding: str) -> None:
    kind = "Content-Type: application/json"
    asked = request("/login", kind, method="POST", body=b'{"username": "bob", "password": "x"}')
    for answered, refused in ((b'{"error": "invalid credentials"}', True), (b'{"token": "abcdefghij"}', False)):
        row = told(asked, response(CODERS[coding](answered), kind, f"Content-Encoding: {coding}"), wanted=ALL).only
        assert (row["login_failed"], row["issued"] != 0) == (refused, not refused)
    answered = response(CODERS[coding](b'{"token": "abcdefghij"}'), kind, f"Content-Encoding: {coding}")
    assert told(request("/a"), answered, wanted=ALL).only["issued"] == 0


def test_one_body_counts_the_same_coded_and_plain() -> None:
    for document in (b"[]", b"{}", b'{"a": [{"b": 1}, {"c": [{}]}]}', b"[1, 2]", JSON):
        plain = told(request("/a"), response(document, "Content-Type: application/json")).only["records"]
        answered = response(gzip.compress(document), "Content-Type: application/json", "Content-Encoding: gzip")
        assert told(request("/a"), answered).only["records"] == plain
    assert np.isscalar(plain)
