"""Conversations as the h2 library holds them: each stream becomes one transaction, however its bytes are cut."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.protocols.http2.dialogue import Dialogue, facts, frame, grpc
from tests.traffic import Row, Talk, in_new_order, observe

JSON = ("content-type", "application/json")
GRPC = ("content-type", "application/grpc")


def lengths(row: Row) -> tuple[int, int, int, int]:
    return tuple(row[f"{side}_body_{end}"] for side in ("request", "response") for end in ("len", "max"))


def test_one_request() -> None:
    talk = Dialogue()
    given = [("user-agent", "probe/1"), ("authorization", "Bearer abcdef"), ("content-type", "text/plain")]
    stream = talk.ask("/users/17/orders?token=verysecret", b"x" * 300, *given)
    talk.answer(stream, 201, b'[{"a": 1}, {"a": 2}]', JSON)
    row = talk.only
    assert (row["method"], row["host"], row["uri"]) == ("POST", "api.test", "/users/17/orders?token=***")
    assert (row["endpoint"], row["user_agent"], row["status_code"]) == ("/users/{id}/orders", "probe/1", 201)
    assert (row["request_content_type"], row["response_content_type"]) == ("text/plain", "application/json")
    assert (row["auth_scheme"], row["records"], row["version"]) == ("bearer", 2, 20)
    assert lengths(row) == (300, 300, 20, 20)
    assert row["user"] != 0
    assert row["complete"]
    assert not row["anomalies"]


def test_the_preface_cut_anywhere() -> None:
    """Its first line looks like HTTP/1's until the second shows what it is."""
    talk = Dialogue()
    talk.answer(talk.ask("/a"))
    for cut in range(1, 30):
        wire = Talk(source_port=40_000 + cut).open()
        for i, (side, content) in enumerate(talk.turns):
            wire.say(side, content, [cut] if i == 0 else [])
        row = observe(wire.close().packets).only
        assert (row["uri"], row["status_code"], row["complete"]) == ("/a", 200, True), cut


