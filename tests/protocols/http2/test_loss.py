"""What a mirror does to HTTP/2: lost bytes, late starts, one direction only, attacks. Nothing is paired wrongly."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.http2.dialogue import Dialogue, facts, frame, grpc
from tests.traffic import Talk, lossy, observe, one_way, without

JSON = ("content-type", "application/json")


def numbered(count: int = 12, size: int = 3_000) -> Dialogue:
    """Requests whose answers say which request they are for: status 400 + i, body i * 10 bytes, type t/i."""
    talk = Dialogue()
    for first in range(0, count, 3):
        streams = [talk.ask(f"/n/x{i}", b"q" * i, ("user-agent", f"agent-{i}")) for i in range(first, first + 3)]
        for i, stream in reversed(list(enumerate(streams, first))):
            talk.answer(stream, 400 + i, b"a" * (size + i), ("content-type", f"t/{i}"), ("etag", "same"))
    return talk


TALK = numbered()


def test_a_loss_inside_a_body_costs_nothing_but_the_bytes() -> None:
    talk = Dialogue()
    talk.answer(talk.ask("/a"), 200, b"x" * 10_000, ("etag", "e"))
    talk.answer(talk.ask("/b"), 200, b"y", ("etag", "e"))
    packets = talk.packets()
    (middle,) = [i for i, packet in enumerate(packets) if len(packet.payload) == 1_460][3:4]
    first, second = facts(observe(without(packets, middle)).transactions)
    assert (first["response_body_len"], first["response_body_max"]) == (10_000, 10_000)
    assert first["anomalies"] == {"response_gap"}
    assert (second["uri"], second["status_code"], second["complete"]) == ("/b", 200, True)


def test_behind_a_lost_header_block_the_unknown_is_left_out() -> None:
    talk = Dialogue()
    for path in ("/a", "/b", "/c"):
        talk.answer(talk.ask(path, b"", ("user-agent", "probe/1"), ("x-only", path)), 200, b"", ("etag", "e"))
    packets = talk.packets()
    (lost,) = [i for i, packet in enumerate(packets) if packet.payload[3:5] == b"\1\5" and packet.sport == 40_000][:1]
    rows = observe(without(packets, lost)).transactions
    missing, *rest = facts(rows)
    assert (missing["status_code"], missing["anomalies"] >= {"request_missing"}) == (200, True)
    assert [row["uri"] for row in rest] == ["/b", "/c"]
    assert rest[0]["user_agent"] == ""
    assert "hpack_lost" in rest[0]["anomalies"]
    assert [row["status_code"] for row in rest] == [200, 200]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.4]))
def test_whatever_is_lost_nothing_is_paired_wrongly(seed: int, share: float) -> None:
    packets = lossy(TALK.packets(mss=700), share, random.Random(seed))
    for row in observe(packets).transactions:
        if row["uri"] and row["status_code"]:
            i = int(row["uri"][4:])
            assert row["status_code"] == 400 + i
            assert row["response_content_type"] in ("", f"t/{i}")
            assert row["user_agent"] in ("", f"agent-{i}")
            assert row["response_body_len"] <= 3_000 + i
            assert row["response_body_max"] < 0 or row["response_body_max"] >= 3_000 + i
            assert row["request_body_len"] <= i
            assert row["request_body_max"] < 0 or row["request_body_max"] >= i


@pytest.mark.parametrize("skip", range(3, 30, 3))
def test_a_late_start(skip: int) -> None:
    """The capture begins midway: new streams are found from the next frame on, and who asks."""
    packets = TALK.packets()[skip:]
    rows = [row for row in observe(packets).transactions if row["status_code"] and row["uri"]]
    assert len(rows) >= 3
    for row in rows:
        assert row["status_code"] == 400 + int(row["uri"][4:])
        assert row["client_port"] == 40_000


@pytest.mark.parametrize("skip", [0, 5, 11])
def test_requests_only(skip: int) -> None:
    packets = one_way(TALK.packets(), 0)[skip:]
    rows = observe(packets).transactions
    assert rows
    assert all("response_missing" in row["anomalies"] for row in rows)
    if not skip:
        assert [row["uri"] for row in facts(rows)] == [f"/n/x{i}" for i in range(12)]


@pytest.mark.parametrize("skip", [0, 5])
def test_answers_only(skip: int) -> None:
    rows = observe(one_way(TALK.packets(), 1)[skip:]).transactions
    assert rows
    assert all("request_missing" in row["anomalies"] for row in rows)
    if not skip:
        assert sorted(row["status_code"] for row in rows) == list(range(400, 412))
        assert all(row["response_body_len"] == 2_600 + row["status_code"] for row in rows)


def test_answers_wait_for_requests_that_come_late() -> None:
    """The client's packet is seen after the answer to it: a mirror of two links does that."""
    packets = Dialogue.packets(numbered(3, 20))
    asks = [i for i, packet in enumerate(packets) if packet.sport == 40_000 and packet.payload[3:4] == b"\1"]
    late = packets[: asks[0]] + [p for i, p in enumerate(packets[asks[0] :]) if p.sport != 40_000 or not p.payload]
    late = late[:-3] + [p for p in packets if p.sport == 40_000 and p.payload and p not in late] + late[-3:]
    rows = observe(late).transactions
    for row in rows:
        if row["uri"] and row["status_code"]:
            assert row["status_code"] == 400 + int(row["uri"][4:])


