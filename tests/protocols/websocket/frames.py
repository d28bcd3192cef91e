"""WebSockets for the tests: in: frames of both sides; out: packets of the whole connection, or what Tapir counts."""

from __future__ import annotations

from tests.protocols.http1.messages import request, response
from tests.traffic import Outcome, Talk, observe

TEXT, BINARY, MORE, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"
ASK = request("/live?room=7", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
SWITCH = response(
    b"", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Protocol: chat, odd\x01",
    "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover", status="101 Switching Protocols",
    length=False,
)  # fmt: skip


def frame(
    opcode: int, payload: bytes = b"", client: bool = False, fin: bool = True, width: int | None = None, bits: int = 0
) -> bytes:
    """One frame; `width` writes the length in so many bytes more than it needs to."""
    least = 0 if len(payload) < 126 else 2 if len(payload) < 65_536 else 8
    width = least if width is None else width
    short = len(payload) if width == 0 else {2: 126, 8: 127}[width]
    head = bytes([fin << 7 | bits | opcode, client << 7 | short]) + len(payload).to_bytes(8, "big")[8 - width :]
    if not client:
        return head + payload
    return head + KEY + bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))


def code(number: int, reason: bytes = b"") -> bytes:
    return number.to_bytes(2, "big") + reason


def websocket(*turns: tuple[int, bytes], mss: int = 1_460, port: int = 40_000) -> Talk:
    """A whole connection; `turns` are bytes of side 0 (the client) or 1."""
    talk = Talk(mss=mss, source_port=port).open().client(ASK).server(SWITCH)
    for side, content in turns:
        talk.say(side, content)
    return talk.close()


def counted(*turns: tuple[int, bytes], mss: int = 1_460, batch: int = 0) -> Outcome:
    return observe(websocket(*turns, mss=mss).packets, batch)
