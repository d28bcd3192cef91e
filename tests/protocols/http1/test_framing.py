"""Where a message ends: lengths, chunks, the end of the stream, messages without a body, and what an attacker makes of
it.
"""

from __future__ import annotations

import pytest

from tests.protocols.http1.messages import OK, chunked, one, request, response, rows, talk, told
from tests.traffic import FIN, RST, SECOND, Row, Talk, in_new_order, observe, without

GET = request("/a")


def lengths(row: Row) -> tuple[int, int, int, int]:
    return tuple(row[f"{side}_body_{end}"] for side in ("request", "response") for end in ("len", "max"))


def whole(row: Row) -> bool:
    return row["complete"] and not row["anomalies"]


@pytest.mark.parametrize("mss", [1, 7, 1_460])
def test_content_length(mss: int) -> None:
    row = one(request("/a", method="POST", body=b"x" * 300), response(b"y" * 200), mss=mss)
    assert lengths(row) == (300, 300, 200, 200)
    assert whole(row)


@pytest.mark.parametrize("mss", [1, 7, 1_460])
@pytest.mark.parametrize("extension", ["", ";name=value", ' ; q="a;b"'])
@pytest.mark.parametrize("trailers", [(), ("Digest: x", "Expires: never")])
def test_chunked(mss: int, extension: str, trailers: tuple[str, ...]) -> None:
    body = chunked(b"a" * 10, b"b" * 300, b"c", extension=extension, trailers=trailers)
    head = response(b"", "Transfer-Encoding: chunked", length=False)
    first, second = rows(GET, head + body, request("/b"), OK, mss=mss)
    assert (lengths(first), lengths(second)) == ((0, 0, 311, 311), (0, 0, 2, 2))
    assert whole(first)
    assert whole(second)


def test_a_line_break_behind_a_body_is_no_part_of_what_follows() -> None:
    """It comes with the first answer and is acknowledged before the second request."""
    found = rows(request("/a"), OK + b"\r\n", request("/b"), response(b"later"))
    assert [(row["uri"], row["response_body_len"], row["complete"]) for row in found] == [
        ("/a", 2, True), ("/b", 5, True),
    ]  # fmt: skip


def test_chunked_request() -> None:
    body = chunked(b"a" * 10, b"b" * 16)
    row = one(request("/a", "Transfer-Encoding: chunked", method="POST") + body, OK)
    assert lengths(row) == (26, 26, 2, 2)
    assert whole(row)


@pytest.mark.parametrize("size", [b"A", b"a", b"000000000a"])
def test_chunk_sizes_are_hexadecimal(size: bytes) -> None:
    body = size + b"\r\n0123456789\r\n0\r\n\r\n"
    row = one(GET, response(b"", "Transfer-Encoding: chunked", length=False) + body)
    assert lengths(row)[2:] == (10, 10)
    assert whole(row)


@pytest.mark.parametrize("mss", [1, 1_460])
def test_up_to_the_end_of_the_stream(mss: int) -> None:
    row = one(GET, response(b"z" * 5_000, length=False), mss=mss)
    assert lengths(row)[2:] == (5_000, 5_000)
    assert whole(row)


def test_up_to_a_reset_is_a_lower_bound() -> None:
    conversation = Talk().open().client(GET).server(response(b"z" * 500, length=False)).send(1, RST)
    row = observe(conversation.packets).only
    assert lengths(row)[2:] == (500, -1)
    assert {"response_unfinished", "response_length_bound"} <= row["anomalies"]


def test_an_empty_body_up_to_the_end_of_the_stream() -> None:
    row = one(GET, response(b"", length=False))
    assert lengths(row)[2:] == (0, 0)
    assert whole(row)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_that_have_no_body_whatever_they_say(status: str) -> None:
    bodiless = response(b"", "Content-Length: 1000", status=status, length=False)
    first, second = rows(GET, bodiless, request("/b"), OK)
    assert (first["status_code"], lengths(first)[2:], second["status_code"]) == (int(status[:3]), (0, 0), 200)
    assert whole(second)


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_head_has_no_body(framing: str) -> None:
    first, second = rows(request("/a", method="HEAD"), response(b"", framing, length=False), request("/b"), OK)
    assert (first["method"], lengths(first)[2:]) == ("HEAD", (0, 0))
    assert (second["uri"], second["status_code"]) == ("/b", 200)
    assert whole(second)


def test_a_body_that_head_may_not_have_costs_nothing_else() -> None:
    """WSGI servers hand on what a program answers to HEAD."""
    talk = Talk().open()
    talk.client(request("/a", method="HEAD")).server(response(b"x" * 1_234)[: -1_234]).server(b"x" * 1_234)
    for _ in range(2):
        talk.client(request("/b")).server(response(b"abc")).acknowledge(0)
    rows = observe(talk.close().packets).transactions
    assert [(row["status_code"], row["response_body_len"], row["anomalies"]) for row in rows] == [
        (200, 0, set()), (200, 3, set()), (200, 3, set()),
    ]  # fmt: skip