# --- attacks --------------------------------------------------------------------------------------------------------


def test_a_continuation_flood_is_one_row_and_bounded() -> None:
    talk = Dialogue()
    stream = talk.ends[0].get_next_available_stream_id()
    fields = [(":method", "GET"), (":path", "/f"), (":scheme", "http"), (":authority", "x")]
    talk.raw(0, frame(1, 1, stream, talk.ends[0].encoder.encode(fields)))
    for i in range(300):
        talk.raw(0, frame(9, 0, stream, b"\0\4x-%02d\1y" % (i % 100)))
    row = talk.only
    assert row["uri"] == "/f"
    assert "continuation_flood" in row["anomalies"]


def test_a_flood_of_empty_continuations() -> None:
    talk = Dialogue()
    stream = talk.ends[0].get_next_available_stream_id()
    block = talk.ends[0].encoder.encode([(":method", "GET"), (":path", "/f"), (":scheme", "http")])
    talk.raw(0, frame(1, 1, stream, block) + frame(9, 0, stream) * 5_000)
    assert "continuation_flood" in talk.only["anomalies"]


def test_rapid_resets() -> None:
    talk = Dialogue()
    for i in range(150):
        talk.reset(0, talk.ask(f"/r/x{i}"))
    rows = talk.talk(step=1_000_000).packets
    found = observe(rows).transactions
    assert len(found) == 150
    assert all("request_reset" in row["anomalies"] for row in found)
    assert sum("rapid_reset" in row["anomalies"] for row in found) == 50
    slow = observe(talk.talk(step=20_000_000).packets).transactions
    assert not any("rapid_reset" in row["anomalies"] for row in slow)


def test_a_header_bomb() -> None:
    talk = Dialogue()
    talk.answer(talk.ask("/a", b"", ("x-big", "z" * 3_900)))
    stream = talk.ends[0].get_next_available_stream_id()
    start = talk.ends[0].encoder.encode([(":method", "GET"), (":path", "/bomb"), (":scheme", "http")])
    talk.raw(0, frame(1, 5, stream, start + b"\xbf" * 16_000))
    rows = {row["uri"]: row["anomalies"] for row in talk.rows()}
    assert rows["/bomb"] >= {"header_bomb"}


def test_line_ends_and_smuggled_fields_are_noted() -> None:
    talk = Dialogue()
    talk.answer(talk.ask("/a", b"", ("x-a", "1\r\nhost: evil"), ("transfer-encoding", "chunked")))
    row = talk.only
    assert row["anomalies"] >= {"header_invalid", "header_forbidden"}
    assert row["host"] == "api.test"