def test_the_same_credential_is_the_same_user_in_http_1_and_2() -> None:
    talk = Dialogue()
    talk.answer(talk.ask("/", b"", ("authorization", "Bearer abcdef")))
    plain = Talk().open().client(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer abcdef\r\n\r\n").close()
    assert talk.only["user"] == observe(plain.packets).only["user"]


def test_cookies_come_in_pieces() -> None:
    talk = Dialogue()
    talk.answer(talk.ask("/", b"", ("cookie", "theme=dark"), ("cookie", "session=s3cr3t")))
    assert talk.only["auth_scheme"] == "cookie"


def test_many_streams_at_a_time() -> None:
    talk = Dialogue()
    streams = [talk.ask(f"/items/{i}", b"q" * i) for i in range(90)]
    for i, stream in reversed(list(enumerate(streams))):
        talk.answer(stream, 400 + i, b"a" * (2 * i))
    rows = facts(talk.rows())
    assert [row["uri"] for row in rows] == [f"/items/{i}" for i in range(90)]
    assert [row["status_code"] for row in rows] == [400 + i for i in range(90)]
    assert [lengths(row)[::2] for row in rows] == [(i, 2 * i) for i in range(90)]
    assert [row["trans_depth"] for row in rows] == list(range(1, 91))
    assert all(row["complete"] and not row["anomalies"] for row in rows)


def test_bodies_that_take_turns() -> None:
    talk = Dialogue()
    first, second = talk.ask("/a"), talk.ask("/b")
    for stream in (first, second):
        talk.ends[1].send_headers(stream, [(":status", "200"), JSON])
    for part in (b"[{},", b"{},", b"{}]"):
        for stream in (first, second):
            talk.ends[1].send_data(stream, part)
    for stream in (first, second):
        talk.ends[1].end_stream(stream)
    talk.flush(1)
    assert [(row["records"], *lengths(row)[2:]) for row in talk.rows()] == [(3, 10, 10)] * 2


@pytest.mark.parametrize("pad", [0, 1, 17, 255])
def test_padding_is_no_body(pad: int) -> None:
    talk = Dialogue()
    talk.answer(talk.ask("/"), 200, b"z" * 1_000, pad=pad)
    assert lengths(talk.only)[2:] == (1_000, 1_000)


def test_header_blocks_in_several_frames() -> None:
    talk = Dialogue()
    talk.answer(talk.ask("/", b"", ("x-long", "v" * 40_000), ("user-agent", "behind")))
    row = talk.only
    assert (row["user_agent"], row["anomalies"]) == ("behind", {"head_too_large"})


def test_a_header_block_of_a_few_continuations() -> None:
    talk = Dialogue()
    stream = talk.ends[0].get_next_available_stream_id()
    fields = [(":method", "GET"), (":path", "/a"), (":scheme", "http"), (":authority", "x"), ("user-agent", "probe")]
    block = talk.ends[0].encoder.encode(fields)
    pieces = [block[i : i + 5] for i in range(0, len(block), 5)]
    talk.raw(0, frame(1, 0x29, stream, b"\3" + bytes(5) + pieces[0] + b"\0\0\0"))
    for i, piece in enumerate(pieces[1:]):
        talk.raw(0, frame(9, 4 if i == len(pieces) - 2 else 0, stream, piece))
    row = talk.only
    assert (row["uri"], row["user_agent"], row["request_done"]) == ("/a", "probe", True)


def test_priorities_pings_and_windows_change_nothing() -> None:
    talk = Dialogue()
    talk.ends[0].prioritize(7, weight=12, depends_on=1)
    talk.ends[0].ping(b"12345678")
    talk.flush(0)
    stream = talk.ends[0].get_next_available_stream_id()
    talk.head(stream, path="/p", priority_weight=16, priority_depends_on=0)
    talk.raw(1, frame(0xA, 0, 0, b"alternative service") + frame(0x10, 0, 0, b"priority update"))
    talk.answer(stream)
    assert (talk.only["uri"], talk.only["anomalies"]) == ("/p", set())


def test_trailers_end_a_message() -> None:
    talk = Dialogue()
    stream = talk.ask("/")
    talk.ends[1].send_headers(stream, [(":status", "200")])
    talk.flush(1)
    talk.say(1, stream, b"abc", end=False)
    talk.trailers(1, stream, ("digest", "x"))
    assert lengths(talk.only)[2:] == (3, 3)
    assert talk.only["complete"]


def test_interim_answers_come_before_the_final_one() -> None:
    talk = Dialogue()
    stream = talk.ask("/")
    talk.ends[1].send_headers(stream, [(":status", "103"), ("link", "</a>")])
    talk.answer(stream, 204)
    assert talk.only["status_code"] == 204


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204)])
def test_answers_without_a_body(method: str, status: int) -> None:
    talk = Dialogue()
    stream = talk.ask("/", method=method)
    talk.ends[1].send_headers(stream, [(":status", str(status)), ("content-length", "77")])
    talk.flush(1)
    talk.raw(1, frame(0, 1, stream))
    row = talk.only
    assert (row["status_code"], lengths(row)[2:], row["anomalies"]) == (status, (0, 0), set())


def test_a_length_that_differs_from_the_body_is_noted() -> None:
    for body, length, odd in ((b"GET /admin", "3", True), (b"", "3", True), (b"abc", "3", False)):
        talk = Dialogue()
        stream = talk.ends[0].get_next_available_stream_id()
        fields = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x")]
        block = talk.ends[0].encoder.encode([*fields, ("content-length", length)])
        talk.raw(0, frame(1, 4 if body else 5, stream, block) + (frame(0, 1, stream, body) if body else b""))
        assert ("length_mismatch" in talk.only["anomalies"]) is odd


@pytest.mark.parametrize(("side", "anomaly"), [(0, "request_reset"), (1, "response_reset")])
def test_resets(side: int, anomaly: str) -> None:
    talk = Dialogue()
    stream = talk.ask("/")
    talk.ends[1].send_headers(stream, [(":status", "200")])
    talk.flush(1)
    talk.say(1, stream, b"abc", end=False)
    talk.reset(side, stream)
    row = talk.only
    assert row["anomalies"] >= {anomaly, "response_unfinished"}
    assert row["response_body_len"] == 3


