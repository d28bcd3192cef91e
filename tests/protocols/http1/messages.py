"""HTTP/1 messages for the tests: in: what should be odd about one; out: bytes, or the transactions that Tapir makes of
them.
"""

from __future__ import annotations

from typing import Any

from tests.traffic import Outcome, Row, Talk, observe

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def request(target: str = "/", *headers: str, method: str = "GET", body: bytes = b"", version: str = "1.1") -> bytes:
    """A request with a Host, and a Content-Length when there is a body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: api.test", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def response(body: bytes = b"", *headers: str, status: str = "200 OK", length: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, extension: str = "", trailers: tuple[str, ...] = ()) -> bytes:
    """A body in chunks, with the last one."""
    out = b"".join(f"{len(chunk):x}{extension}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    return out + "\r\n".join(["0", *trailers, "", ""]).encode()


def talk(*turns: bytes, mss: int = 1_460, **given: Any) -> Talk:
    """A whole connection: the client begins, both take turns."""
    conversation = Talk(mss=mss, **given).open()
    for i, content in enumerate(turns):
        conversation.say(i % 2, content)
    return conversation.close(1)


def told(*turns: bytes, mss: int = 1_460, **given: Any) -> Outcome:
    return observe(talk(*turns, mss=mss).packets, **given)


def rows(*turns: bytes, mss: int = 1_460, **given: Any) -> list[Row]:
    return told(*turns, mss=mss, **given).transactions


def one(*turns: bytes, mss: int = 1_460, **given: Any) -> Row:
    """The only transaction of a connection."""
    return told(*turns, mss=mss, **given).only
