"""What is kept of messages: heads as they were sent, bodies without chunk framing, as far as somebody wants them.

The law: what a row of the contents holds does not depend on segments, batches or what else is open.
"""

from __future__ import annotations

import gzip
import random

import pytest

from sensor.config import ProtocolSettings
from sensor.schema import Coding, ContentFlag, Wanted
from tests.protocols.http1.messages import OK, chunked, request, response, talk, told
from tests.traffic import MS, Row, Talk, doubled, lossy, merged, observe, without

ALL = Wanted(True, 65_536, True, 65_536)
CHUNKED = "Transfer-Encoding: chunked"
BODY = bytes(range(256)) * 40


def kept(*turns: bytes, wanted: Wanted = ALL, **given: object) -> list[Row]:
    return told(*turns, wanted=wanted, **given).contents


@pytest.mark.parametrize("mss", [1, 7, 1_460])
@pytest.mark.parametrize("batch", [1, 3, 0])
def test_heads_and_bodies(mss: int, batch: int) -> None:
    body = b'{"a": 1}'
    asked = request("/a?b=1", "X-One: 1", method="POST", body=body)
    answered = response(b"first", "X-Two: 2")
    (row,) = kept(asked, answered, mss=mss, batch=batch)
    assert row["request_head"] + row["request_body"] == asked
    assert row["response_head"] + row["response_body"] == answered
    assert (row["request_body"], row["response_body"], row["flags"]) == (body, b"first", 0)


@pytest.mark.parametrize("mss", [1, 1_460])
@pytest.mark.parametrize("batch", [2, 0])
def test_chunks_are_put_together(mss: int, batch: int) -> None:
    parts = [BODY[:10], BODY[10:3_000], BODY[3_000:]]
    answered = response(b"", CHUNKED, length=False) + chunked(*parts, trailers=("X: y",))
    (row,) = kept(request("/a", CHUNKED, method="PUT") + chunked(*parts), answered, mss=mss, batch=batch)
    assert row["request_body"] == row["response_body"] == BODY
    assert row["flags"] == 0


def test_a_body_up_to_the_end_of_the_stream() -> None:
    (row,) = kept(request("/a"), response(BODY, length=False), mss=100, batch=5)
    assert row["response_body"] == BODY


@pytest.mark.parametrize("length", [True, False])
def test_bodies_are_cut_where_nobody_wants_more(length: bool) -> None:
    wanted = Wanted(True, 100, True, 300)
    (row,) = kept(request("/a", method="POST", body=BODY), response(BODY, length=length), wanted=wanted)
    assert (row["request_body"], row["response_body"]) == (BODY[:100], BODY[:300])
    assert row["flags"] == ContentFlag.REQUEST_CUT | ContentFlag.RESPONSE_CUT


def test_the_settings_bound_what_is_kept() -> None:
    settings = ProtocolSettings(request_body_bytes=5, response_body_bytes=0)
    (row,) = kept(request("/a", method="POST", body=BODY), response(BODY), protocols=settings)
    assert (row["request_body"], row["response_body"]) == (BODY[:5], b"")


def test_nothing_is_kept_unless_it_is_wanted() -> None:
    (row,) = kept(request("/a", method="POST", body=BODY), OK, wanted=Wanted())
    assert not any(row[name] for name in ("request_head", "request_body", "response_head", "response_body"))
    (row,) = kept(request("/a", method="POST", body=b"abc"), OK, wanted=Wanted(request_body=10))
    assert (row["request_head"], row["request_body"], row["response_head"]) == (b"", b"abc", b"")


@pytest.mark.parametrize("kind", ["image/png", "video/mp4", "Audio/mpeg", "font/woff2"])
def test_pictures_and_sound_are_not_kept(kind: str) -> None:
    (row,) = kept(request("/a"), response(BODY, f"Content-Type: {kind}"))
    assert row["response_body"] == b""
    assert row["flags"] == ContentFlag.RESPONSE_CUT


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip", [Coding.GZIP]),
        ("X-GZIP", [Coding.GZIP]),
        ("deflate, br", [Coding.DEFLATE, Coding.BROTLI]),
        ("identity", []),
        ("zstd,identity", [Coding.ZSTD]),
        ("compress", [Coding.UNKNOWN]),
        ("gzip,gzip,gzip,gzip,gzip", [Coding.UNKNOWN]),
    ],
)
def test_codings(header: str, coding: list[Coding]) -> None:
    (row,) = kept(request("/a"), response(b"body", f"Content-Encoding: {header}"))
    assert row["response_coding"] == sum(layer << 4 * i for i, layer in enumerate(coding))
    assert bool(row["flags"] & ContentFlag.RESPONSE_CODED) == bool(coding)


