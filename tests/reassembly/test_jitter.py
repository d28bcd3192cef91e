"""Capture queues and aggregation ports hand packets on out of order, by some packets or by part of a millisecond: all
was seen, so nothing is missing, no connection was joined midway, and every exchange is whole.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.protocols.http1.messages import request, response
from tests.traffic import ACK, MS, SYN, Packet, Talk, observe

MICRO = 1_000


def fast(exchanges: int = 6) -> list[Packet]:
    """A client and a server in one rack: a packet every 5 µs, an acknowledgement for every two."""
    talk = Talk(step=5 * MICRO).open()
    for number in range(exchanges):
        talk.client(request(f"/item/{number}"))
        content = response(b"x" * (20_000 + number))
        for begin in range(0, len(content), 2 * talk.mss):
            talk.server(content[begin : begin + 2 * talk.mss]).acknowledge(0)
        talk.pause(3 * MS)
    return talk.close().packets


FAST = fast()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([20, 100, 400]))
def test_jitter_loses_nothing(seed: int, micros: int) -> None:
    chance = random.Random(seed)
    late = [packet if i < 4 else replace(packet, ts=packet.ts + chance.randrange(micros * MICRO))
            for i, packet in enumerate(FAST)]  # fmt: skip
    outcome = observe(sorted(late, key=lambda packet: packet.ts))
    assert [(row["uri"], row["response_body_len"], row["anomalies"]) for row in outcome.transactions] == [
        (f"/item/{number}", 20_000 + number, set()) for number in range(6)
    ]
    (flow,) = outcome.flows
    assert (flow["orig"]["missing_bytes"], flow["resp"]["missing_bytes"], flow["conn_state"]) == (0, 0, "SF")


@settings(max_examples=40, deadline=None)
@example(3, 400)
@example(139, 400)
@given(st.integers(0, 2**32), st.sampled_from([100, 400, 2_000]))
def test_a_shuffled_handshake_makes_no_wrong_pair(seed: int, micros: int) -> None:
    """What lies before the first data that was seen of a side is not known to belong to the connection."""
    chance = random.Random(seed)
    late = [replace(packet, ts=packet.ts + chance.randrange(micros * MICRO)) for packet in FAST]
    for row in observe(sorted(late, key=lambda packet: packet.ts)).transactions:
        if row["request"] and row["response"] and row["response_body_max"] >= 0:
            assert row["response_body_max"] == 20_000 + int(row["uri"].rsplit("/", 1)[1])


def test_a_loss_is_known_for_one_soon() -> None:
    """The hole that was acknowledged is given up though a thousand packets follow at once."""
    lost = next(i for i, packet in enumerate(FAST) if len(packet.payload) == 1_460) + 2
    outcome = observe(FAST[:lost] + FAST[lost + 1 :])
    assert sum(row["response_missing_bytes"] for row in outcome.transactions) == len(FAST[lost].payload)
    assert len([row for row in outcome.transactions if row["complete"]]) >= 5


@pytest.mark.parametrize("place", range(1, 6))
def test_a_handshake_that_comes_behind_what_follows_it(place: int) -> None:
    """The SYN, or its answer, as late as behind the first exchange."""
    for first in (SYN, SYN | ACK):
        talk = Talk().open().client(request("/a")).server(response(b"a")).acknowledge(0)
        packets = talk.client(request("/b")).server(response(b"bb")).acknowledge(0).close().packets
        late = next(packet for packet in packets if packet.flags == first)
        others = [packet for packet in packets if packet is not late]
        times = [packet.ts for packet in packets]
        moved = [*others[:place], late, *others[place:]]
        outcome = observe([replace(packet, ts=ts) for packet, ts in zip(moved, times, strict=True)])
        assert [(row["uri"], row["response_body_len"]) for row in outcome.transactions] == [("/a", 1), ("/b", 2)]
        assert [flow["conn_state"] for flow in outcome.flows] == ["SF"]
