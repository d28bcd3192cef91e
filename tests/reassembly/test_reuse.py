"""A port that is used again is another connection, whatever was lost of the old one's end and the new one's start."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.traffic import ACK, FIN, MS, SYN, Packet, Talk, exchange, observe, one_way, without

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def after(first: Talk, **given: int) -> Talk:
    """Another exchange from the same port, a moment later."""
    return exchange(GET, OK, start=first.now + 10 * MS, isn=(900_000, 700_000), **given)  # type: ignore[arg-type]


def both(first: Talk, second: list[Packet]) -> list[Packet]:
    return list(chain(first.packets, second))


@pytest.mark.parametrize("side", [0, 1])
def test_of_one_direction_too(side: int) -> None:
    """No answer to the SYN is ever seen: what its sender says with its numbers tells."""
    first = Talk().open().client(GET).server(OK)
    outcome = observe(one_way(both(first, after(first).packets), side))
    assert [flow["end_reason"] for flow in outcome.flows] == ["REUSED", "CAPTURE_END"]
    assert [bool(row["request"]) for row in outcome.transactions] == [side == 0] * 2


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("lost", [(1,), (1, 2), (1, 2, 3), (0,)])
def test_with_a_handshake_that_lost_packets(closed: bool, lost: tuple[int, ...]) -> None:
    first = Talk().open().client(GET).server(OK)
    if closed:
        first.close()
    outcome = observe(both(first, without(after(first).packets, *lost)))
    assert [flow["end_reason"] for flow in outcome.flows] == ["REUSED", "CAPTURE_END"]
    assert outcome.flows[1]["orig_port"] == 40_000
    assert len([row for row in outcome.transactions if row["response"]]) == 2
    assert not any(flow["orig"]["missing_bytes"] for flow in outcome.flows[:1])


def test_with_no_handshake_when_the_old_one_was_closed() -> None:
    first = exchange(GET, OK)
    outcome = observe(both(first, without(after(first).packets, 0, 1, 2)))
    assert [flow["end_reason"] for flow in outcome.flows] == ["REUSED", "CAPTURE_END"]
    assert [row["status_code"] for row in outcome.transactions] == [200, 200]


def test_what_the_old_one_still_sends_is_not_the_new_ones() -> None:
    """The server repeats its FIN between the new SYN and the answer to it."""
    first = Talk().open().client(GET).server(OK).close()
    second = after(first)
    late = Talk(start=second.packets[0].ts + 1).send(1, FIN | ACK, seq=first.next[1] - 1, ack=first.next[0]).packets
    outcome = observe(both(first, [second.packets[0], *late, *second.packets[1:]]))
    assert [(row["status_code"], row["complete"]) for row in outcome.transactions] == [(200, True)] * 2
    assert [flow["resp"]["missing_bytes"] for flow in outcome.flows] == [0, 0]


def test_a_forged_syn_with_near_numbers_ends_nothing() -> None:
    """The connection goes on through the numbers that the SYN named."""
    talk = Talk().open().client(GET)
    talk.send(0, SYN, seq=talk.next[0] + 3_000)
    for _ in range(200):
        talk.server(OK).client(GET)
    outcome = observe(talk.server(OK).close().packets)
    assert [flow["conn_state"] for flow in outcome.flows] == ["SF"]
    assert len([row for row in outcome.transactions if row["complete"]]) == 201
