"""Port scans: what is one, what is not, and that thresholds are exact."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.config import PortScanSettings
from sensor.detection.stage import DetectionStage
from sensor.schema import ConnState, FlowFlag, Proto, TcpFlag
from tests.detection.tables import START, Pool, alone, flow, run_flows
from tests.oracles.windows import targets_within

SETTINGS = PortScanSettings(pairs_max=64)
ATTEMPTS = [ConnState.S0, ConnState.REJ, ConnState.RSTOS0, ConnState.SH, ConnState.RSTRH, ConnState.RSTO]


def scan(rows, settings=SETTINGS, batch=1 << 30):
    stage = DetectionStage(alone(port_scan=settings), Pool())
    return run_flows(stage, rows, batch)


def ports(count, state=ConnState.REJ, gap=0.1, **given):
    return [flow(i * gap, state, port=1000 + i, **given) for i in range(count)]


@pytest.mark.parametrize("state", ATTEMPTS)
def test_vertical_needs_exactly_so_many_ports(state):
    assert scan(ports(SETTINGS.ports_min - 1, state)) == []
    (found,) = scan(ports(SETTINGS.ports_min, state))
    assert found.rule.id == "port-scan-vertical"
    assert (found.entity.kind, found.entity.value) == ("client", "10.0.0.1")
    assert found.numbers.observed == found.numbers.threshold == found.count == SETTINGS.ports_min
    assert found.details == {"host": "10.0.1.1", "latest_ports": list(range(1000, 1000 + SETTINGS.ports_min))}
    assert (found.first_ts, found.last_ts) == (START, found.now)
    assert found.server_ip == "10.0.1.1"
    assert found.community_id.startswith("1:")


@pytest.mark.parametrize("state", ATTEMPTS)
def test_horizontal_needs_exactly_so_many_hosts(state):
    rows = [flow(i, state, host=f"10.0.2.{i}", port=22) for i in range(SETTINGS.hosts_min)]
    assert scan(rows[:-1]) == []
    (found,) = scan(rows)
    assert found.rule.id == "port-scan-horizontal"
    assert found.details["port"] == 22
    assert set(found.details["latest_hosts"]) == {f"10.0.2.{i}" for i in range(SETTINGS.hosts_min)}


def test_ipv6_hosts_are_told_apart_by_all_128_bits():
    same_low = [flow(i, ConnState.S0, "2001:db8::9", f"2001:db8:{i:x}::1", 22) for i in range(SETTINGS.hosts_min)]
    (found,) = scan(same_low)
    assert found.entity.value == "2001:db8::9"
    assert "2001:db8:3::1" in found.details["latest_hosts"]


def test_a_target_tried_again_is_one_target():
    """A dead server is retried for hours."""
    assert scan([flow(i, ConnState.S0, port=80 + i % 3) for i in range(500)]) == []


@pytest.mark.parametrize("state", [ConnState.SF, ConnState.S1, ConnState.RSTR, ConnState.OTH, ConnState.S3])
def test_connections_that_stood_are_no_attempts(state):
    assert scan(ports(100, state)) == []


@pytest.mark.parametrize("payload", [(1, 0), (0, 1)])
def test_flows_with_data_are_no_attempts(payload):
    """A client that resets its connection after use; one direction of the mirror missing."""
    assert scan(ports(100, ConnState.RSTO, payload=payload)) == []


def test_connections_joined_midway_do_not_count():
    rows = ports(100, ConnState.REJ, flags=FlowFlag.MIDSTREAM)
    for _, streams in rows:
        streams["tcp_flags"] = TcpFlag.ACK
    assert scan(rows) == []


@pytest.mark.parametrize("flags", [0, TcpFlag.FIN, TcpFlag.FIN | TcpFlag.PSH | TcpFlag.URG])
def test_segments_that_no_stack_sends_first(flags):
    """NULL, FIN and Xmas scans: closed ports answer with RST, open ones not at all."""
    rows = ports(100, ConnState.OTH, flags=FlowFlag.MIDSTREAM)
    for _, streams in rows:
        streams["tcp_flags"] = [flags, TcpFlag.RST]
    assert {one.rule.id for one in scan(rows)} == {"port-scan-vertical"}


@pytest.mark.parametrize("flags", [TcpFlag.ACK, TcpFlag.FIN | TcpFlag.ACK])
def test_segments_of_no_connection_that_closed_ports_reset(flags):
    """ACK and Maimon scans. A server's last words to clients that are gone come from the lower port."""

    def late(first, port):
        rows = ports(100, ConnState.OTH, flags=FlowFlag.MIDSTREAM)
        for ended, streams in rows:
            ended["orig_port"], ended["resp_port"] = (port, first + ended["resp_port"])
            streams["tcp_flags"] = [flags, TcpFlag.RST]
        return rows

    assert {one.rule.id for one in scan(late(0, 45_000))} == {"port-scan-vertical"}
    assert scan(late(40_000, 8_080)) == []