def test_more_streams_than_a_connection_may_have_give_way_and_are_counted() -> None:
    talk = Dialogue()
    for i in range(1_100):
        stream = 2 * i + 1
        talk.raw(0, frame(1, 5, stream, talk.ends[0].encoder.encode([(":method", "GET"), (":path", f"/s/x{i}")])))
    outcome = observe(talk.packets())
    assert len(outcome.transactions) == 1_100
    assert outcome.protocols["http2_streams_exhausted"] == 1_100 - 1_024


# --- what is not HTTP/2 ----------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=200)), max_size=30), st.booleans())
def test_other_bytes_are_not_taken_for_frames(turns: list[tuple[int, bytes]], begun: bool) -> None:
    talk = Talk().open() if begun else Talk()
    for side, content in turns:
        talk.say(side, bytes(3 if content[0] & 1 else 0) + content)
    assert observe(talk.close().packets).transactions == []


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_mutated_conversations_raise_nothing(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    talk = numbered(6, 200)
    talk.raw(0, frame(1, 4, 101, talk.ends[0].encoder.encode([(":method", "POST"), (":path", "/g")])))
    talk.raw(0, frame(0, 1, 101, grpc(b"x", b"y")))
    whole = [(side, bytearray(content)) for side, content in talk.turns]
    for _ in range(changes):
        content = whole[chance.randrange(len(whole))][1]
        place = chance.randrange(len(content))
        what = chance.randrange(3)
        if what == 0:
            content[place] = chance.randrange(256)
        elif what == 1:
            del content[place : place + chance.randrange(1, 9)]
        else:
            content[place:place] = chance.randbytes(chance.randrange(1, 9))
        if not content:
            content.append(0)
    talk.turns = [(side, bytes(content)) for side, content in whole]
    outcome = observe(talk.packets(mss=chance.choice([11, 300, 1_460])))
    assert outcome.protocols["kernel_fault"] == 0
    assert outcome.protocols["transactions"] == len(outcome.transactions)


def framed() -> Dialogue:
    """Requests and answers that tell their lengths, HEAD among them; every answer tells which request it is for."""
    talk = Dialogue()
    for i in range(16):
        method, body = ("GET", b"") if i % 3 else (("HEAD", b"") if i % 2 else ("PUT", b"q" * (900 * i + 1)))
        fields = [("content-length", str(len(body)))] if body else []
        stream = talk.ask(f"/n/x{i}", body, *fields, ("user-agent", f"agent-{i % 4}"), method=method)
        content = b"a" * (2_000 * (i % 3) + 1)
        told = ("content-length", str(len(content)))
        talk.answer(stream, 400 + i, b"" if method == "HEAD" else content, told)
    return talk


FRAMED = framed()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.3]))
def test_a_loss_is_no_fault_of_those_who_talk(seed: int, share: float) -> None:
    """Nothing that only a sender can do wrong is said of what was lost, and lengths that were told are kept to."""
    for row in observe(lossy(FRAMED.packets(mss=700), share, random.Random(seed))).transactions:
        assert row["anomalies"].isdisjoint({"header_invalid", "length_mismatch", "early_response"})
        if row["method"] == "PUT" and row["uri"]:
            upload = 900 * int(row["uri"][4:]) + 1
            assert row["request_body_len"] <= upload
            assert row["request_body_max"] in (-1, upload)


def test_an_upload_whose_end_was_lost_has_the_length_that_it_told() -> None:
    talk = Dialogue()
    stream = talk.ask("/up", b"q" * 5_000, ("content-length", "5000"))
    talk.answer(stream, 200, b"ok", ("content-length", "2"))
    talk.answer(talk.ask("/b"), 200, b"ok")
    packets = talk.packets()
    last = max(i for i, packet in enumerate(packets) if packet.payload and packet.payload.endswith(b"q" * 100))
    first, second = facts(observe(without(packets, last)).transactions)
    assert (first["request_body_len"], first["request_body_max"], first["response_body_len"]) == (5_000, 5_000, 2)
    assert (second["uri"], second["status_code"]) == ("/b", 200)