def test_heads_pipelined_with_others() -> None:
    asked = request("/a", method="HEAD") + request("/b") + request("/c", method="HEAD")
    answered = response(b"", "Content-Length: 9", length=False) + OK + response(b"", "Content-Length: 9", length=False)
    assert [(row["uri"], lengths(row)[2]) for row in rows(asked, answered)] == [("/a", 0), ("/b", 2), ("/c", 0)]


def test_interim_answers() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    outcome = told(GET, b"HTTP/1.1 102 Processing\r\n\r\n" + early + early + OK, request("/b"), OK)
    assert [(row["uri"], row["status_code"]) for row in outcome.transactions] == [("/a", 200), ("/b", 200)]
    assert outcome.protocols["interim_responses"] == 3


def test_expect_100_continue() -> None:
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n"
    row = one(head, b"HTTP/1.1 100 Continue\r\n\r\n", b"x" * 2_000, OK)
    assert (row["status_code"], lengths(row)) == (200, (2_000, 2_000, 2, 2))
    assert whole(row)


def test_pipelining() -> None:
    asked = b"".join(request(f"/{i}") for i in range(100))
    answered = b"".join(response(b"x" * i) for i in range(100))
    found = rows(asked, answered, mss=333)
    assert [(row["uri"], row["response_body_len"], row["trans_depth"]) for row in found] == [
        (f"/{i}", i, i + 1) for i in range(100)
    ]
    assert all(map(whole, found))


def test_more_pipelined_requests_than_are_kept() -> None:
    asked = b"".join(request(f"/{i}") for i in range(400))
    outcome = told(asked)
    assert sorted(int(row["uri"][1:]) for row in outcome.transactions) == list(range(400))
    assert {row["status_code"] for row in outcome.transactions} == {0}


def test_connect_is_a_tunnel() -> None:
    asked = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
    outcome = told(asked, b"HTTP/1.1 200 Connection established\r\n\r\n", b"\x16\x03\x01" + GET, b"\x16\x03\x03" + OK)
    assert (outcome.only["method"], outcome.only["uri"]) == ("CONNECT", "example.com:443")
    assert lengths(outcome.only) == (0, 0, 0, 0)
    assert outcome.protocols["tunnel_bytes"] == 6 + len(GET) + len(OK)


def test_connect_refused_is_no_tunnel() -> None:
    asked = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
    found = rows(asked, response(b"no", status="407 Proxy Authentication Required"), GET, OK)
    assert [(row["method"], row["status_code"]) for row in found] == [("CONNECT", 407), ("GET", 200)]


