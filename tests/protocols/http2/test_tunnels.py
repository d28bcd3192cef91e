"""CONNECT on a stream, and WebSockets on it (RFC 9113, 8.5; RFC 8441): h2 holds the streams, wsproto makes frames."""

from __future__ import annotations

import random
from typing import Any

import pytest
from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode

from tests.protocols.http2.dialogue import Dialogue, frame
from tests.traffic import MS, Outcome, observe, without

WEBSOCKET = (":protocol", "websocket")
CHAT = ("sec-websocket-protocol", "chat")


def connect(talk: Dialogue, *fields: tuple[str, str], status: int = 200) -> int:
    """A stream on which CONNECT was asked for and answered."""
    stream = talk.ends[0].get_next_available_stream_id()
    talk.ends[0].send_headers(stream, [(":method", "CONNECT"), (":authority", "db.test:5432"), *fields])
    talk.flush(0)
    talk.ends[1].send_headers(stream, [(":status", str(status)), CHAT], end_stream=status >= 300)
    talk.flush(1)
    return stream


def live(talk: Dialogue) -> int:
    return connect(talk, WEBSOCKET, (":scheme", "https"), (":path", "/live?room=7"), ("user-agent", "probe/1"))


def converse(talk: Dialogue, stream: int) -> None:
    """A text each way, one in pieces, a ping, and both closes."""
    client, server = FrameProtocol(client=True, extensions=[]), FrameProtocol(client=False, extensions=[])
    turns = [
        (0, client.send_data("what is new?", fin=True)),
        (1, server.send_data("half of ", fin=False)),
        (1, server.send_data("a text" * 3_000, fin=True)),
        (0, client.ping(b"1234")),
        (1, server.pong(b"1234")),
        (0, client.send_data(b"\0" * 300, fin=True)),
        (0, client.close(CloseReason.NORMAL_CLOSURE, "bye")),
        (1, server.close(CloseReason.NORMAL_CLOSURE)),
    ]
    for i, (side, content) in enumerate(turns):
        talk.say(side, stream, bytes(content), end=i >= len(turns) - 2, pad=9 if i == 2 else None)


def summary(outcome: Outcome) -> list[dict[str, Any]]:
    names = ("messages", "bytes", "text_frames", "binary_frames", "continuation_frames", "ping_frames", "pong_frames")
    names += ("close_frames", "close_code", "control_bytes", "message_size_max", "missing_bytes")
    (found,) = outcome.websockets
    return [{name: getattr(found, f"{side}_{name}") for name in names} for side in ("orig", "resp")]


CLIENT = {
    "messages": 2, "bytes": 312, "text_frames": 1, "binary_frames": 1, "continuation_frames": 0, "ping_frames": 1,
    "pong_frames": 0, "close_frames": 1, "close_code": 1_000, "control_bytes": 9, "message_size_max": 300,
    "missing_bytes": 0,
}  # fmt: skip
SERVER = {
    "messages": 1, "bytes": 18_008, "text_frames": 1, "binary_frames": 0, "continuation_frames": 1, "ping_frames": 0,
    "pong_frames": 1, "close_frames": 1, "close_code": 1_000, "control_bytes": 6, "message_size_max": 18_008,
    "missing_bytes": 0,
}  # fmt: skip


def test_a_tunnel_is_counted_and_not_read() -> None:
    talk = Dialogue()
    stream = connect(talk)
    talk.say(0, stream, b"GET / HTTP/1.1\r\n\r\n", end=False)
    talk.say(1, stream, b"HTTP/1.1 200 OK\r\n\r\n" * 100, end=False)
    talk.answer(talk.ask("/meanwhile"))
    talk.say(0, stream, b"bye")
    talk.say(1, stream, b"bye")
    outcome = observe(talk.packets())
    tunnel = next(row for row in outcome.transactions if row["method"] == "CONNECT")
    assert (tunnel["uri"], tunnel["host"], tunnel["status_code"]) == ("db.test:5432", "db.test:5432", 200)
    assert (tunnel["request_body_len"], tunnel["response_body_len"]) == (21, 1_903)
    assert (tunnel["complete"], tunnel["anomalies"]) == (True, set())
    assert tunnel["request_end_ts"] == tunnel["ts"]
    assert tunnel["response_end_ts"] - tunnel["response_ts"] >= 5 * MS
    assert [row["uri"] for row in outcome.transactions] == ["/meanwhile", "db.test:5432"]
    assert (outcome.protocols["tunnels"], outcome.protocols["tunnel_bytes"]) == (1, 21 + 1_903)
    assert outcome.tunnels == []


def test_a_tunnel_ends_with_its_connection() -> None:
    talk = Dialogue()
    talk.say(0, connect(talk), b"x" * 40, end=False)
    row = talk.only
    assert (row["request_body_len"], row["request_body_max"], row["response_body_len"]) == (40, 40, 0)
    assert (row["complete"], row["anomalies"]) == (True, set())


