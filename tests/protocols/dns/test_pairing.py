"""Questions and answers put together, over UDP and TCP, whatever the batches."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest

from sensor.protocols.dns.tables import TIMEOUT_NS, Count
from sensor.schema_dns import LookupFlag
from tests.protocols.dns.messages import AAAA, A, address, looked_up, query, response, udp
from tests.traffic import MS, START, Packet, Talk, without

SIZES = pytest.mark.parametrize("batch", [1, 3, 1_000])


def names(packets: Sequence[Packet], batch: int = 1_000) -> list[tuple[str, int, bool, bool]]:
    """(name, type, asked, answered) of each lookup."""
    lookups, _ = looked_up(packets, batch)
    flags = [(bool(flags & LookupFlag.ASKED), bool(flags & LookupFlag.ANSWERED)) for flags in lookups.rows["flags"]]
    return [(lookups.query(row), int(row["qtype"]), *seen) for row, seen in zip(lookups.rows, flags, strict=True)]


def over_tcp(*turns: tuple[int, bytes], **given: int) -> Talk:
    talk = Talk(target_port=53, **given).open()
    for side, message in turns:
        talk.say(side, struct.pack("!H", len(message)) + message)
    return talk.close()


@SIZES
def test_answers_find_their_questions_in_any_order(batch: int) -> None:
    both = [udp(query("a.org", A, 5)), udp(query("a.org", AAAA, 5), 1), udp(query("b.org", A, 6), 2)]
    told = [response("b.org", trans_id=6), response("a.org", qtype=AAAA, trans_id=5), response("a.org", trans_id=5)]
    packets = both + [udp(message, 10 + i, back=True) for i, message in enumerate(told)]
    assert names(packets, batch) == [
        ("b.org", A, True, True), ("a.org", AAAA, True, True), ("a.org", A, True, True)
    ]  # fmt: skip


def test_an_answer_for_another_name_is_none() -> None:
    packets = [udp(query("a.org")), udp(response("b.org"), 1, back=True)]
    assert names(packets) == [("b.org", A, False, True), ("a.org", A, True, False)]


def test_who_asks_does_not_answer_himself() -> None:
    """Of mDNS questions and answers have the id 0, and go to one address."""
    answer = struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + b"\1b\0" + struct.pack("!HHIH", A, 1, 1, 4) + b"\1\2\3\4"
    packets = [udp(query("a.local", trans_id=0), server_port=5353), udp(answer, 1, server_port=5353)]
    assert names(packets) == [("", 0, False, True), ("a.local", A, True, False)]


def test_an_error_without_a_question_belongs_to_its_id() -> None:
    refused = struct.pack("!6H", 9, 0x8185, 0, 0, 0, 0)
    assert names([udp(query("a.org", trans_id=9)), udp(refused, 1, back=True)]) == [("a.org", A, True, True)]


def test_a_question_asked_again_is_one() -> None:
    packets = [udp(query("a.org")), udp(query("a.org"), 1_000), udp(response("a.org"), 1_100, back=True)]
    (row,) = looked_up(packets)[0].rows
    assert (row["queries"], row["rtt"]) == (2, 1_100 * MS)


@SIZES
def test_who_waits_too_long_is_told_in_time(batch: int) -> None:
    packets = [
        udp(query("a.org", trans_id=1)), udp(query("b.org", trans_id=2), 9_000),
        udp(query("c.org", trans_id=3), 11_000),
        udp(response("b.org", trans_id=2), 11_500, back=True), udp(response("a.org", trans_id=1), 11_600, back=True),
    ]  # fmt: skip
    lookups, stage = looked_up(packets, batch)
    assert [lookups.query(row) for row in lookups.rows] == ["a.org", "b.org", "a.org", "c.org"]
    assert lookups.rows["now"].tolist()[:3] == [START + TIMEOUT_NS, START + 11_500 * MS, START + 11_600 * MS]
    assert (np.diff(lookups.rows["now"]) >= 0).all()
    assert stage.counters[Count.UNANSWERED] == 2


def test_the_oldest_gives_way() -> None:
    packets = [udp(query(f"n{i}.org", trans_id=i), i) for i in range(20)]
    lookups, stage = looked_up(packets, pending_max=8)
    assert [lookups.query(row) for row in lookups.rows] == [f"n{i}.org" for i in range(20)]
    assert stage.counters[Count.EVICTED] == 12


@SIZES
@pytest.mark.parametrize("mss", [1, 7, 1_460])
def test_tcp(mss: int, batch: int) -> None:
    long = response("a.org", [(b"\xc0\x0c", 16, 1, b"\xff" + b"x" * 255)] * 30)
    turns = (0, query("a.org")), (0, query("b.org", trans_id=2)), (1, long), (1, response("b.org", trans_id=2))
    lookups, stage = looked_up(over_tcp(*turns, mss=mss).packets, batch)
    assert [(lookups.query(row), int(row["response_bytes"])) for row in lookups.rows] == [
        ("a.org", len(long)), ("b.org", len(turns[3][1]))
    ]  # fmt: skip
    assert lookups.rows["flags"][0] & LookupFlag.CUT
    assert (lookups.rows["proto"] == 6).all()
    assert stage.counters[Count.LOSSES] == 0


def test_tcp_behind_a_loss_is_left() -> None:
    talk = over_tcp((0, query("a.org")), (1, response("a.org")), (0, query("b.org")), (1, response("b.org")))
    packets = without(talk.packets, 5)
    assert [name for name, *_ in names(packets)][:1] == ["a.org"]


def test_many_connections_find_no_room() -> None:
    talks = [over_tcp((0, query(f"n{i}.org")), source_port=50_000 + i).packets for i in range(4)]
    packets = sorted((packet for talk in talks for packet in talk), key=lambda packet: packet.ts)
    lookups, stage = looked_up(packets, connections_max=2)
    assert len(lookups.rows) == 2
    assert stage.counters[Count.CONNECTIONS_EXHAUSTED] > 0


def test_dns_on_another_port_is_found_by_its_form() -> None:
    asked, told = query("a.org"), response("a.org", [(b"\xc0\x0c", A, 1, address("192.0.2.1"))])
    packets = [udp(asked, server_port=5_300), udp(told, 1, back=True, server_port=5_300)]
    assert names(packets) == [("a.org", A, True, True)]


@pytest.mark.parametrize("rest", [b"\0", b"more"])
def test_what_only_begins_like_dns_is_not(rest: bytes) -> None:
    assert names([udp(query("a.org") + rest, server_port=9_999)]) == []


def test_a_name_hashes_alike_in_every_run() -> None:
    first, second = (looked_up([udp(query("a.org"))])[0].rows["name_hash"][0] for _ in range(2))
    assert first == second != 0