def test_udp_counts_where_nobody_answers():
    assert {one.rule.id for one in scan(ports(100, ConnState.S0, proto=Proto.UDP))} == {"port-scan-vertical"}
    answered = ports(100, ConnState.SF, proto=Proto.UDP)
    for _, streams in answered:
        streams["packets"] = 1
    assert scan(answered) == []


def test_slower_than_the_window_is_quiet():
    gap = SETTINGS.window_seconds / (SETTINGS.ports_min - 1)
    assert scan(ports(100, gap=gap + 0.001)) == []
    assert len(scan(ports(SETTINGS.ports_min, gap=gap))) == 1


def test_clients_are_not_added_up():
    """15 users behind one address are one client, but 15 addresses are not."""
    assert scan([flow(i, ConnState.REJ, f"10.0.0.{i}", port=1000 + i) for i in range(100)]) == []


def test_a_large_scan_is_told_a_few_times_with_its_counts():
    found = scan(ports(5_000, gap=0.001))
    assert found[-1].count == pytest.approx(5_000, rel=1 / 60)
    assert found[-1].numbers.observed == found[-1].count
    assert len(found) < 64 * 6
    assert len({one.run for one in found}) == 1


def test_a_scan_that_goes_on_slowly_is_told_again():
    rows = ports(100) + [flow(10 + 20 * i, ConnState.S0, port=i) for i in range(100)]
    nows = [found.now for found in scan(rows)]
    assert max(later - earlier for earlier, later in pairwise(nows)) <= 40 * 10**9
    assert nows[-1] >= START + 1_970 * 10**9


attempts = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 2), st.sampled_from([ConnState.REJ, ConnState.SF])),
    max_size=60,
)


@settings(deadline=None)
@given(attempts, st.integers(1, 5), st.integers(1, 8))
def test_verdicts_are_those_of_the_slow_twin(tried, ports_min, window):
    """With room to spare, a detection is made exactly at the attempts that bring a pair over the threshold."""
    settings = PortScanSettings(ports_min=ports_min, hosts_min=1_000, window_seconds=window, pairs_max=16)
    rows, expected, past, over, now = [], [], {}, {}, 0
    for gap, port, host, state in tried:
        now += gap
        rows.append(flow(now, state, host=f"10.0.1.{host}", port=port))
        if state == ConnState.REJ:
            past.setdefault(host, []).append((now, port))
            is_over = len(targets_within(past[host], window)) >= ports_min
            if is_over and not over.get(host):
                expected.append((now, f"10.0.1.{host}"))
            over[host] = is_over
    found = scan(rows, settings)
    begun = {one.run: ((one.now - START) // 10**9, one.server_ip) for one in reversed(found)}
    assert sorted(begun.values()) == sorted(expected)


def test_pairs_beyond_the_budget_give_way_and_are_counted():
    stage = DetectionStage(alone(port_scan=PortScanSettings(pairs_max=8)), Pool())
    run_flows(stage, [flow(i, ConnState.S0, f"10.9.{i // 200}.{i % 200}") for i in range(1_000)])
    assert stage.counters.as_dict()["evicted"] == 2 * (1_000 - 8)


def test_batches_do_not_matter():
    random = np.random.default_rng(5)
    rows = []
    for i in range(600):
        client, state = f"10.0.0.{random.integers(3)}", random.choice([*ATTEMPTS, ConnState.SF])
        rows.append(flow(i // 4, state, client, f"10.0.1.{random.integers(3)}", int(random.integers(12))))
    small = PortScanSettings(ports_min=8, hosts_min=3, window_seconds=60, pairs_max=10)

    def in_order(found):
        return sorted(found, key=lambda one: (one.now, one.rule.id))

    whole = scan(rows, small)
    assert len(whole) > 20
    for batch in (1, 7, 100):
        assert in_order(scan(rows, small, batch)) == in_order(whole)
