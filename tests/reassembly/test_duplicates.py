"""Doubles of the mirror count once; what was sent twice stays sent twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.config import ReassemblySettings
from sensor.schema import Proto, Tunnel
from tests.traffic import ACK, MS, PSH, START, SYN, Outcome, Packet, Talk, doubled, exchange, merged, observe

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + bytes(5_000)
UDP = int(Proto.UDP)
DOUBLES = ("duplicate_packets", "duplicate_bytes")
Change = Callable[[Packet], Packet]
CHANGES: dict[str, Change] = {
    "nothing": lambda packet: packet,
    "ttl": lambda packet: replace(packet, ttl=packet.ttl - 1),
    "vlan": lambda packet: replace(packet, vlan=packet.vlan + 1),
    "ttl, vlan and id": lambda packet: replace(packet, ttl=63, vlan=9, ip_id=packet.ip_id ^ 0x5555),
    "a tunnel": lambda packet: replace(packet, tunnel=int(Tunnel.VXLAN), tunnel_id=4_242),
}


def keep_alive(requests: int = 4, **given: Any) -> list[Packet]:
    """A connection with acknowledgements between its messages."""
    talk = Talk(**given).open()
    for _ in range(requests):
        talk.client(GET).acknowledge(1).server(OK).acknowledge(0)
    return talk.close().packets


def copies(packets: list[Packet], after: int, change: Change) -> list[Packet]:
    return merged(packets, [replace(change(packet), ts=packet.ts + after) for packet in packets])


def figures(outcome: Outcome) -> tuple[list[Any], list[Any]]:
    """Transactions and flows without the counts of doubles and what packet time was when they ended."""
    flows = [
        flow | {side: {name: n for name, n in flow[side].items() if name not in DOUBLES} for side in ("orig", "resp")}
        for flow in outcome.flows
    ]
    for row in flows:
        del row["hash"], row["end_now"]  # keyed at random; the capture's end
    return [row | {"now": 0} for row in outcome.transactions], flows


@pytest.mark.parametrize("after", [0, 1_000, 900_000, 5 * MS, 40 * MS])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("keys", [True, False], ids=["paths in the key", "not in the key"])
def test_a_double_changes_nothing_but_the_count_of_doubles(after: int, change: Change, keys: bool) -> None:
    packets = keep_alive()
    settings = ReassemblySettings(flows_max=64, vlan_in_flow_key=keys, tunnel_in_flow_key=keys)
    once, twice = observe(packets), observe(copies(packets, after, change), reassembly=settings)
    assert figures(twice) == figures(once)
    assert sum(twice.flows[0][side]["duplicate_packets"] for side in ("orig", "resp")) == len(packets)
    assert twice.reassembly["duplicate_bytes"] == sum(packet.ip_len for packet in packets)
    assert twice.reassembly["packets"] == once.reassembly["packets"] == len(packets)


@pytest.mark.parametrize("after", [0, 1_000, 500_000])
def test_another_ip_id_within_the_round_trip_is_a_double(after: int) -> None:
    """Data and handshake; of bare acknowledgements without options nothing tells."""
    packets = Talk().open().client(GET).server(OK).client(GET).server(OK).packets
    outcome = observe(packets[:3] + copies(packets[3:], after, lambda p: replace(p, ip_id=p.ip_id + 1_000)))
    assert outcome.reassembly["duplicate_packets"] == len(packets) - 3
    assert figures(outcome) == figures(observe(packets))


@pytest.mark.parametrize("after", [0, 1_000, 5 * MS, 15 * MS])
def test_without_ip_ids_a_double_is_one_that_comes_too_soon(after: int) -> None:
    packets = [replace(packet, ip_id=0) for packet in keep_alive()]
    assert figures(observe(copies(packets, after, CHANGES["nothing"]))) == figures(observe(packets))


@pytest.mark.parametrize(("ip_id", "pause", "doubles"), [(None, 3, 0), (None, 250, 0), (0, 40, 0), (0, 250, 0)])
def test_a_retransmission_is_none(ip_id: int | None, pause: int, doubles: int) -> None:
    talk = Talk().open().client(GET).pause(pause * MS)
    talk.send(0, PSH | ACK, GET, seq=1_001).server(OK).close()
    packets = talk.packets if ip_id is None else [replace(packet, ip_id=ip_id) for packet in talk.packets]
    outcome = observe(packets)
    assert outcome.reassembly["duplicate_packets"] == doubles
    assert outcome.flows[0]["orig"]["retransmitted_bytes"] == len(GET)


def test_a_fast_retransmission_follows_a_report_of_loss_and_is_none() -> None:
    """Three equal acknowledgements, then the segment again, sooner than any clock would send it."""
    talk = Talk(step=100_000).open().client(GET)
    talk.server(OK)
    first = next(packet for packet in talk.packets if packet.sport == 80 and packet.payload)
    for _ in range(3):
        talk.send(0, ACK, ack=first.seq)
    talk.send(1, PSH | ACK, first.payload, seq=first.seq)
    outcome = observe([replace(packet, ip_id=0) for packet in talk.packets])
    assert outcome.flows[0]["resp"]["retransmitted_bytes"] == len(first.payload)
    assert outcome.flows[0]["resp"]["duplicate_packets"] == 0


def test_what_cannot_be_told_apart_is_counted_apart() -> None:
    talk = Talk().open().client(GET).acknowledge(1).acknowledge(1)
    stream = observe(talk.packets).flows[0]["resp"]
    assert (stream["packets"], stream["duplicate_packets"], stream["unsure_packets"]) == (3, 0, 1)


def test_equal_acknowledgements_with_options_are_doubles() -> None:
    """Time stamps or SACK blocks would tell a second one from the first."""
    talk = Talk().open().client(GET).acknowledge(1)

    class WithOptions(Packet):
        @property
        def ip_len(self) -> int:
            return super().ip_len + 12

    packets = [WithOptions(**vars(packet)) for packet in talk.packets]
    again = replace(packets[-1], ts=packets[-1].ts + 1_000, ip_id=999)
    assert observe([*packets, again]).flows[0]["resp"]["duplicate_packets"] == 1


def test_a_syn_sent_again_after_a_second_is_none() -> None:
    talk = Talk().send(0, SYN).pause(1_000 * MS).send(0, SYN, seq=1_000)
    stream = observe(talk.packets).flows[0]["orig"]
    assert (stream["packets"], stream["duplicate_packets"]) == (2, 0)


@pytest.mark.parametrize(
    ("ip_id", "after", "content", "doubles"),
    [
        (7, 50 * MS, b"query", 1),
        (8, 1_000, b"query", 0),
        (7, 150 * MS, b"query", 0),
        (7, 1_000, b"other", 0),
    ],
    ids=["the same id", "another id", "too late", "another content"],
)
def test_datagrams(ip_id: int, after: int, content: bytes, doubles: int) -> None:
    first = Packet(START, "10.0.0.1", 5_000, "10.0.0.2", 53, payload=b"query", proto=UDP, ip_id=7)
    second = replace(first, ts=START + after, ip_id=ip_id, payload=content)
    stream = observe([first, second]).flows[0]["orig"]
    assert (stream["packets"], stream["duplicate_packets"]) == (2 - doubles, doubles)


def test_a_double_of_a_segment_that_waits_for_its_turn() -> None:
    packets = exchange(GET, OK).packets
    late = [*packets[:4], *packets[5:7], packets[4], *packets[7:]]
    late = [replace(packet, ts=ts.ts) for packet, ts in zip(late, packets, strict=True)]
    assert figures(observe(doubled(late))) == figures(observe(late))


def test_a_lost_copy_leaves_one_and_the_flow_is_one() -> None:
    """Each packet in two VLANs; the mirror loses one of the two, now of this, now of that."""
    chance = random.Random(3)
    both = copies(keep_alive(20), 20_000, CHANGES["ttl, vlan and id"])
    lost = {i for i in range(0, len(both), 2) if chance.random() < 0.2}
    seen = [packet for i, packet in enumerate(both) if (i // 2 * 2 not in lost) or packet.vlan == chance.choice([0, 9])]
    outcome = observe(seen)
    assert len(outcome.flows) == 1
    assert len(outcome.transactions) == 20


@settings(max_examples=60, deadline=None)
@given(
    after=st.integers(0, 30 * MS),
    again=st.integers(2, 4),
    change=st.sampled_from(sorted(CHANGES)),
    seed=st.integers(0, 99),
)
def test_doubles_at_any_delay_with_other_traffic_between(after: int, again: int, change: str, seed: int) -> None:
    packets = merged(*(
        keep_alive(2, source_port=40_000 + i, start=START + i * 77_000, isn=(seed + i, seed * i)) for i in range(4)
    ))  # fmt: skip
    several = packets
    for i in range(1, again):
        several = merged(several, [replace(CHANGES[change](packet), ts=packet.ts + i * after) for packet in packets])
    assert figures(observe(several)) == figures(observe(packets))
    assert observe(several, batch=3).reassembly["duplicate_packets"] == (again - 1) * len(packets)
