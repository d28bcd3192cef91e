"""What a connection was: who opened it, why it ended, when, and under which row it was kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sensor.config import ReassemblySettings
from sensor.limits import PATHS_MAX
from sensor.schema import FlowFlag, Proto, Tunnel
from tests.traffic import (
    ACK,
    MS,
    PSH,
    RST,
    SECOND,
    START,
    SYN,
    Observer,
    Packet,
    Row,
    Talk,
    exchange,
    in_new_order,
    merged,
    observe,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def only(talk: Talk) -> Row:
    flows = observe(talk.packets).flows
    assert len(flows) == 1
    return flows[0]


@pytest.mark.parametrize(
    ("first", "orig_port"),
    [
        (Packet(START, "10.0.0.2", 80, "10.0.0.1", 40_000, SYN | ACK), 40_000),
        (Packet(START, "10.0.0.2", 80, "10.0.0.1", 40_000, ACK, payload=b"x"), 40_000),
        (Packet(START, "10.0.0.1", 40_000, "10.0.0.2", 80, ACK, payload=b"x"), 40_000),
        (Packet(START, "10.0.0.2", 8_080, "10.0.0.1", 40_000, ACK, payload=b"x"), 40_000),
        (Packet(START, "10.0.0.1", 80, "10.0.0.2", 40_000, SYN), 80),
    ],
    ids=["answer first", "server's port first", "client's port first", "registered port first", "a SYN beats ports"],
)
def test_who_opened_it(first: Packet, orig_port: int) -> None:
    assert observe([first]).flows[0]["orig_port"] == orig_port


def test_the_side_that_sends_requests_opened_a_connection_joined_midway() -> None:
    talk = Talk(source_port=80, target_port=40_000).client(GET).server(OK)
    flow = only(talk)
    assert flow["flags"] & FlowFlag.FLIPPED
    assert flow["orig_port"] == 40_000


def ended(talk: Talk) -> tuple[str, float]:
    """Why the flow ended, and how many seconds after its last packet, when other traffic goes on for 20 minutes."""
    clock = [Packet(START + i * SECOND, "10.9.9.9", 1, "10.9.9.8", 2, proto=int(Proto.UDP)) for i in range(1, 1_200)]
    flow = next(row for row in observe(merged(talk.packets, clock)).flows if row["proto"] == Proto.TCP)
    return flow["end_reason"], (flow["end_now"] - flow["last_ts"]) / SECOND


@pytest.mark.parametrize(
    ("talk", "reason", "seconds"),
    [
        (exchange(GET, OK), "FIN", 5),
        (Talk().open().client(GET).send(1, RST), "RESET", 5),
        (Talk().send(0, SYN), "IDLE", 5),
        (Talk().open().client(GET), "IDLE", 300),
        (Talk().client(GET), "IDLE", 300),
    ],
    ids=["closed", "reset", "attempt", "open", "midway"],
)
def test_idle_flows_end_in_packet_time(talk: Talk, reason: str, seconds: int) -> None:
    found, after = ended(talk)
    assert found == reason
    assert seconds < after <= seconds + 2


def test_udp_ends_after_its_own_time() -> None:
    def udp(ts: int, port: int) -> Packet:
        return Packet(START + ts, "10.0.0.1", port, "10.0.0.2", 53, payload=b"q", proto=int(Proto.UDP))

    flows = observe([udp(0, 1_000), udp(59 * SECOND, 1_000), udp(119 * SECOND, 1_000), udp(182 * SECOND, 2_000)]).flows
    assert [(flow["orig_port"], flow["end_reason"]) for flow in flows] == [(1_000, "IDLE"), (2_000, "CAPTURE_END")]
    assert flows[0]["orig"]["packets"] == 3


def test_a_flow_that_stays_busy_does_not_end() -> None:
    talk = Talk().open()
    for _ in range(50):
        talk.pause(250 * SECOND).client(b"x")
    assert [flow["orig"]["packets"] for flow in observe(talk.packets).flows] == [52]


def test_time_outs_may_be_longer_than_the_wheel_goes_round() -> None:
    talk = Talk().open().pause(4_000 * SECOND).client(b"x").pause(8_000 * SECOND)
    talk = Talk(source_port=40_001, start=talk.now, packets=talk.packets).open()
    flows = observe(talk.packets, reassembly=ReassemblySettings(flows_max=64, tcp_idle_seconds=5_000)).flows
    assert [(flow["orig_port"], flow["orig"]["packets"], flow["end_reason"]) for flow in flows] == [
        (40_000, 3, "IDLE"), (40_001, 2, "CAPTURE_END"),
    ]  # fmt: skip


def test_a_leap_of_packet_time_ends_what_was_idle_and_nothing_else() -> None:
    first, later = Talk().open(), Talk(source_port=40_001, start=START + 90_000 * SECOND).open()
    flows = observe(first.packets + later.packets).flows
    assert [(flow["orig_port"], flow["end_reason"]) for flow in flows] == [(40_000, "IDLE"), (40_001, "CAPTURE_END")]


def test_a_port_used_again_is_another_connection() -> None:
    first = exchange(GET, OK)
    second = exchange(GET, OK, start=START + 100 * MS, isn=(900_000, 700_000))
    outcome = observe(first.packets + second.packets)
    assert [(flow["conn_state"], flow["end_reason"]) for flow in outcome.flows] == [
        ("SF", "REUSED"), ("SF", "CAPTURE_END"),
    ]  # fmt: skip
    assert [(row["trans_depth"], row["status_code"]) for row in outcome.transactions] == [(1, 200), (1, 200)]


def test_a_port_used_again_after_a_silent_loss_of_its_end() -> None:
    first = Talk().open().client(GET).server(OK)
    second = exchange(GET, OK, start=START + 10 * SECOND, isn=(900_000, 700_000))
    assert [flow["end_reason"] for flow in observe(first.packets + second.packets).flows] == ["REUSED", "CAPTURE_END"]


def test_a_stray_syn_does_not_end_a_busy_connection() -> None:
    talk = Talk().open().client(GET)
    talk.send(0, SYN, seq=77_777).server(OK).close()
    outcome = observe(talk.packets)
    assert [flow["conn_state"] for flow in outcome.flows] == ["SF"]
    assert outcome.only["complete"]
    assert outcome.reassembly["syn_ignored"] == 1


def test_a_port_used_again_at_once_is_another_connection() -> None:
    """The end of the first one was lost, and its SYN comes while it is busy: what answers it tells."""
    first = Talk().open().client(GET).server(OK)
    second = exchange(GET, OK, start=first.now + MS, isn=(900_000, 700_000))
    outcome = observe(first.packets + second.packets)
    assert [(flow["conn_state"], flow["end_reason"]) for flow in outcome.flows] == [
        ("S1", "REUSED"), ("SF", "CAPTURE_END"),
    ]  # fmt: skip
    assert [(row["trans_depth"], row["status_code"]) for row in outcome.transactions] == [(1, 200), (1, 200)]


@pytest.mark.parametrize("seq", [0, 5_001 + (3 << 20), 5_001 - 70_000])
def test_a_reset_outside_the_window_closes_nothing(seq: int) -> None:
    talk = Talk().open().client(GET).send(1, RST, seq=seq).server(OK).close()
    outcome = observe(talk.packets)
    assert [flow["conn_state"] for flow in outcome.flows] == ["SF"]
    assert outcome.only["complete"]


@pytest.mark.parametrize(("content", "state"), [(b"", "REJ"), (GET, "RSTR")])
def test_resets_from_both_sides_are_named_as_zeek_does(content: bytes, state: str) -> None:
    talk = Talk().open().client(content).send(0, RST | ACK).send(1, RST | ACK)
    assert only(talk)["conn_state"] == state


def test_what_a_server_sent_before_its_syn_was_not_the_connections() -> None:
    """An answer to an older connection, as hosts challenge a SYN on a port they think is in use (RFC 5961, 4)."""
    talk = Talk().send(0, SYN).send(1, ACK, seq=3_000_000, ack=77)
    talk.packets += exchange(GET, OK, start=talk.now).packets
    outcome = observe(talk.packets)
    assert [flow["conn_state"] for flow in outcome.flows] == ["SF"]
    assert outcome.only["complete"]


def test_a_syn_sent_again_is_the_same_connection() -> None:
    talk = Talk().send(0, SYN).pause(SECOND).send(0, SYN, seq=1_000).send(1, SYN | ACK).send(0, ACK)
    talk.client(GET).server(OK).close()
    outcome = observe(talk.packets)
    assert [flow["conn_state"] for flow in outcome.flows] == ["SF"]
    assert outcome.only["complete"]


def test_a_reset_far_outside_the_window_is_ignored() -> None:
    talk = Talk().open().client(GET)
    talk.send(1, RST, seq=5_000 + (1 << 30)).server(OK).close()
    outcome = observe(talk.packets)
    assert [flow["conn_state"] for flow in outcome.flows] == ["SF"]
    assert outcome.reassembly["rst_ignored"] == 1


@pytest.mark.parametrize("apart", [True, False])
def test_each_direction_may_have_a_vlan_of_its_own(apart: bool) -> None:
    tagged = [replace(packet, vlan=7 if packet.sport == 80 else 8) for packet in exchange(GET, OK).packets]
    outcome = observe(tagged, reassembly=ReassemblySettings(flows_max=64, vlan_in_flow_key=apart))
    assert len(outcome.flows) == 1
    assert outcome.only["complete"]


@pytest.mark.parametrize("apart", [True, False])
def test_vlans_keep_connections_of_equal_addresses_apart_if_told(apart: bool) -> None:
    one, other = exchange(GET, OK, vlan=7), exchange(GET, OK, vlan=8, isn=(2_000_000_000, 3_000_000_000))
    both = merged(one.packets, [replace(packet, ts=packet.ts + 1_000) for packet in other.packets])
    outcome = observe(both, reassembly=ReassemblySettings(flows_max=64, vlan_in_flow_key=apart))
    assert apart == ([row["complete"] for row in outcome.transactions] == [True, True])


@pytest.mark.parametrize(("apart", "flows"), [(True, 2), (False, 1)])
def test_vlans_keep_datagrams_apart_if_told(apart: bool, flows: int) -> None:
    one, other = (Packet(START + i, "10.0.0.1", 5_000, "10.0.0.2", 53, proto=17, vlan=i) for i in (1, 2))
    asked = [replace(one, payload=b"query"), replace(other, payload=b"other")]
    outcome = observe(asked, reassembly=ReassemblySettings(flows_max=64, vlan_in_flow_key=apart))
    assert len(outcome.flows) == flows


@pytest.mark.parametrize("tunnel", [Tunnel.GTPU, Tunnel.MPLS, Tunnel.L2TP, Tunnel.GRE])
def test_each_direction_may_have_a_tunnel_id_of_its_own(tunnel: Tunnel) -> None:
    wrapped = [replace(packet, tunnel=int(tunnel), tunnel_id=packet.sport) for packet in exchange(GET, OK).packets]
    assert observe(wrapped).only["complete"]


def test_networks_with_equal_addresses_are_kept_apart_by_their_ids() -> None:
    talks = [exchange(GET, OK, isn=(77_777_777 * i, 99_999_999 * i)) for i in range(1, 6)]
    wrapped = merged(*(
        [replace(packet, ts=packet.ts + i, tunnel=int(Tunnel.VXLAN), tunnel_id=i) for packet in talk.packets]
        for i, talk in enumerate(talks)
    ))  # fmt: skip
    outcome = observe(wrapped)
    assert sorted(flow["tunnel_id"] for flow in outcome.flows) == [0, 1, 2, 3, 4]
    assert all(row["complete"] for row in outcome.transactions)
    assert len(outcome.transactions) == 5


def test_more_networks_than_can_be_told_apart_are_one_and_counted() -> None:
    attempts = [
        Packet(START + i, "10.0.0.1", 5_000, "10.0.0.2", 53, payload=bytes([i]), proto=17, vlan=i)
        for i in range(1, 41)
    ]
    outcome = observe(attempts)
    assert len(outcome.flows) == PATHS_MAX
    assert outcome.reassembly["paths_merged"] == 40 - PATHS_MAX


def test_the_oldest_flow_gives_way_when_the_table_is_full() -> None:
    talks = [Talk(source_port=40_000 + i, start=START + i * SECOND // 4).open() for i in range(12)]
    outcome = observe(merged(*(talk.packets for talk in talks)), reassembly=ReassemblySettings(flows_max=8))
    evicted = [flow["orig_port"] for flow in outcome.flows if flow["end_reason"] == "EVICTED"]
    assert evicted == [40_000, 40_001, 40_002, 40_003]
    assert all(bool(flow["flags"] & FlowFlag.EVICTED) == (flow["end_reason"] == "EVICTED") for flow in outcome.flows)
    assert (outcome.reassembly["flows_evicted"], outcome.reassembly["table_peak"]) == (4, 8)


def test_what_an_evicted_flow_had_open_is_handed_out() -> None:
    talks = [Talk(source_port=40_000 + i, start=START + i * SECOND).open().client(GET) for i in range(3)]
    outcome = observe(merged(*(talk.packets for talk in talks)), reassembly=ReassemblySettings(flows_max=2))
    assert sorted(row["client_port"] for row in outcome.transactions) == [40_000, 40_001, 40_002]
    assert outcome.transactions[0]["touched"]


def test_rows_are_used_again_and_again() -> None:
    observer = Observer(reassembly=ReassemblySettings(flows_max=16))
    for i in range(3_000):
        start = START + i * 10 * SECOND
        observer.feed(exchange(GET, OK, source_port=1_024 + i, start=start).packets)
        observer.feed(Talk(source_port=50_000, start=start + SECOND, isn=(i * 77, i)).send(0, SYN).packets)
    outcome = observer.finish()
    assert len(outcome.flows) == 6_000
    assert [flow["serial"] for flow in sorted(outcome.flows, key=lambda row: row["serial"])] == list(range(1, 6_001))
    assert outcome.reassembly["flows_evicted"] == 0
    assert outcome.reassembly["table_peak"] <= 4
    assert all(row["complete"] for row in outcome.transactions)
    assert len(outcome.transactions) == 3_000


def test_more_flows_in_one_batch_than_there_are_rows() -> None:
    attempts = [
        Packet(START + i * 1_000, "10.0.0.1", 1_024 + i % 60_000, f"10.1.{i >> 8}.{i & 255}", 80, SYN)
        for i in range(20_000)
    ]
    outcome = observe(attempts, reassembly=ReassemblySettings(flows_max=32))
    assert len(outcome.flows) == 20_000
    assert outcome.reassembly["flows_evicted"] == 20_000 - 32
    assert {flow["conn_state"] for flow in outcome.flows} == {"S0"}


def test_a_late_packet_of_a_closed_connection_belongs_to_it() -> None:
    talk = exchange(GET, OK)
    talk.pause(2 * SECOND).send(1, PSH | ACK, OK, seq=5_001)
    flows = observe(talk.packets).flows
    assert len(flows) == 1
    assert flows[0]["resp"]["retransmitted_bytes"] == len(OK)


def test_flows_do_not_depend_on_who_is_seen_first() -> None:
    talk = Talk().open().client(GET).server(OK).close()
    order = [1, 0, *range(2, len(talk.packets))]
    flow = observe(in_new_order(talk.packets, order)).flows[0]
    assert (flow["orig_port"], flow["conn_state"]) == (40_000, "SF")


def test_flows_end_when_time_goes_on_without_packets() -> None:
    observer = Observer()
    observer.wait(START)  # before any packet: nothing to end
    observer.feed(Talk().open().packets)
    observer.wait(START + 250 * SECOND)
    assert observer.flows_ended == 0
    observer.wait(START + 400 * SECOND)
    assert observer.flows_ended == 1
    (ended,) = observer.finish().flows
    assert ended["end_reason"] == "IDLE"


def test_time_told_between_packets_changes_nothing_of_what_packets_give() -> None:
    packets = exchange(GET, OK).packets
    observer = Observer()
    for packet in packets:
        observer.wait(packet.ts)
        observer.feed([packet])
    told, untold = observer.finish(), observe(packets)
    assert [flow["history"] for flow in told.flows] == [flow["history"] for flow in untold.flows]
    assert (told.transactions, told.bytes) == (untold.transactions, untold.bytes)