def test_bodies_go_on_behind_a_gap_unless_they_are_coded() -> None:
    answered = response(BODY)
    lost = without(talk(request("/a"), answered, mss=1_000).packets, 6)
    (row,) = observe(lost, wanted=ALL).contents
    head = len(answered) - len(BODY)
    assert row["response_body"] == BODY[: 2_000 - head] + BODY[3_000 - head :]
    assert row["flags"] & ContentFlag.RESPONSE_GAP
    body = random.Random(3).randbytes(5_000)
    coded = without(talk(request("/a"), response(gzip.compress(body), "Content-Encoding: gzip"), mss=1_000).packets, 6)
    (row,) = observe(coded, wanted=ALL).contents
    assert body.startswith(row["response_body"])
    assert 1_500 < len(row["response_body"]) < 2_000


def test_a_response_that_waited_for_its_request_keeps_its_body() -> None:
    packets = talk(request("/a", method="POST", body=BODY), response(BODY), mss=1_000).packets
    late = [*packets[:4], *packets[5:], packets[4]]  # the request's second segment comes last
    for batch in (1, 0):
        (row,) = observe(late, wanted=ALL, batch=batch).contents
        assert row["response_body"] == BODY


def busy(chance: random.Random) -> list[Talk]:
    """Connections that overlap, some of which are slow, with bodies of every size."""
    talks = []
    for number in range(60):
        conversation = Talk(source_port=30_000 + number, start=10**18 + number * MS, step=chance.choice((MS, 50 * MS)))
        conversation.open()
        for _ in range(chance.randrange(1, 5)):
            body = chance.randbytes(chance.choice((0, 3, 700, 5_000, 70_000)))
            if chance.random() < 0.5:
                conversation.client(request(f"/{number}", method="POST", body=body))
            else:
                head = request(f"/{number}", CHUNKED, method="POST")
                conversation.client(head + chunked(body[:99] + b".", body + b"."))
            if chance.random() < 0.9:
                conversation.server(response(body[::-1]))
        talks.append(conversation.close())
    return talks


@pytest.mark.parametrize("mirror", ["whole", "lossy", "doubled"])
def test_batches_do_not_matter(mirror: str) -> None:
    packets = merged(*(conversation.packets for conversation in busy(random.Random(5))))
    if mirror == "lossy":
        packets = lossy(packets, 0.02, random.Random(6))
    elif mirror == "doubled":
        packets = doubled(packets)
    whole = observe(packets, wanted=ALL)
    assert whole.protocols["extents_exhausted"] == 0
    for batch in (1, 37, 500):
        assert observe(packets, wanted=ALL, batch=batch).contents == whole.contents
    if mirror == "whole":
        for row, content in zip(whole.transactions, whole.contents, strict=True):
            assert len(content["request_body"]) == min(row["request_body_len"], 65_536)
            assert f" /{row['client_port'] - 30_000} HTTP" in content["request_head"].decode()


def test_room_that_is_not_to_be_had_costs_the_bytes_alone() -> None:
    """Requests that stay open while batch after batch goes by take all extents there are for their size, and larger."""
    asked = request("/a", method="POST", body=b"x" * 40_000)
    packets = [
        packet
        for number in range(60)
        for packet in Talk(source=f"10.1.{number}.1", start=10**18 + number).open().client(asked * 8).packets
    ]
    outcome = observe(sorted(packets, key=lambda packet: packet.ts), wanted=ALL, batch=2_000)
    assert len(outcome.transactions) == 480
    assert outcome.protocols["extents_exhausted"] > 0
    assert {len(row["request_body"]) for row in outcome.contents} == {0, 40_000}
    assert all(row["request_body"] or row["flags"] & ContentFlag.REQUEST_CUT for row in outcome.contents)
