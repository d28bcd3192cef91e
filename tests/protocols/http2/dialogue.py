"""HTTP/2 conversations for the tests, made by the h2 library on both sides: in: what each side does; out: the bytes of
each turn, and the packets that carry them.

    talk = Dialogue()
    stream = talk.ask("/users/7", body=b"{}")
    talk.answer(stream, 200, b"[]", ("content-type", "application/json"))
    talk.packets()
"""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event

from tests.traffic import Packet, Row, Talk, observe

Field = tuple[str, str]


class Dialogue:
    """Client (side 0) and server (side 1); `turns` holds (side, bytes) in the order of sending."""

    def __init__(self, begin: bool = True, **given: Any) -> None:
        loose = {"validate_inbound_headers": False, "validate_outbound_headers": False, "header_encoding": False}
        loose |= {"normalize_outbound_headers": False} | given
        self.ends = (
            H2Connection(H2Configuration(client_side=True, **loose)),
            H2Connection(H2Configuration(client_side=False, **loose)),
        )
        self.turns: list[tuple[int, bytes]] = []
        if begin:
            for end in self.ends:
                end.initiate_connection()
            self.exchange()

    def flush(self, side: int) -> list[Event]:
        """Send what `side` has to say; the other side hears it."""
        content = self.ends[side].data_to_send()
        if not content:
            return []
        self.turns.append((side, content))
        return self.ends[1 - side].receive_data(content)

    def exchange(self) -> None:
        while any(self.ends[side]._data_to_send for side in (0, 1)):
            self.flush(0)
            self.flush(1)

    def head(
        self, stream: int, *fields: Field, path: str = "/", method: str = "GET", end: bool = True, **given: Any
    ) -> int:
        pseudo = [(":method", method), (":scheme", "http"), (":authority", "api.test"), (":path", path)]
        self.ends[0].send_headers(stream, [*pseudo, *fields], end_stream=end, **given)
        self.flush(0)
        return stream

    def ask(self, path: str = "/", body: bytes = b"", *fields: Field, method: str = "", **given: Any) -> int:
        """A whole request; returns its stream."""
        stream = self.ends[0].get_next_available_stream_id()
        self.head(stream, *fields, path=path, method=method or ("POST" if body else "GET"), end=not body, **given)
        if body:
            self.say(0, stream, body)
        return stream

    def say(self, side: int, stream: int, body: bytes, end: bool = True, pad: int | None = None) -> None:
        """A body in frames as large as they may be."""
        sender = self.ends[side]
        while body:
            size = min(len(body), sender.local_flow_control_window(stream), sender.max_outbound_frame_size) - (pad or 0)
            size = max(size - 1, 1) if pad is not None else size
            part, body = body[:size], body[size:]
            sender.send_data(stream, part, end_stream=end and not body, pad_length=pad)
            self.flush(side)
            self.ends[1 - side].increment_flow_control_window(len(part) + (pad or 0) + 1)
            self.ends[1 - side].increment_flow_control_window(len(part) + (pad or 0) + 1, stream) if body else None
            self.flush(1 - side)

    def answer(self, stream: int, status: int = 200, body: bytes = b"", *fields: Field, pad: int | None = None) -> None:
        self.ends[1].send_headers(stream, [(":status", str(status)), *fields], end_stream=not body)
        self.flush(1)
        if body:
            self.say(1, stream, body, pad=pad)

    def trailers(self, side: int, stream: int, *fields: Field) -> None:
        self.ends[side].send_headers(stream, list(fields), end_stream=True)
        self.flush(side)

    def reset(self, side: int, stream: int, code: int = 8) -> None:
        self.ends[side].reset_stream(stream, code)
        self.flush(side)

    def raw(self, side: int, content: bytes) -> None:
        """Bytes that no library would send."""
        self.turns.append((side, content))

    def talk(self, mss: int = 1_460, close: bool = True, **given: Any) -> Talk:
        talk = Talk(mss=mss, **given).open()
        for side, content in self.turns:
            talk.say(side, content)
        return talk.close() if close else talk

    def packets(self, **given: Any) -> list[Packet]:
        return self.talk(**given).packets

    def rows(self, **given: Any) -> list[Row]:
        return observe(self.packets(**given)).transactions

    @property
    def only(self) -> Row:
        return observe(self.packets()).only


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame as it lies on the wire (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def grpc(*messages: bytes) -> bytes:
    """Length-prefixed messages."""
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)


TIMES = {"ts", "now", "request_end_ts", "response_ts", "response_end_ts"}


def facts(rows: list[Row]) -> list[Row]:
    """The rows without their times, in the order of the streams."""
    plain = [{name: value for name, value in row.items() if name not in TIMES | {"uid_hi", "uid_lo"}} for row in rows]
    return sorted(plain, key=lambda row: (row["trans_depth"], row["uri"]))