def test_an_upload_that_came_whole_is_whole_though_its_end_was_not_said() -> None:
    """Apache answers and closes the stream as soon as it has what Content-Length announced."""
    talk = Dialogue()
    stream = talk.ends[0].get_next_available_stream_id()
    talk.head(stream, ("content-length", "5"), path="/up", method="PUT", end=False)
    talk.say(0, stream, b"12345", end=False)
    talk.answer(stream, 201, b"ok")
    talk.reset(1, stream, 0)
    row = talk.only
    assert (row["complete"], row["anomalies"], lengths(row)) == (True, set(), (5, 5, 2, 2))


def test_what_a_server_still_sends_on_a_stream_that_was_reset_is_nobody_s() -> None:
    talk = Dialogue()
    stream = talk.ask("/a")
    block = talk.ends[1].encoder.encode([(":status", "200"), ("server", "late")])
    talk.reset(0, stream)
    talk.raw(1, frame(1, 4, stream, block) + frame(0, 1, stream, b"late"))
    talk.raw(1, b"")
    other = talk.ask("/b")
    talk.raw(1, frame(1, 5, other, talk.ends[1].encoder.encode([(":status", "200"), ("server", "late")])))
    rows = talk.rows()
    assert [(row["uri"], row["status_code"]) for row in rows] == [("/a", 0), ("/b", 200)]


def test_goaway_says_which_streams_get_no_answer() -> None:
    talk = Dialogue()
    first, second = talk.ask("/a"), talk.ask("/b")
    talk.raw(1, frame(7, 0, 0, first.to_bytes(4, "big") + bytes(4) + b"bye"))
    talk.raw(1, frame(1, 5, first, talk.ends[1].encoder.encode([(":status", "200")])))
    rows = facts(talk.rows())
    assert second > first
    assert [(row["uri"], row["status_code"]) for row in rows] == [("/a", 200), ("/b", 0)]
    assert "response_missing" in rows[1]["anomalies"]


def test_pushed_answers() -> None:
    talk = Dialogue()
    stream = talk.ask("/page")
    fields = [(":method", "GET"), (":scheme", "http"), (":authority", "api.test"), (":path", "/style.css")]
    talk.ends[1].push_stream(stream, 2, fields)
    talk.flush(1)
    talk.answer(stream, 200, b"<html>")
    talk.answer(2, 200, b"body {}")
    rows = facts(talk.rows())
    assert [(row["uri"], lengths(row)[2]) for row in rows] == [("/page", 6), ("/style.css", 7)]
    assert [row["anomalies"] for row in rows] == [set(), {"pushed"}]


def test_after_an_upgrade_the_first_request_is_stream_1() -> None:
    talk = Dialogue(begin=False)
    settings_field = talk.ends[0].initiate_upgrade_connection()
    talk.ends[1].initiate_upgrade_connection(settings_field)
    head = b"GET /first HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    head += b"HTTP2-Settings: "
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    talk.raw(0, head + settings_field + b"\r\n\r\n")
    talk.raw(1, switch + talk.ends[1].data_to_send())
    talk.flush(0)
    talk.ends[0].receive_data(talk.turns[1][1][len(switch) :])
    talk.answer(1, 200, b"hello")
    talk.answer(talk.ask("/second"), 404)
    for mss in (1_460, 7, 1):
        first, second = facts(talk.rows(mss=mss))
        assert (first["uri"], first["status_code"], first["version"], lengths(first)[2]) == ("/first", 200, 20, 5)
        assert (second["uri"], second["status_code"], second["trans_depth"]) == ("/second", 404, 2)
        assert first["complete"]
        assert second["complete"]


def test_an_upgrade_whose_request_was_not_seen() -> None:
    talk = Talk().open().server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + frame(4, 0, 0))
    row = observe(talk.close().packets).only
    assert (row["status_code"], row["version"], row["anomalies"]) == (101, 11, {"request_missing"})