def test_upgrade_is_a_tunnel() -> None:
    asked = request("/chat", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x")
    switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    outcome = told(asked, switched + b"\x81\x05hello", b"\x81\x85abcd....." + GET)
    assert (outcome.only["status_code"], outcome.only["complete"]) == (101, True)
    assert outcome.protocols["tunnel_bytes"] == 7 + 11 + len(GET)


def test_an_upgrade_that_is_declined_changes_nothing() -> None:
    asked = request("/chat", "Upgrade: h2c", "Connection: Upgrade")
    assert [row["uri"] for row in rows(asked, OK, request("/b"), OK)] == ["/chat", "/b"]


@pytest.mark.parametrize("text", [b"HTTP/1.1 200 OK\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
@pytest.mark.parametrize("mss", [20, 1_460])
def test_text_in_bodies_is_no_message(text: bytes, mss: int) -> None:
    posted = request("/a", method="POST", body=text * 20)
    first, second = rows(posted, response(text * 20), request("/b"), OK, mss=mss)
    assert lengths(first) == (20 * len(text),) * 4
    assert (second["uri"], second["trans_depth"]) == ("/b", 2)


def test_an_answer_before_the_request_ends() -> None:
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    row = one(head + b"x" * 50, response(b"no", status="413 Content Too Large"), b"x" * 50)
    assert (row["status_code"], lengths(row)) == (413, (100, 100, 2, 2))
    assert row["anomalies"] == {"early_response"}
    assert row["complete"]


def test_an_answer_without_a_request() -> None:
    conversation = Talk().open().server(response(b"?", status="408 Request Timeout")).close(1)
    row = observe(conversation.packets).only
    assert (row["status_code"], row["method"], lengths(row)[2:]) == (408, "", (1, 1))
    assert "request_missing" in row["anomalies"]


def test_a_request_without_an_answer() -> None:
    row = one(GET)
    assert (row["status_code"], row["uri"]) == (0, "/a")
    assert "response_missing" in row["anomalies"]


def test_a_request_whose_body_never_ended() -> None:
    row = one(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 10)
    assert lengths(row)[:2] == (10, 1_000)
    assert {"request_unfinished", "request_length_bound"} <= row["anomalies"]


def test_a_response_that_was_cut_short() -> None:
    row = one(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
    assert lengths(row)[2:] == (5, 1_000)
    assert {"response_unfinished", "response_length_bound"} <= row["anomalies"]
    assert not row["complete"]


# --- smuggling ------------------------------------------------------------------------------------------------------


def test_content_length_with_transfer_encoding() -> None:
    body = chunked(b"abc")
    asked = request("/a", f"Content-Length: {len(body)}", "Transfer-Encoding: chunked", method="POST") + body
    first, second = rows(asked + request("/b"), OK + OK)
    assert "cl_te" in first["anomalies"]
    assert (lengths(first)[0], second["uri"]) == (3, "/b")


def test_smuggled_request_behind_the_last_chunk_is_seen() -> None:
    asked = request("/a", "Content-Length: 60", "Transfer-Encoding: chunked", method="POST") + b"0\r\n\r\n"
    found = rows(asked + request("/admin"), OK + OK)
    assert [row["uri"] for row in found] == ["/a", "/admin"]


def test_content_lengths_that_differ() -> None:
    row = one(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n" + b"x" * 5, OK)
    assert "cl_conflict" in row["anomalies"]


@pytest.mark.parametrize("value", ["5, 5", "5,5,5"])
def test_content_lengths_that_agree(value: str) -> None:
    row = one(f"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\n".encode() + b"x" * 5, OK)
    assert (lengths(row)[0], row["anomalies"]) == (5, set())


@pytest.mark.parametrize("value", ["", "+5", "-5", "0x5", "5 5", "5a", "9" * 30])
def test_content_lengths_that_are_none(value: str) -> None:
    found = rows(f"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\n".encode(), OK)
    assert "cl_invalid" in found[0]["anomalies"]


@pytest.mark.parametrize("value", ["xchunked", "gzip", "chunkedx"])
def test_transfer_encodings_that_do_not_end_in_chunked(value: str) -> None:
    row = one(GET, response(b"abc", f"Transfer-Encoding: {value}", length=False))
    assert "te_invalid" in row["anomalies"]
    assert lengths(row)[2:] == (3, 3)


@pytest.mark.parametrize("value", ["chunked, gzip", "chunked, identity", "chunked,x"])
def test_chunked_that_does_not_come_last_frames_the_body_and_is_odd(value: str) -> None:
    """What a smuggler hides behind the body of such a request is found."""
    asked = f"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n".encode() + chunked(b"abc")
    first, hidden = rows(asked + request("/hidden"), OK + OK)
    assert (first["request_body_len"], hidden["uri"]) == (3, "/hidden")
    assert "te_invalid" in first["anomalies"]


@pytest.mark.parametrize("value", ["chunked, gzip", "chunked,x", "chunked\r\nTransfer-Encoding: x"])
def test_a_response_with_chunked_not_last_goes_on_to_the_close(value: str) -> None:
    """RFC 9112, 6.3: no client may guess where it ends, and Content-Length does not count."""
    body = chunked(b"abc")
    row = one(GET, response(b"", f"Transfer-Encoding: {value}", "Content-Length: 2", length=False) + body)
    assert lengths(row)[2:] == (len(body), len(body))
    assert row["anomalies"] >= {"te_invalid", "cl_te"}


@pytest.mark.parametrize("value", ["chunked", "Chunked", "gzip, chunked", "gzip,chunked", "chunked ", "\tchunked"])
def test_transfer_encodings_that_end_in_chunked(value: str) -> None:
    head = response(b"", f"Transfer-Encoding: {value}", length=False)
    row = one(GET, head + chunked(b"abc"))
    assert (lengths(row)[2:], row["anomalies"]) == ((3, 3), set())


@pytest.mark.parametrize("size", [b"g", b"", b"-1", b"ffffffffffffffff1", b"0x3", b" 3"])
def test_bad_chunk_sizes(size: bytes) -> None:
    body = b"3\r\nabc\r\n" + size + b"\r\nxyz\r\n0\r\n\r\n"
    first, *_ = rows(GET, response(b"", "Transfer-Encoding: chunked", length=False) + body)
    assert "chunk_invalid" in first["anomalies"]
    assert first["response_body_len"] >= 3


def test_a_chunk_longer_than_it_says() -> None:
    body = b"3\r\nabcdef\r\n0\r\n\r\n"
    row = rows(GET, response(b"", "Transfer-Encoding: chunked", length=False) + body)[0]
    assert "chunk_invalid" in row["anomalies"]


def test_after_a_bad_chunk_the_next_exchange_is_found() -> None:
    bad = response(b"", "Transfer-Encoding: chunked", length=False) + b"zz\r\n"
    found = rows(GET, bad, request("/b"), response(b"four"), request("/c"), OK)
    assert [(row["uri"], row["status_code"], row["response_body_len"]) for row in found[1:]] == [
        ("/b", 200, 4), ("/c", 200, 2),
    ]  # fmt: skip


def test_a_fin_in_the_middle_of_a_chunk() -> None:
    conversation = Talk().open().client(GET)
    conversation.server(response(b"", "Transfer-Encoding: chunked", length=False) + b"64\r\nabc").send(1, FIN)
    row = observe(conversation.packets).only
    assert lengths(row)[2:] == (3, -1)
    assert "response_unfinished" in row["anomalies"]


REFUSED = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"
WAITING = [
    b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
]


@pytest.mark.parametrize("asked", WAITING)
def test_a_body_that_was_refused_never_comes(asked: bytes) -> None:
    row = observe(Talk().open().client(asked).server(REFUSED).close().packets).only
    assert (row["status_code"], lengths(row)[:2], row["complete"], row["anomalies"]) == (417, (0, 0), True, set())
    assert row["request_end_ts"] == row["ts"]


def test_behind_a_refused_body_comes_the_next_request() -> None:
    talk = Talk().open().client(WAITING[0]).server(REFUSED)
    talk.client(request("/b", method="POST", body=b"x" * 700)).server(OK).close()
    refused, other = observe(talk.packets).transactions
    assert (refused["status_code"], lengths(refused)[:2], refused["complete"]) == (417, (0, 0), True)
    assert (other["uri"], other["status_code"], lengths(other)[:2], other["complete"]) == ("/b", 200, (700, 700), True)


def test_a_body_that_comes_although_it_was_refused() -> None:
    talk = Talk().open().client(WAITING[0]).server(REFUSED).client(b"name=GET".ljust(500)).close()
    row = observe(talk.packets).only
    assert (lengths(row)[:2], row["anomalies"]) == ((500, 500), {"early_response"})


def test_a_lost_body_is_not_a_refused_one() -> None:
    talk = Talk().open().client(request("/a", method="POST", body=b"x" * 3_000)).server(REFUSED).close()
    row = observe(without(talk.packets, 4, 5)).only
    assert not row["complete"]


def test_times() -> None:
    conversation = Talk().open().client(request("/a", method="POST", body=b"x" * 3_000))
    conversation.pause(50_000_000).server(response(b"y" * 3_000)).close()
    row = observe(conversation.packets).only
    packets = conversation.packets
    assert row["ts"] == packets[3].ts
    assert row["request_end_ts"] == packets[5].ts
    assert row["response_ts"] == packets[6].ts
    assert row["response_end_ts"] == packets[8].ts


def test_times_of_heads_in_pieces() -> None:
    """Without a body the head's last byte is the message's; a client that dribbles it is not a slow server."""
    answer = b"HTTP/1.1 204 No Content\r\nServer: a\r\n\r\n"
    packets = Talk(step=SECOND).open().client(request("/a"), [5, 20]).server(answer, [10, 30]).close().packets
    row = observe(packets).only
    assert (row["ts"], row["request_end_ts"]) == (packets[3].ts, packets[5].ts)
    assert (row["response_ts"], row["response_end_ts"]) == (packets[6].ts, packets[8].ts)


@pytest.mark.parametrize("head", [response(b"y" * 3_000), response(b"", "X: " + "y" * 3_000)])
def test_a_message_ends_when_its_last_missing_byte_comes(head: bytes) -> None:
    packets = Talk().open().client(request("/a")).server(head).close().packets
    late = in_new_order(packets, [0, 1, 2, 3, 4, 6, 5, *range(7, len(packets))])
    row = observe(late).only
    assert row["complete"]
    assert (row["response_ts"], row["response_end_ts"]) == (late[4].ts, late[6].ts)


def test_the_text_of_a_mail_is_no_request() -> None:
    talk = Talk(target_port=2525).open().server(b"220 mail\r\n")
    for line in (b"EHLO a", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA"):
        talk.client(line + b"\r\n").server(b"250 OK\r\n")
    outcome = observe(talk.client(request("/a") + b".\r\n").server(b"250 queued\r\n").close().packets)
    assert outcome.transactions == []


def test_one_frame_full_of_the_shortest_requests() -> None:
    conversation = talk(b"G / HTTP/1.1\n\n" * 18_700, b"HTTP/1.1 204\n\n" * 18_700, mss=261_900)
    outcome = observe(conversation.packets)
    assert outcome.protocols["kernel_fault"] == 0
    assert outcome.protocols["requests"] == 18_700
    assert len(outcome.transactions) >= 18_700
