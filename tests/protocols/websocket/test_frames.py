"""Frames as clients and servers send them, in every segmentation; and bytes that are none."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.config import ReassemblySettings
from sensor.websocket import WebSocketConnection
from tests.oracles.websocket_frames import Side, read_side
from tests.protocols.websocket.frames import BINARY, CLOSE, MORE, PING, PONG, TEXT, code, counted, frame, websocket
from tests.traffic import in_new_order, merged, observe, one_way, without

QUICK = settings(max_examples=40, deadline=None)
NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


def only(*turns: tuple[int, bytes], **given: Any) -> WebSocketConnection:
    outcome = counted(*turns, **given)
    assert outcome.websocket["kernel_fault"] == 0
    (row,) = outcome.websockets
    return row


def figures(row: WebSocketConnection, name: str) -> dict[str, Any]:
    return {key: getattr(row, f"{name}_{key}") for key in (
        *(f"{opcode}_frames" for opcode in NAMES.values()), "messages", "bytes", "control_bytes", "frame_size_max",
        "message_size_max", "close_code",
    )}  # fmt: skip


def as_figures(side: Side) -> dict[str, Any]:
    return {f"{name}_frames": side.frames[opcode] for opcode, name in NAMES.items()} | {
        "messages": side.messages, "bytes": side.data, "control_bytes": side.control, "frame_size_max": side.frame_max,
        "message_size_max": side.message_max, "close_code": side.close_code,
    }  # fmt: skip


CONVERSATION = (
    (0, frame(TEXT, b"hello", client=True) + frame(PING, b"1", client=True)),
    (1, frame(PONG, b"1") + frame(TEXT, b"part ", fin=False) + frame(PING) + frame(MORE, b"of it " * 30)),
    (0, frame(PONG, client=True) + frame(BINARY, bytes(300), client=True)),
    (1, frame(BINARY, bytes(70_000))),
    (0, frame(CLOSE, code(1001, b"bye"), client=True)),
    (1, frame(CLOSE, code(1000))),
)


def test_a_conversation_is_counted() -> None:
    row = only(*CONVERSATION)
    assert (row.host, row.uri, row.subprotocol, row.trans_depth) == ("api.test", "/live?room=7", "chat", 1)
    assert row.extensions == ("permessage-deflate; client_no_context_takeover",)
    said = [b"".join(content for by, content in CONVERSATION if by == side) for side in (0, 1)]
    assert figures(row, "orig") == as_figures(read_side(said[0], True))
    assert figures(row, "resp") == as_figures(read_side(said[1], False))
    assert (row.orig_messages, row.orig_bytes, row.orig_close_code) == (2, 305, 1001)
    assert (row.resp_messages, row.resp_message_size_max, row.resp_close_code) == (2, 70_000, 1000)
    assert (row.frames_exact, row.anomalies, row.compressed) == (True, (), False)
    assert row.orig_missing_bytes == row.resp_missing_bytes == 0


@pytest.mark.parametrize("mss", [1, 3, 1_000])
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_segments_and_batches_change_nothing(mss: int, batch: int) -> None:
    small = CONVERSATION[:3] + CONVERSATION[4:]
    whole, cut = only(*small), only(*small, mss=mss, batch=batch)
    assert figures(whole, "orig") == figures(cut, "orig")
    assert figures(whole, "resp") == figures(cut, "resp")


@QUICK
@given(chance=st.randoms(use_true_random=False))
def test_the_order_of_segments_changes_nothing(chance: random.Random) -> None:
    packets = websocket(*CONVERSATION).packets
    order = list(range(len(packets)))
    middle = order[8:-4]
    for place in range(0, len(middle) - 2, 3):
        part = middle[place : place + 3]
        chance.shuffle(part)
        middle[place : place + 3] = part
    (row,) = observe(in_new_order(packets, order[:8] + middle + order[-4:])).websockets
    assert figures(row, "resp") == figures(only(*CONVERSATION), "resp")


@pytest.mark.parametrize(
    ("said", "anomaly"),
    [
        (frame(TEXT, b"x"), "unmasked"),
        (frame(PING, b"x" * 126, client=True), "control_invalid"),
        (frame(PING, b"x", client=True, fin=False), "control_invalid"),
        (frame(MORE, b"x", client=True), "fragment_invalid"),
        (frame(TEXT, b"x", client=True, fin=False) + frame(TEXT, b"x", client=True), "fragment_invalid"),
        (frame(TEXT, b"x", client=True, width=2), "length_invalid"),
        (frame(TEXT, b"x" * 200, client=True, width=8), "length_invalid"),
        (frame(CLOSE, code(1000), client=True) + frame(TEXT, client=True), "after_close"),
        (frame(CLOSE, b"\x03", client=True), "close_invalid"),
        (frame(CLOSE, code(1005), client=True), "close_invalid"),
        (frame(CLOSE, code(999), client=True), "close_invalid"),
        (frame(3, b"x", client=True), "opcode_invalid"),
        (frame(TEXT, b"x", client=True, bits=0x20), "opcode_invalid"),
        (b"\x82\xff" + b"\x7f" * 8 + b"mask" + b"x", "length_invalid"),
        (frame(TEXT, b"x" * 100, client=True)[:50], "unfinished"),
    ],
)
def test_what_is_odd_is_told(said: bytes, anomaly: str) -> None:
    assert anomaly in only((0, said)).anomalies


def test_a_masked_frame_of_the_server_is_odd() -> None:
    assert only((1, frame(TEXT, b"x", client=True))).anomalies == ("masked",)


def test_a_close_without_a_code_has_none() -> None:
    row = only((0, frame(CLOSE, client=True)))
    assert (row.orig_close_code, row.orig_close_frames, row.anomalies) == (None, 1, ())


def test_compressed_messages_are_told() -> None:
    assert only((1, frame(TEXT, b"x" * 9, bits=0x40))).compressed


def test_first_frames_may_come_with_the_answer() -> None:
    packets = websocket((1, frame(TEXT, b"first"))).packets
    switch = next(i for i, packet in enumerate(packets) if packet.payload.startswith(b"HTTP/1.1 101"))
    joined = packets[:switch] + packets[switch + 2 :]
    both = packets[switch].payload + packets[switch + 1].payload
    joined.insert(switch, type(packets[0])(**(vars(packets[switch]) | {"payload": both})))
    (row,) = observe(joined).websockets
    assert (row.resp_text_frames, row.frames_exact) == (1, True)


@pytest.mark.parametrize("side", [0, 1])
def test_one_direction_alone_is_no_fault(side: int) -> None:
    outcome = observe(one_way(websocket(*CONVERSATION).packets, side))
    assert outcome.websocket["kernel_fault"] == 0
    for row in outcome.websockets:
        assert figures(row, "resp") == figures(only(*CONVERSATION), "resp")
    assert len(outcome.websockets) == side


def test_losses_inside_of_a_payload_cost_nothing() -> None:
    packets = websocket(*CONVERSATION).packets
    large = [i for i, packet in enumerate(packets) if packet.payload == bytes(1_460)]
    (row,) = observe(without(packets, *large[3:6])).websockets
    assert figures(row, "resp") == figures(only(*CONVERSATION), "resp")
    assert (row.resp_missing_bytes, row.frames_exact) == (3 * 1_460, True)


def test_behind_a_lost_header_frames_are_found_again() -> None:
    turns = [(1, frame(TEXT, bytes([65 + i]) * (10 + i))) for i in range(20)]
    packets = websocket(*turns).packets
    lost = next(i for i, packet in enumerate(packets) if b"FFFFF" in packet.payload)
    outcome = observe(without(packets, lost))
    (row,) = outcome.websockets
    assert (row.resp_text_frames, row.frames_exact, row.anomalies) == (19, False, ("loss",))
    assert outcome.websocket["resynchronised"] == outcome.websocket["losses"] == 1


def test_large_frames_are_found_again() -> None:
    turns = [(1, frame(BINARY, bytes([i]) * 80_000)) for i in range(3)]
    packets = websocket(*turns).packets
    lost = next(i for i, packet in enumerate(packets) if packet.payload[10:20] == bytes([1]) * 10)
    (row,) = observe(without(packets, lost)).websockets
    assert (row.resp_binary_frames, row.resp_missing_bytes >= 80_000, row.frames_exact) == (2, True, False)


def test_a_continuation_behind_a_loss_is_not_odd() -> None:
    parts = [frame(TEXT, b"a" * 20, fin=False), frame(MORE, b"b" * 20, fin=False), frame(MORE, b"c" * 20)]
    packets = websocket(*((1, part) for part in parts)).packets
    lost = next(i for i, packet in enumerate(packets) if b"aaaa" in packet.payload)
    (row,) = observe(without(packets, lost)).websockets
    assert (row.resp_continuation_frames, row.resp_messages, row.anomalies) == (2, 0, ("loss",))


def test_a_close_code_lost_in_part_is_not_told() -> None:
    close = frame(CLOSE, code(1001, b"going away"))
    packets = websocket((1, close[:3]), (1, close[3:6]), (1, close[6:])).packets
    lost = next(i for i, packet in enumerate(packets) if packet.payload == close[3:6])
    (row,) = observe(without(packets, lost)).websockets
    assert (row.resp_close_frames, row.resp_close_code, row.anomalies) == (1, None, ())


def test_more_websockets_than_there_is_room_for_are_counted() -> None:
    said = (0, frame(TEXT, b"x", client=True))
    outcome = observe(
        merged(*(websocket(said, port=40_000 + number).packets[:-3] for number in range(70))),
        reassembly=ReassemblySettings(flows_max=80),
    )
    assert (len(outcome.websockets), outcome.websocket["connections_exhausted"]) == (64, 6)


FRAMES = st.builds(
    frame, st.sampled_from([*NAMES, 3]), st.binary(max_size=200), st.booleans(), st.booleans(),
    st.sampled_from([None, 2, 8]), st.sampled_from([0, 0, 0x40, 0x20]),
)  # fmt: skip


@QUICK
@given(
    frames=st.lists(FRAMES, max_size=12), side=st.integers(0, 1), end=st.integers(0, 40),
    mss=st.sampled_from([1, 9, 900]),
)
def test_any_frames_are_counted_as_the_twin_counts_them(frames: list[bytes], side: int, end: int, mss: int) -> None:
    said = b"".join(frames)
    said = said[: max(len(said) - end, 0)]
    expected = read_side(said, side == 0)
    row = only((side, said), mss=mss)
    if "loss" not in expected.faults:
        assert figures(row, ("orig", "resp")[side]) == as_figures(expected)
    assert set(row.anomalies) >= expected.faults - {"unfinished"}
    assert row.frames_exact == ("loss" not in expected.faults)


@QUICK
@given(said=st.binary(max_size=400), side=st.integers(0, 1), mss=st.sampled_from([1, 13, 900]))
def test_any_bytes(said: bytes, side: int, mss: int) -> None:
    row = only((side, said), mss=mss)
    assert row.frames_exact == ("loss" not in read_side(said, side == 0).faults)


@QUICK
@given(place=st.integers(0, 400), value=st.integers(0, 255), lost=st.sets(st.integers(5, 40), max_size=6))
def test_mutated_and_lossy_connections(place: int, value: int, lost: set[int]) -> None:
    turns = list(CONVERSATION[:3]) * 3
    content = bytearray(b"".join(said for _, said in turns[1:2]))
    content[place % len(content)] = value
    packets = websocket(*turns[:1], (1, bytes(content)), *turns[2:], mss=50).packets
    outcome = observe(without(packets, *lost))
    assert outcome.websocket["kernel_fault"] == 0
