"""What a head says, however it is written: lines, targets, methods, odd bytes, limits; taken whole or not at all."""

from __future__ import annotations

import pytest

from sensor.limits import HEAD_BYTES_MAX
from tests.protocols.http1.messages import OK, one, request, response, rows, told
from tests.traffic import Talk, observe, without


@pytest.mark.parametrize("mss", [1, 3, 17, 1_460])
def test_every_field(mss: int) -> None:
    asked = request(
        "/users/42?page=2", "User-Agent: curl/8.5", "Referer: https://app.test/home", "Content-Type: text/plain",
        method="POST", body=b"hi",
    )  # fmt: skip
    row = one(
        asked, response(b"{}", "Content-Type: application/json; charset=utf-8", status="201 Created Now"), mss=mss
    )
    assert {name: row[name] for name in (
        "method", "uri", "endpoint", "host", "user_agent", "referrer", "version", "request_content_type",
        "response_content_type", "status_code", "status_msg",
    )} == {
        "method": "POST", "uri": "/users/42?page=2", "endpoint": "/users/{id}", "host": "api.test",
        "user_agent": "curl/8.5", "referrer": "https://app.test/home", "version": 11,
        "request_content_type": "text/plain", "response_content_type": "application/json; charset=utf-8",
        "status_code": 201, "status_msg": "Created Now",
    }  # fmt: skip
    assert row["anomalies"] == set()


def test_header_names_in_any_case_and_with_any_blanks() -> None:
    asked = b"GET / HTTP/1.1\r\nhOsT:a\r\nUSER-AGENT:   b \t \r\nReferer:\tc\r\n\r\n"
    row = one(asked, b"HTTP/1.1 200 OK\r\ncontent-LENGTH:\t 2 \r\n\r\nok")
    assert (row["host"], row["user_agent"], row["referrer"], row["response_body_len"]) == ("a", "b", "c", 2)
    assert row["anomalies"] == set()


def test_the_first_of_several_headers_counts() -> None:
    assert one(request("/", "Host: other.test"), OK)["host"] == "api.test"


def test_what_http2_begins_with_is_no_request() -> None:
    assert rows(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"\0\0\0\4\0\0\0\0\0") == []


@pytest.mark.parametrize("mss", [1, 1_460])
def test_bare_line_feeds(mss: int) -> None:
    row = one(b"GET /a HTTP/1.1\nHost: a\n\n", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", mss=mss)
    assert (row["uri"], row["host"], row["status_code"], row["response_body_len"]) == ("/a", "a", 200, 2)
    assert row["anomalies"] == {"bare_lf"}
    assert row["complete"]


def test_folded_headers() -> None:
    row = one(b"GET /a HTTP/1.1\r\nHost: a\r\nX-Long: one\r\n two\r\n\tthree\r\n\r\n", OK)
    assert row["anomalies"] == {"folded_header"}
    assert row["host"] == "a"


@pytest.mark.parametrize("line", ["no colon", ": no name", "Name : blank before the colon"])
def test_headers_that_are_none(line: str) -> None:
    row = one(request("/a", line), OK)
    assert row["anomalies"] == {"header_invalid"}
    assert row["complete"]


def test_empty_lines_before_a_request() -> None:
    found = rows(b"\r\n\r\n" + request("/a"), OK, b"\r\n" + request("/b"), OK)
    assert [row["uri"] for row in found] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("line", "uri"),
    [
        ("GET  /a  HTTP/1.1", "/a"),
        ("GET /a b HTTP/1.1", "/a"),
        ("GET /a?q=x HTTP/1.1 ", "/a?q=x"),
    ],
)
def test_blanks_in_the_request_line(line: str, uri: str) -> None:
    row = one(f"{line}\r\nHost: a\r\n\r\n".encode(), OK)
    assert (row["method"], row["uri"], row["status_code"]) == ("GET", uri, 200)


