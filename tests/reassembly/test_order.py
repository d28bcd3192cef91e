"""One stream in order: what came out of order, twice, overlapping, after a wrap or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.limits import STREAM_PAGES_MAX
from tests.oracles.tcp import Side, reassemble, spread
from tests.traffic import (
    ACK,
    FIN,
    MS,
    PSH,
    SECOND,
    SYN,
    Outcome,
    Packet,
    Row,
    Talk,
    doubled,
    in_new_order,
    observe,
    one_way,
    snapped,
    without,
)

BODY = bytes(range(256)) * 20
CLIENT, SERVER = (1, 0), (1, 1)


def streams(packets: list[Packet], **given: object) -> Outcome:
    """Reassembly alone, no parser behind it."""
    return observe(packets, parse=False, **given)


def upload(content: bytes = BODY, mss: int = 700, **given: object) -> Talk:
    return Talk(mss=mss, **given).open().client(content).acknowledge(1)


def test_in_order() -> None:
    assert streams(upload().packets).bytes == {CLIENT: BODY}


def test_out_of_order() -> None:
    packets = upload().packets
    outcome = streams(in_new_order(packets, [0, 1, 2, 4, 3, 6, 5, *range(7, len(packets))]))
    assert outcome.bytes == {CLIENT: BODY}
    assert outcome.gaps == {}
    assert outcome.flows[0]["orig"]["out_of_order_packets"] == 2


def test_backwards() -> None:
    packets = upload(BODY[:2_100]).packets
    assert streams(in_new_order(packets, [0, 1, 2, 5, 4, 3, 6])).bytes == {CLIENT: BODY[:2_100]}


def test_sent_twice() -> None:
    talk = upload()
    talk.send(0, PSH | ACK, BODY[:700], seq=1_001)
    outcome = streams(talk.packets)
    assert outcome.bytes == {CLIENT: BODY}
    assert outcome.flows[0]["orig"]["retransmitted_bytes"] == 700
    assert "T" in outcome.flows[0]["history"]


def test_the_first_copy_of_a_byte_wins() -> None:
    talk = Talk().open()
    talk.send(0, PSH | ACK, b"aaaa", seq=1_001).send(0, PSH | ACK, b"bbbbbb", seq=1_003)
    outcome = streams(talk.packets)
    assert outcome.bytes == {CLIENT: b"aaaabbbb"}
    assert outcome.flows[0]["orig"]["retransmitted_bytes"] == 2


@pytest.mark.parametrize(
    ("pieces", "bytes_again"),
    [
        ([(4, b"bbbb"), (2, b"aaaaaaaa"), (0, b"..")], 4),  # around what waits
        ([(4, b"bbbb"), (6, b"cccc"), (0, b"....")], 2),  # behind, overlapping its end
        ([(4, b"bbbb"), (2, b"cccc"), (0, b"..")], 2),  # before, overlapping its start
        ([(4, b"bbbb"), (4, b"cccc"), (0, b"....")], 4),  # the same place
        ([(2, b"a"), (6, b"b"), (1, b"cccccccc"), (0, b".")], 2),  # across two that wait
    ],
)
def test_the_first_copy_wins_among_those_that_wait(pieces: list[tuple[int, bytes]], bytes_again: int) -> None:
    talk = Talk().open()
    expected: dict[int, int] = {}
    for offset, piece in pieces:
        talk.send(0, PSH | ACK, piece, seq=1_001 + offset)
        for i, byte in enumerate(piece):
            expected.setdefault(offset + i, byte)
    outcome = streams(talk.packets)
    assert outcome.bytes == {CLIENT: bytes(expected[i] for i in sorted(expected))}
    assert outcome.flows[0]["orig"]["retransmitted_bytes"] == bytes_again
    assert outcome.flows[0]["orig"]["overlap_bytes"] == outcome.reassembly["overlap_bytes"] == bytes_again


def test_sequence_numbers_wrap() -> None:
    packets = upload(isn=(2**32 - 1_500, 2**32 - 1)).server(BODY).acknowledge(0).packets
    assert streams(packets).bytes == {CLIENT: BODY, SERVER: BODY}
    swapped = in_new_order(packets, [0, 1, 2, 3, 5, 4, *range(6, len(packets))])
    assert streams(swapped).bytes == {CLIENT: BODY, SERVER: BODY}


def test_joined_midway() -> None:
    packets = upload().packets[5:]
    outcome = streams(packets)
    assert outcome.bytes == {CLIENT: BODY[1_400:]}
    assert outcome.gaps == {}


def test_joined_midway_at_a_packet_out_of_order() -> None:
    packets = in_new_order(upload().packets[5:], [1, 0, *range(2, len(upload().packets) - 5)])
    outcome = streams(packets)
    assert BODY[2_800:] in outcome.bytes[CLIENT]


def test_one_direction_only() -> None:
    outcome = streams(one_way(upload().packets, 0))
    assert outcome.bytes == {CLIENT: BODY}
    assert outcome.gaps == {}


def test_a_gap_is_where_the_lost_segment_was_and_as_long() -> None:
    outcome = streams(without(upload().packets, 5))
    assert outcome.bytes == {CLIENT: BODY[:1_400] + BODY[2_100:]}
    assert outcome.gaps == {CLIENT: [(1_400, 700)]}
    assert outcome.flows[0]["orig"]["missing_bytes"] == outcome.reassembly["missing_bytes"] == 700
    assert "G" in outcome.flows[0]["history"]


def test_a_gap_on_one_direction_only() -> None:
    outcome = streams(without(one_way(upload().packets, 0), 4))
    assert outcome.gaps == {CLIENT: [(1_400, 700)]}


def test_a_lost_end_that_was_acknowledged_is_a_gap() -> None:
    outcome = streams(without(upload().packets, -2))
    last = len(BODY) % 700
    assert outcome.gaps == {CLIENT: [(len(BODY) - last, last)]}
    assert outcome.flows[0]["orig"]["missing_bytes"] == last


@pytest.mark.parametrize("first", [0, 1], ids=["client closes first", "server closes first"])
def test_a_lost_end_before_a_fin_is_a_gap(first: int) -> None:
    talk = Talk(mss=700).open().client(BODY).close(first)
    outcome = streams(without(talk.packets, -4))
    last = len(BODY) % 700
    assert outcome.gaps == {CLIENT: [(len(BODY) - last, last)]}
    assert outcome.flows[0]["orig"]["missing_bytes"] == last


def test_a_fin_that_carries_the_last_bytes() -> None:
    talk = Talk().open().client(b"abc").send(0, FIN | PSH | ACK, b"def").send(1, FIN | ACK).send(0, ACK)
    outcome = streams(talk.packets)
    assert outcome.bytes == {CLIENT: b"abcdef"}
    assert (outcome.gaps, outcome.flows[0]["conn_state"]) == ({}, "SF")


def test_a_fin_before_the_data_it_follows() -> None:
    packets = Talk().open().client(b"abc").send(0, FIN | ACK).send(1, FIN | ACK).packets
    outcome = streams(in_new_order(packets, [0, 1, 2, 4, 3, 5]))
    assert outcome.bytes == {CLIENT: b"abc"}
    assert (outcome.gaps, outcome.flows[0]["conn_state"]) == ({}, "SF")


def test_data_on_a_syn() -> None:
    talk = Talk().send(0, SYN, b"early").send(1, SYN | ACK).send(0, ACK).client(b" and late")
    assert streams(talk.packets).bytes == {CLIENT: b"early and late"}


def test_keep_alives_are_no_retransmissions() -> None:
    talk = upload()
    talk.send(0, ACK, BODY[-1:], seq=1_001 + len(BODY) - 1).acknowledge(1)
    outcome = streams(talk.packets)
    assert outcome.flows[0]["orig"]["retransmitted_bytes"] == 0


def test_a_keep_alive_of_a_byte_that_waits_is_no_retransmission_either() -> None:
    talk = Talk().open().client(b"a").client(b"b")
    waits = talk.packets[4]
    found = streams([*talk.packets[:3], waits, replace(waits, ts=waits.ts + SECOND, ip_id=99)]).flows[0]["orig"]
    assert (found["payload_bytes"], found["retransmitted_bytes"], found["missing_bytes"]) == (2, 0, 1)


def test_an_acknowledgement_before_its_data_is_no_loss() -> None:
    packets = Talk().open().client(BODY[:700]).acknowledge(1).client(b"more").packets
    outcome = streams(in_new_order(packets, [0, 1, 2, 4, 3, 5]))
    assert outcome.bytes == {CLIENT: BODY[:700] + b"more"}
    assert outcome.gaps == {}


def test_a_hole_waits_for_a_retransmission_while_nobody_acknowledged_it() -> None:
    talk = Talk(mss=700).open().client(BODY)
    late = talk.packets.pop(4)
    talk.pause(3 * SECOND).send(0, PSH | ACK, late.payload, seq=late.seq).acknowledge(1)
    outcome = streams(talk.packets)
    assert outcome.bytes == {CLIENT: BODY}
    assert outcome.gaps == {}


def test_a_hole_that_was_acknowledged_does_not_wait() -> None:
    talk = Talk(mss=700).open()
    talk.client(BODY[:2_100]).acknowledge(1)
    talk.packets.pop(4)
    talk.pause(30 * MS).acknowledge(1)
    at_once = streams([*talk.packets])
    assert at_once.gaps == {CLIENT: [(700, 700)]}


def test_a_stream_may_not_wait_without_bound() -> None:
    talk = Talk(mss=100, step=10).open().client(b"0").client(b"x" * 100 * (STREAM_PAGES_MAX + 40))
    outcome = streams(without(talk.packets, 3), pages_max=4 * STREAM_PAGES_MAX)
    assert outcome.gaps == {CLIENT: [(0, 1)]}
    assert len(outcome.bytes[CLIENT]) == 100 * (STREAM_PAGES_MAX + 40)


def test_pages_that_run_out_are_counted_and_cost_the_holes_only() -> None:
    talks = [Talk(source_port=40_000 + i, mss=100, step=10).open().client(b"0" * 10_000) for i in range(8)]
    packets = [packet for talk in talks for packet in without(talk.packets, 3)]
    outcome = streams(sorted(packets, key=lambda packet: packet.ts), pages_max=128)
    assert outcome.reassembly["pages_exhausted"] > 0
    assert {name: len(content) for name, content in outcome.bytes.items()} == {(i, 0): 9_900 for i in range(1, 9)}
    assert all(gaps == [(0, 100)] for gaps in outcome.gaps.values())


def test_pages_come_back() -> None:
    talk = Talk(mss=100, step=10).open()
    for _ in range(400):
        talk.client(b"a" * 100).client(b"b" * 100)
    packets = talk.packets
    order = [0, 1, 2] + [n for i in range(3, len(packets), 2) for n in (i + 1, i)]
    outcome = streams(in_new_order(packets, order), batch=64, pages_max=160)
    assert outcome.bytes == {CLIENT: (b"a" * 100 + b"b" * 100) * 400}
    assert outcome.reassembly["pages_exhausted"] == 0


def test_what_the_snap_length_cut_is_a_gap() -> None:
    outcome = streams(snapped(upload(BODY[:2_100]).packets, 154))
    assert outcome.bytes == {CLIENT: BODY[:100] + BODY[700:800] + BODY[1_400:1_500]}
    assert outcome.gaps == {CLIENT: [(100, 600), (200, 600), (300, 600)]}
    assert outcome.reassembly["cut_bytes"] == 1_800


def test_cut_packets_out_of_order() -> None:
    packets = snapped(upload(BODY[:2_100]).packets, 154)
    outcome = streams(in_new_order(packets, [0, 1, 2, 4, 3, 5, 6]))
    assert outcome.bytes == {CLIENT: BODY[:100] + BODY[700:800] + BODY[1_400:1_500]}
    assert [length for _, length in outcome.gaps[CLIENT]] == [600, 600, 600]


def test_a_segment_far_from_its_place_is_left_out() -> None:
    talk = Talk().open().client(b"before").send(0, PSH | ACK, b"stray", seq=1_001 + (1 << 29)).client(b" after")
    outcome = streams(talk.packets)
    assert outcome.bytes == {CLIENT: b"before after"}
    assert outcome.reassembly["far_segments"] == 1


def test_a_large_segment_of_an_offloading_card_that_has_to_wait() -> None:
    content = BODY * 12
    talk = Talk(mss=60_000).open().client(b"first").client(content)
    outcome = streams(in_new_order(talk.packets, [0, 1, 2, 4, 3, 5]))
    assert outcome.bytes == {CLIENT: b"first" + content}


# --- against the slow twin ------------------------------------------------------------------------------------------


def same_figures(row: Row, side: Side) -> None:
    figures = side.figures()
    for name in ("packets", "ip_bytes", "payload_bytes", "retransmitted_bytes", "missing_bytes", "tcp_flags"):
        assert (name, row[name]) == (name, figures[name])
    for name, count, total in (("size", row["packets"], row["ip_bytes"]), ("gap", row["packets"] - 1, row["gap_sum"])):
        lowest, highest, mean, deviation = figures[name]
        assert (row[f"{name}_min"], row[f"{name}_max"]) == (lowest, highest)
        if count > 0:
            assert total / count == pytest.approx(mean)
            variance = max(0.0, row[f"{name}_sumsq"] / count - (total / count) ** 2)
            assert variance == pytest.approx(deviation**2, rel=1e-6, abs=mean * mean * 1e-9 + 1e-6)


@st.composite
def conversations(draw: st.DrawFn, *, sent_again: bool) -> list[Packet]:
    """Both sides speak in segments of any size; some packets are sent again, some are doubled by the mirror, neighbours
    change places.
    """
    isn = draw(st.tuples(*[st.sampled_from([0, 1, 1_000, 2**31 - 5, 2**32 - 300, 2**32 - 1])] * 2))
    talk = Talk(isn=isn).open()
    for side, size in draw(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 400)), max_size=14)):
        talk.send(side, PSH | ACK, BODY[size : 2 * size])
    if draw(st.booleans()):
        talk.close(draw(st.integers(0, 1)))
    chosen = draw(st.sets(st.integers(3, 20))) if sent_again else ()
    again = [packet for i, packet in enumerate(talk.packets) if i in chosen]
    late = [replace(packet, ts=packet.ts + 300 * MS, ip_id=packet.ip_id + 1_000) for packet in again]
    packets = [*doubled(talk.packets, draw(st.sets(st.integers(3, 20)))), *late]
    order = list(range(len(packets)))
    for place in draw(st.lists(st.integers(3, max(3, len(packets) - 2)), max_size=6, unique=True)):
        if place + 1 < len(order) - len(late) and abs(order[place] - place) + abs(order[place + 1] - place - 1) == 0:
            order[place], order[place + 1] = order[place + 1], order[place]
    return in_new_order(packets, order)


@given(conversations(sent_again=True), st.sampled_from([0, 1, 3]))
@settings(max_examples=120, deadline=None)
def test_any_split_doubling_and_reordering_gives_the_same_bytes(packets: list[Packet], batch: int) -> None:
    outcome = streams(packets, batch=batch)
    sides = reassemble(packets)
    assert outcome.gaps == {}
    for number, side in enumerate(sides):
        assert outcome.bytes.get((1, number), b"") == side.content
        same_figures(outcome.flows[0]["orig" if number == 0 else "resp"], side)


@given(conversations(sent_again=False), st.data())
@settings(max_examples=120, deadline=None)
def test_what_is_lost_is_counted_to_the_byte(packets: list[Packet], data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(3, max(3, len(packets) - 1)), max_size=4))
    kept = [packet for i, packet in enumerate(packets) if i not in lost]
    outcome = streams(kept)
    for number, side in enumerate(reassemble(kept)):
        assert outcome.bytes.get((1, number), b"") == side.content
        assert sum(length for _, length in outcome.gaps.get((1, number), [])) == side.missing_bytes
        same_figures(outcome.flows[0]["orig" if number == 0 else "resp"], side)


def test_the_twin_agrees_with_hand_counted_figures() -> None:
    assert spread([2, 4]) == (2, 4, 3.0, 1.0)
    sides = reassemble(without(upload(BODY[:2_100]).packets, 4))
    assert (sides[0].content, sides[0].missing_bytes) == (BODY[:700] + BODY[1_400:2_100], 700)


def test_flows_that_end_with_all_they_can_hold() -> None:
    def waiting(port: int, both: bool) -> list[Packet]:
        """Streams in which every second segment is lost, cut by the snap length, and waits to the end."""
        talk = Talk(source_port=port, mss=100, step=1).open()
        for _ in range(2 * STREAM_PAGES_MAX):
            for side in (0, 1) if both else (0,):
                talk.send(side, PSH | ACK, b"x" * 100, ack=talk.isn[1 - side] + 1)
        data = [packet for i, packet in enumerate(talk.packets[3:]) if i // (1 + both) % 2]
        return talk.packets[:3] + snapped(data, 104)

    packets = [packet for i in range(14) for packet in waiting(40_000 + i, i != 6)]
    outcome = streams(packets, batch=1_000, pages_max=28 * STREAM_PAGES_MAX)
    assert len(outcome.flows) == 14
    assert {len(content) for content in outcome.bytes.values()} == {50 * STREAM_PAGES_MAX}
    assert outcome.reassembly["kernel_fault"] == outcome.reassembly["pages_exhausted"] == 0
