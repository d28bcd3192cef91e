"""First lines that the snap length or a loss cut off: what is there is told and flagged, and nothing else."""

from __future__ import annotations

import pytest

from tests.protocols.http1.messages import OK, request, response
from tests.traffic import HEADERS, Row, Talk, observe, one_way, snapped, without

LONG = request("/api/v1/users/7?name=" + "x" * 40)


def cut(seen: int, *turns: bytes) -> list[Row]:
    """Transactions of a conversation of whose segments only so many bytes were kept."""
    conversation = Talk().open()
    for i, content in enumerate(turns):
        conversation.say(i % 2, content).acknowledge(1 - i % 2)
    return observe(snapped(conversation.close().packets, HEADERS + seen)).transactions


def test_a_request_line_without_its_end() -> None:
    (row,) = cut(30, LONG, OK)
    assert (row["method"], row["uri"], row["status_code"]) == ("GET", "/api/v1/users/7?name=xxxxx", 200)
    assert (row["endpoint"], row["host"], row["version"]) == ("", "", 0)
    assert {"request_gap", "response_gap"} <= row["anomalies"]
    assert not row["complete"]


def test_a_target_that_is_whole_names_its_endpoint() -> None:
    (row,) = cut(20, request("/users/17"), OK)
    assert (row["uri"], row["endpoint"], row["version"]) == ("/users/17", "/users/{id}", 0)
    assert "request_gap" in row["anomalies"]


@pytest.mark.parametrize(("method", "most"), [("GET", 0), ("POST", -1)])
def test_what_a_cut_head_did_not_say_is_not_known(method: str, most: int) -> None:
    """Neither whether there was a Host, nor how long the body of a method that has one is."""
    asked = f"{method} /a HTTP/1.1\r\nAccept: */*\r\n".encode() + b"X: y\r\n" * 20 + b"Host: h\r\n\r\n"
    (row,) = cut(50, asked, OK)
    assert (row["request_body_len"], row["request_body_max"]) == (0, most)
    assert "host_missing" not in row["anomalies"]
    assert ("request_length_bound" in row["anomalies"]) == (most < 0)


def test_secrets_in_what_is_left_are_hidden() -> None:
    (row,) = cut(30, request("/login?password=verysecretindeed"), OK)
    assert row["uri"] == "/login?password=***"


@pytest.mark.parametrize("seen", range(1, 30))
def test_every_length_tells_what_it_can(seen: int) -> None:
    asked = request("/items/17/parts")
    rows = cut(seen, asked, response(b"12345"), asked, response(b"12345"))
    for row in rows:
        assert row["method"] in ("GET", "")
        assert "/items/17/parts".startswith(row["uri"])
        assert row["status_code"] in (0, 200)
        assert row["status_msg"] in ("", "OK")
        assert row["anomalies"] & {"request_gap", "response_gap"}
        assert not row["complete"]
    assert [row["uri"] != "" for row in rows if row["request"]] == [True, True][: 2 if seen >= 5 else 0]
    assert sum(row["response"] for row in rows) == (2 if seen >= 12 else 0)
    assert len(rows) == (2 if seen >= 5 else 0)


def test_a_status_line_without_its_end() -> None:
    packets = snapped(Talk().open().client(request("/a")).server(OK).acknowledge(0).close().packets, HEADERS + 13)
    (row,) = observe(one_way(packets, 1)).transactions
    assert (row["status_code"], row["status_msg"], row["version"]) == (200, "", 11)
    assert "response_gap" in row["anomalies"]


@pytest.mark.parametrize("seen", [9, 10, 11])
def test_half_a_status_is_none(seen: int) -> None:
    packets = snapped(Talk().open().client(request("/a")).server(OK).acknowledge(0).close().packets, HEADERS + seen)
    assert observe(one_way(packets, 1)).transactions == []


def exchanges(count: int, at_a_time: int) -> Talk:
    """Request i is answered with status 400 + i; both have heads longer than what is kept of them."""
    conversation = Talk().open()
    for first in range(0, count, at_a_time):
        numbers = range(first, first + at_a_time)
        for i in numbers:
            conversation.client(request(f"/items/{i}", "User-Agent: " + "x" * 300))
        conversation.acknowledge(1)
        for i in numbers:
            conversation.server(response(b"z" * (20 + i), "Server: " + "y" * 200, status=f"{400 + i} So"))
        conversation.acknowledge(0)
    return conversation.close()


@pytest.mark.parametrize("snap_length", [68, 96, 128, 200])
@pytest.mark.parametrize("at_a_time", [1, 4])
def test_heads_without_their_ends_are_paired(snap_length: int, at_a_time: int) -> None:
    rows = observe(snapped(exchanges(40, at_a_time).packets, snap_length)).transactions
    assert sorted(row["status_code"] for row in rows if row["response"]) == list(range(400, 440))
    for row in rows:
        if row["request"] and row["response"]:
            assert (row["method"], row["status_code"]) == ("GET", 400 + row["trans_depth"] - 1)
    if at_a_time == 1:
        assert len(rows) == 40


@pytest.mark.parametrize("lost", range(4, 20))
def test_losses_beside_cuts_pair_nothing_wrongly(lost: int) -> None:
    rows = observe(snapped(without(exchanges(40, 1).packets, lost), 96)).transactions
    for row in rows:
        if row["request"] and row["response"]:
            assert row["uri"] == f"/items/{row['status_code'] - 400}"[: len(row["uri"])]
    assert sum(row["request"] and row["response"] for row in rows) >= 38


def test_a_loss_behind_half_a_line() -> None:
    talk = Talk().open().client(LONG, [30]).acknowledge(1).server(OK).acknowledge(0).close()
    (row,) = observe(without(talk.packets, 4)).transactions
    assert (row["method"], row["uri"], row["status_code"]) == ("GET", "/api/v1/users/7?name=xxxxx", 200)
    assert "request_gap" in row["anomalies"]


def test_a_line_that_is_never_ended_is_no_request() -> None:
    assert observe(Talk().open().client(LONG[:30]).close().packets).transactions == []


@pytest.mark.parametrize(
    "content",
    [b"MAIL FROM:<someone@example.test> SIZE=1000\r\n", b"USER anonymous and so on\r\n", b"GET key:of:a:value\r\n",
     b"OPTIONS rtsp://camera.test/stream/1 RTSP/1.0\r\n", b"INVITE sip:bob@example.test SIP/2.0\r\n",
     b"SUBSCRIBE /topic/of/some STOMP\r\n", b"a001 LOGIN someone with words\r\n", b"HTTP/1.1 is what I speak\r\n",
     b"get /in/small/letters/is/none HTTP/1.1\r\n", b"GET /\x01\x02\x03\x04\x05\x06 HTTP/1.1\r\n"],
)  # fmt: skip
def test_other_lines_are_left_alone(content: bytes) -> None:
    assert cut(20, content, content) == []
