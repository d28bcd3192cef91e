"""A WebSocket over HTTP/2 at hypercorn, asked by h2 and wsproto over the loopback: what both sides wrote to the socket
becomes packets, and what hypercorn's application counted must come out.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RemoteSettingsChanged, ResponseReceived
from hypercorn.asyncio import serve
from hypercorn.config import Config
from wsproto.frame_protocol import CloseReason, FrameProtocol

from tests.traffic import Talk, observe

Turns = list[tuple[int, bytes]]
SAID = ["what is new?", b"\0" * 300, "x" * 40_000]


def echo(counts: dict[str, int]) -> Any:
    """An application that doubles what it hears, and counts it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][0]})
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                kind = "text" if message.get("text") is not None else "bytes"
                counts["orig_messages"] += 1
                counts["orig_bytes"] += len(message[kind])
                counts["resp_messages"] += 1
                counts["resp_bytes"] += 2 * len(message[kind])
                await send({"type": "websocket.send", kind: message[kind] * 2})

    return app


class Client:
    """An HTTP/2 client on a socket; `turns` is what went over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.end = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.turns: Turns = []
        self.end.initiate_connection()
        self.flush()

    def flush(self) -> None:
        content = self.end.data_to_send()
        if content:
            self.turns.append((0, content))
            self._writer.write(content)

    async def hear(self) -> list[Event]:
        content = await asyncio.wait_for(self._reader.read(65_536), 10)
        assert content, "the server hung up"
        self.turns.append((1, content))
        events = self.end.receive_data(content)
        for event in events:
            if isinstance(event, DataReceived):
                self.end.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return events

    async def until(self, kind: type[Event], octets: int = 0) -> None:
        """Hear on until an event of this kind came, and so many bytes of data."""
        seen = False
        while not seen or octets > 0:
            for event in await self.hear():
                seen = seen or isinstance(event, kind)
                octets -= len(event.data) if isinstance(event, DataReceived) else 0

    async def say(self, stream: int, content: bytes) -> None:
        while content:
            size = min(len(content), self.end.local_flow_control_window(stream), self.end.max_outbound_frame_size)
            if size:
                self.end.send_data(stream, content[:size])
                content = content[size:]
                self.flush()
            else:
                await self.hear()


async def converse(port: int) -> Turns:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    await client.until(RemoteSettingsChanged)
    fields = {":method": "CONNECT", ":protocol": "websocket", ":scheme": "http", ":authority": "lab", ":path": "/live"}
    fields |= {"sec-websocket-version": "13", "sec-websocket-protocol": "chat"}
    client.end.send_headers(1, list(fields.items()))
    client.flush()
    await client.until(ResponseReceived)
    frames = FrameProtocol(client=True, extensions=[])
    for said in SAID:
        await client.say(1, bytes(frames.send_data(said, fin=True)))
        await client.until(DataReceived, 2 * len(said))
    await client.say(1, bytes(frames.close(CloseReason.NORMAL_CLOSURE)))
    await client.until(DataReceived, 4)  # the close it sends back; it hangs up then
    return client.turns


async def served(counts: dict[str, int]) -> Turns:
    listening = socket.create_server(("127.0.0.1", 0))
    port, config, over = listening.getsockname()[1], Config(), asyncio.Event()
    config.bind = [f"fd://{listening.detach()}"]  # hypercorn's from here on
    config.errorlog = None
    server = asyncio.create_task(serve(echo(counts), config, shutdown_trigger=over.wait))  # type: ignore[arg-type]
    try:
        return await converse(port)
    finally:
        over.set()
        await server


def test_a_websocket_at_hypercorn() -> None:
    counts = dict.fromkeys(("orig_messages", "orig_bytes", "resp_messages", "resp_bytes"), 0)
    talk = Talk().open()
    for side, content in asyncio.run(served(counts)):
        talk.say(side, content)
    outcome = observe(talk.close().packets)
    (found,) = outcome.websockets
    assert counts["orig_messages"] == len(SAID)
    assert {name: getattr(found, name) for name in counts} == counts
    assert (found.orig_text_frames, found.orig_binary_frames, found.orig_close_code) == (2, 1, 1_000)
    assert (found.uri, found.subprotocol, found.anomalies, found.frames_exact) == ("/live", "chat", (), True)
    (row,) = outcome.transactions
    assert (row["method"], row["uri"], row["status_code"], row["version"]) == ("CONNECT", "/live", 200, 20)