def test_a_server_that_speaks_http_1_only() -> None:
    talk = Dialogue()
    talk.turns = [talk.turns[0], (1, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")]
    row = talk.only
    assert (row["status_code"], row["version"], row["request"]) == (400, 11, False)


# --- gRPC -----------------------------------------------------------------------------------------------------------


def call(talk: Dialogue, sent: bytes, got: bytes, status: str = "0") -> int:
    stream = talk.ask("/shop.v1.OrderService2026/ListOrders", sent, GRPC, ("te", "trailers"))
    talk.ends[1].send_headers(stream, [(":status", "200"), GRPC])
    talk.flush(1)
    if got:
        talk.say(1, stream, got, end=False)
    talk.trailers(1, stream, ("grpc-status", status), ("grpc-message", "x"))
    return stream


@pytest.mark.parametrize("mss", [1, 13, 1_460])
def test_a_call(mss: int) -> None:
    talk = Dialogue()
    call(talk, grpc(b"question"), grpc(b"a" * 3_000, b"", b"c"), "5")
    (row,) = talk.rows(mss=mss)
    assert row["endpoint"] == "/shop.v1.OrderService2026/ListOrders"
    assert (row["grpc_status"], row["status_code"]) == (5, 200)
    assert (row["request_messages"], row["response_messages"]) == (1, 3)
    assert lengths(row) == (13, 13, 3_016, 3_016)
    assert row["complete"]
    assert not row["anomalies"]


def test_a_call_refused_in_trailers_only() -> None:
    talk = Dialogue()
    stream = talk.ask("/a.B/C", grpc(b"x"), GRPC)
    talk.answer(stream, 200, b"", GRPC, ("grpc-status", "16"))
    assert (talk.only["grpc_status"], talk.only["response_messages"]) == (16, 0)


def test_calls_whose_sides_talk_at_the_same_time() -> None:
    talk = Dialogue()
    stream = talk.ends[0].get_next_available_stream_id()
    talk.head(stream, GRPC, path="/a.B/Chat", method="POST", end=False)
    talk.ends[1].send_headers(stream, [(":status", "200"), GRPC])
    talk.flush(1)
    for i in range(4):
        talk.say(i & 1, stream, grpc(b"m%d" % i, b"more"), end=False)
    talk.ends[0].end_stream(stream)
    talk.flush(0)
    talk.trailers(1, stream, ("grpc-status", "0"))
    row = talk.only
    assert (row["request_messages"], row["response_messages"], row["anomalies"]) == (4, 4, set())


# --- any cut, any order ----------------------------------------------------------------------------------------------


def mixed() -> Dialogue:
    """A bit of everything that does not depend on how the sides' packets interleave."""
    talk = Dialogue()
    first = talk.ask("/a", b"q" * 40, ("user-agent", "probe/1"))
    second = talk.ask("/b", b"", ("user-agent", "probe/1"), ("cookie", "a=b"))
    talk.answer(second, 200, b'{"x": [1, {}]}', JSON)
    talk.answer(first, 404, b"y" * 90, pad=3)
    call(talk, grpc(b"abc"), grpc(b"d", b"e"))
    third = talk.ask("/c")
    talk.ends[1].send_headers(third, [(":status", "200")])
    talk.flush(1)
    talk.reset(1, third)
    talk.answer(talk.ask("/d", b"", ("user-agent", "probe/1")), 200, b"", JSON)
    return talk


WHOLE = mixed()


def cut(talk: Dialogue, cuts: list[int]) -> Talk:
    """The turns in segments whose lengths go round `cuts`."""
    sizes = itertools.cycle(cuts)
    out = Talk().open()
    for side, content in talk.turns:
        at = 0
        while at < len(content):
            size = next(sizes)
            out.say(side, content[at : at + size])
            at += size
    return out.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_segments_of_any_size_give_the_same(cuts: list[int]) -> None:
    assert facts(observe(cut(WHOLE, cuts).packets).transactions) == facts(WHOLE.rows())


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_segments_in_any_near_order_give_the_same(chance: Any) -> None:
    packets = cut(WHOLE, [23]).packets
    order = sorted(range(len(packets)), key=lambda i: i if i < 3 or i >= len(packets) - 3 else i + chance.random() * 6)
    found = observe(in_new_order(packets, order))
    assume(not found.gaps)  # an acknowledgement that comes too early is a loss to reassembly
    assert facts(found.transactions) == facts(WHOLE.rows())


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batches_of_any_size_give_the_same(batch: int) -> None:
    packets = WHOLE.packets()
    assert observe(packets, batch=batch).transactions == observe(packets).transactions