def test_what_stands_between_target_and_version_is_odd() -> None:
    row = one(b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", OK)
    assert (row["version"], "version_invalid" in row["anomalies"]) == (11, True)


@pytest.mark.parametrize("asked", [b"GET /a\r\n", b"GET /a\n", b"GET /a\r\n\r\n", b"GET /a\r\nHost: api.test\r\n\r\n"])
@pytest.mark.parametrize("mss", [1, 1_460])
def test_requests_without_a_version(asked: bytes, mss: int) -> None:
    """HTTP/0.9: the answer is what comes, without a head."""
    row = one(asked, b"<html>hello</html>", mss=mss)
    assert (row["method"], row["uri"], row["version"], row["status_code"]) == ("GET", "/a", 9, 0)
    assert "request_gap" not in row["anomalies"]


@pytest.mark.parametrize("line", ["GET /a b", "POST /a", "get /a", "GET a", "GET", "HELO /a", "GET /a RTSP/1.0"])
def test_other_lines_without_a_version_are_no_requests(line: str) -> None:
    assert rows(f"{line}\r\n\r\n".encode(), b"220 hello\r\n") == []


@pytest.mark.parametrize(
    ("line", "uri", "endpoint"),
    [
        ("GET http://api.test:8080/orders/7?x=1 HTTP/1.1", "http://api.test:8080/orders/7?x=1", "/orders/{id}"),
        ("GET http://api.test HTTP/1.1", "http://api.test", ""),
        ("OPTIONS * HTTP/1.1", "*", "*"),
        ("CONNECT api.test:443 HTTP/1.1", "api.test:443", "api.test:443"),
        ("GET ?x=1 HTTP/1.1", "?x=1", ""),
        ("GET %2e%2e/etc HTTP/1.1", "%2e%2e/etc", "%2e%2e/etc"),
    ],
)
def test_targets(line: str, uri: str, endpoint: str) -> None:
    row = one(f"{line}\r\nHost: api.test\r\n\r\n".encode(), response(b"", status="400 Bad Request"))
    assert (row["uri"], row["endpoint"]) == (uri, endpoint)


@pytest.mark.parametrize("method", ["PROPFIND", "VERSION-CONTROL", "M-SEARCH", "x", "QUERY", "get"])
def test_methods_nobody_knows(method: str) -> None:
    assert one(request("/a", method=method), OK)["method"] == method


@pytest.mark.parametrize(
    ("target", "uri", "odd"),
    [
        ("/caf\xe9".encode("latin-1"), "/caf\\xe9", True),
        ("/\u4f60".encode(), "/\\xe4\\xbd\\xa0", True),
        (b"/a\x01\x7f", "/a\\x01\\x7f", True),
        (b"/%E4%BD%A0?q=%00", "/%E4%BD%A0?q=%00", False),
        (b"/a\\x41", "/a\\x41", False),
    ],
)
def test_bytes_of_the_target_are_kept_and_shown_safely(target: bytes, uri: str, odd: bool) -> None:
    row = one(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", OK)
    assert row["uri"] == uri
    assert row["anomalies"] == ({"nonascii_uri"} if odd else set())


@pytest.mark.parametrize(
    ("version", "number", "anomalies"),
    [
        ("1.0", 10, set()),
        ("1.1", 11, {"host_missing"}),
        ("1.2", 12, {"version_invalid"}),
        ("9.9", 99, {"version_invalid"}),
    ],
)
def test_versions(version: str, number: int, anomalies: set[str]) -> None:
    row = one(f"GET / HTTP/{version}\r\n\r\n".encode(), OK)
    assert (row["version"], row["anomalies"]) == (number, anomalies)


def test_status_lines_without_a_reason() -> None:
    found = rows(request("/a"), b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", request("/b"), b"HTTP/1.1 404 \r\n\r\n")
    assert [(row["status_code"], row["status_msg"]) for row in found] == [(200, ""), (404, "")]


@pytest.mark.parametrize("size", [10_000, 60_000])
@pytest.mark.parametrize("mss", [1_460, 100_000])
def test_long_heads(size: int, mss: int) -> None:
    asked = request("/a", "Cookie: " + "c" * size, "User-Agent: last")
    row = one(asked, OK, mss=mss)
    assert (row["user_agent"], row["complete"], row["anomalies"]) == ("last", True, set())


@pytest.mark.parametrize("mss", [1_460, 100_000])
def test_heads_beyond_the_limit_are_odd_and_cost_nothing_else(mss: int) -> None:
    asked = request("/big", "Cookie: " + "c" * 70_000)
    assert len(asked) > HEAD_BYTES_MAX
    first, second = rows(asked, response(b"1"), request("/b"), response(b"22"), mss=mss)
    assert "head_too_large" in first["anomalies"]
    assert (first["uri"], first["status_code"], first["response_body_len"]) == ("/big", 200, 1)
    assert (second["uri"], second["status_code"], second["response_body_len"]) == ("/b", 200, 2)


@pytest.mark.parametrize("what", ["target", "cookie", "name"])
def test_a_head_as_large_as_an_offloading_card_makes_frames(what: str) -> None:
    long = "%" + "a\x80" * 120_000
    asked = {
        "target": request("/" + long), "cookie": request("/", "Cookie: " + long), "name": request("/", long),
    }[what]  # fmt: skip
    outcome = told(asked, OK, request("/b"), OK, mss=261_000)
    assert outcome.protocols["kernel_fault"] == 0
    assert outcome.transactions[-1]["uri"] == "/b"


def test_a_head_that_was_cut_off_counts_as_far_as_it_was_seen() -> None:
    asked = request("/a", "User-Agent: seen", "X-Rest: " + "x" * 3_000)
    packets = Talk().open().client(asked).server(OK).close().packets
    row = observe(without(packets, 4)).transactions[0]
    assert (row["uri"], row["user_agent"]) == ("/a", "seen")
    assert "request_gap" in row["anomalies"]


@pytest.mark.parametrize(
    "content",
    [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"EHLO mail.test\r\n", b"USER bob\r\n", b"\0" * 100,
     b"HTTP/x nonsense\r\n\r\n", b"A" * 3_000],
)  # fmt: skip
def test_other_protocols_are_left_alone(content: bytes) -> None:
    outcome = told(content, content, content, content)
    assert outcome.transactions == []
    assert outcome.protocols["kernel_fault"] == 0


def test_http_behind_a_preamble() -> None:
    connect, connected = b"\x05\x01\x00\x01\x0a\x00\x00\x02\x00\x50", b"\x05\x00\x00\x01" + b"\0" * 6
    found = rows(b"\x05\x01\x00", b"\x05\x00", connect, connected, request("/a"), OK)
    assert [(row["uri"], row["status_code"]) for row in found] == [("/a", 200)]


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/", "/"),
        ("/users/123/orders", "/users/{id}/orders"),
        ("/v1/items", "/v1/items"),
        ("/a//b/", "/a//b/"),
        ("/f/550e8400-e29b-41d4-a716-446655440000", "/f/{uuid}"),
        ("/f/5f4dcc3b5aa765d61d8327deb882cf99", "/f/{hex}"),
        ("/deadbeef", "/deadbeef"),
        ("/u/bob@example.org/mail", "/u/{email}/mail"),
        ("/s/AbCd1234EfGh5678IjKl", "/s/{token}"),
        ("/orders/2024-05-01", "/orders/{id}"),
        ("/users/123;v=1?x=/7", "/users/{id}"),
        ("/search#7", "/search"),
    ],
)
def test_endpoints(path: str, endpoint: str) -> None:
    assert one(request(path), OK)["endpoint"] == endpoint


def test_endpoints_are_bounded() -> None:
    row = one(request("/" + "/".join(["abcdefg"] * 500)), OK)
    assert len(row["endpoint"]) <= 512
    assert row["endpoint"].startswith("/abcdefg/abcdefg/")