def test_a_tunnel_that_is_refused_is_an_exchange_like_others() -> None:
    talk = Dialogue()
    stream = connect(talk, status=403)
    talk.reset(0, stream)
    outcome = observe(talk.packets())
    assert (outcome.only["method"], outcome.only["status_code"]) == ("CONNECT", 403)
    assert outcome.protocols["tunnels"] == 0


def test_another_protocol_than_websocket_is_counted_as_a_tunnel() -> None:
    talk = Dialogue()
    stream = connect(talk, (":protocol", "connect-udp"), (":scheme", "https"), (":path", "/masque/192.0.2.1/443/"))
    talk.say(0, stream, b"\0" * 1_200)
    outcome = observe(talk.packets())
    assert (outcome.only["uri"], outcome.only["request_body_len"]) == ("/masque/192.0.2.1/443/", 1_200)
    assert (outcome.protocols["tunnels"], outcome.websockets) == (1, [])


@pytest.mark.parametrize(("mss", "batch"), [(1_460, 0), (1_460, 1), (61, 0), (7, 40)])
def test_frames_are_counted_by_opcode(mss: int, batch: int) -> None:
    talk = Dialogue()
    converse(talk, live(talk))
    outcome = observe(talk.packets(mss=mss), batch)
    assert summary(outcome) == [CLIENT, SERVER]
    (found,) = outcome.websockets
    assert (found.uri, found.host, found.user_agent) == ("/live?room=7", "db.test:5432", "probe/1")
    assert (found.subprotocol, found.anomalies, found.frames_exact) == ("chat", (), True)
    assert found.trans_depth == outcome.only["trans_depth"] == 1
    assert found.duration > 0
    assert outcome.only["status_code"] == 200
    counts = outcome.websocket
    assert (counts["connections"], counts["frames"], counts["losses"]) == (1, 8, 0)


def test_many_websockets_on_one_connection() -> None:
    talk = Dialogue()
    streams = [live(talk) for _ in range(20)]
    for stream in reversed(streams):
        converse(talk, stream)
    outcome = observe(talk.packets())
    assert [found.trans_depth for found in outcome.websockets] == list(range(20, 0, -1))
    for found in outcome.websockets:
        assert (found.orig_bytes, found.resp_bytes, found.anomalies) == (CLIENT["bytes"], SERVER["bytes"], ())


def test_a_websocket_that_is_cut_off() -> None:
    talk = Dialogue()
    stream = live(talk)
    whole = bytes(FrameProtocol(client=True, extensions=[]).send_data("x" * 100, fin=True))
    talk.say(0, stream, whole + whole[:50], end=False)
    (found,) = observe(talk.packets()).websockets
    assert (found.orig_messages, found.orig_text_frames, found.anomalies) == (1, 2, ("unfinished",))


def test_a_server_that_masks_is_odd() -> None:
    talk = Dialogue()
    stream = live(talk)
    talk.say(1, stream, bytes(FrameProtocol(client=True, extensions=[]).send_data("x", fin=True)))
    assert observe(talk.packets()).websockets[0].anomalies == ("masked",)


def test_a_loss_inside_a_frame_is_harmless() -> None:
    talk = Dialogue()
    stream = live(talk)
    converse(talk, stream)
    packets = talk.packets()
    (large,) = (i for i, packet in enumerate(packets) if b"half of " in packet.payload)
    outcome = observe(without(packets, large + 4))
    (found,) = outcome.websockets
    assert (found.resp_missing_bytes, found.frames_exact) == (1_460, True)
    assert {**summary(outcome)[1], "missing_bytes": 0} == SERVER


def test_behind_a_lost_beginning_frames_are_found_again() -> None:
    talk = Dialogue()
    stream = live(talk)
    server = FrameProtocol(client=False, extensions=[])
    for i in range(20):
        talk.say(1, stream, bytes(server.send_data(f"news number {i}", fin=True)), end=False)
    packets = talk.packets()
    (lost,) = (i for i, packet in enumerate(packets) if b"number 7" in packet.payload)
    (found,) = observe(without(packets, lost)).websockets
    assert (found.resp_text_frames, found.frames_exact, found.anomalies) == (19, False, ("loss",))


@pytest.mark.parametrize("seed", range(40))
def test_mutated_tunnels_raise_nothing(seed: int) -> None:
    chance, talk = random.Random(seed), Dialogue()
    converse(talk, live(talk))
    for i in range(len(talk.turns)):
        if chance.random() < 0.3:
            side, content = talk.turns[i]
            place = chance.randrange(len(content))
            talk.turns[i] = side, content[:place] + chance.randbytes(chance.randrange(4)) + content[place + 1 :]
    outcome = observe(talk.packets())
    assert outcome.protocols["kernel_fault"] == outcome.websocket["kernel_fault"] == 0
    assert len(outcome.websockets) <= 1


def test_an_answer_nobody_asked_for_opens_nothing() -> None:
    talk = Dialogue()
    stream = talk.ask("/")
    talk.answer(stream, 200, b"")
    talk.raw(1, frame(0, 0, stream, bytes([0x80 | Opcode.TEXT, 1]) + b"x"))
    outcome = observe(talk.packets())
    assert (outcome.websockets, outcome.protocols["tunnels"]) == ([], 0)
