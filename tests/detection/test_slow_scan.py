"""Slow and scattered scans: one probe a minute adds up, as do few ports on each of few hosts; dead targets do not."""

from __future__ import annotations

import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import SlowScanSettings
from sensor.detection.stage import DetectionStage
from sensor.schema import ConnState, FlowFlag, Proto, TcpFlag
from tests.detection.tables import Pool, alone, flow, run_flows

SETTINGS = SlowScanSettings(clients_max=64)
SCANNER = "10.0.0.9"
Rows = list[tuple[np.ndarray, np.ndarray]]


def scan(rows: Rows, batch: int = 1 << 30) -> list[Detection]:
    rows = sorted(rows, key=lambda row: row[0]["end_now"][0])
    return run_flows(DetectionStage(alone(slow_scan=SETTINGS), Pool()), rows, batch)


def used(count: int, apart: float, client: str = SCANNER) -> Rows:
    return [flow(apart * n, ConnState.SF, client, f"10.0.8.{n % 200}", 443, (500, 9_000)) for n in range(count)]


def one_a_minute(count: int, **given: object) -> Rows:
    return [flow(60 * n, ConnState.S0, SCANNER, port=1 + n, **given) for n in range(count)]  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_one_probe_a_minute(batch: int) -> None:
    assert scan(one_a_minute(SETTINGS.targets_min - 1), batch) == []
    found = scan(one_a_minute(60), batch)
    assert {(each.rule.id, each.entity.value) for each in found} == {("port-scan-slow", SCANNER)}
    assert found[0].count == SETTINGS.targets_min
    assert (found[0].details["hosts"], found[0].details["ports"]) == (1, SETTINGS.targets_min)
    assert [(each.now, each.count) for each in found] == [(each.now, each.count) for each in scan(one_a_minute(60))]


def test_a_few_ports_on_each_of_a_few_hosts() -> None:
    rows = [
        flow(0.5 * (9 * port + host), ConnState.REJ, SCANNER, f"10.0.1.{host}", 8_000 + port)
        for port in range(9)
        for host in range(9)
    ]
    (entity,) = {each.entity.value for each in scan(rows)}
    assert entity == SCANNER


def test_a_fast_scan_is_told_by_the_rules_for_it() -> None:
    assert scan([flow(0.01 * n, ConnState.REJ, SCANNER, port=1 + n) for n in range(200)]) == []
    assert scan([flow(0.01 * n, ConnState.REJ, SCANNER, f"10.0.1.{n}", 22) for n in range(200)]) == []


def test_a_proxy_that_meets_dead_hosts() -> None:
    dead = [flow(600 * n, ConnState.S0, SCANNER, f"203.0.113.{n}", 443) for n in range(100)]
    assert scan(dead + used(3_000, 20.0)) == []
    assert scan(dead)


def test_dead_targets_that_are_tried_for_days() -> None:
    assert scan([flow(30 * n, ConnState.S0, SCANNER, f"10.0.1.{n % 20}", 5_432) for n in range(5_000)]) == []


def test_slower_than_a_day() -> None:
    assert scan([flow(3_600 * n, ConnState.S0, SCANNER, port=1 + n) for n in range(100)]) == []


@pytest.mark.parametrize("flags", [0, TcpFlag.FIN, TcpFlag.FIN | TcpFlag.PSH | TcpFlag.URG])
def test_segments_that_no_stack_sends_first(flags: int) -> None:
    rows = one_a_minute(40, flags=FlowFlag.MIDSTREAM)
    for _, streams in rows:
        streams["tcp_flags"][0] = flags
    assert scan(rows)


def test_connections_joined_midway_are_no_attempts() -> None:
    rows = one_a_minute(40, flags=FlowFlag.MIDSTREAM)
    for _, streams in rows:
        streams["tcp_flags"][0] = TcpFlag.ACK
    assert scan(rows) == []


def test_udp_that_nobody_answers() -> None:
    assert scan(one_a_minute(40, proto=Proto.UDP))
    assert scan(one_a_minute(40, proto=Proto.UDP, client_port=53)) == []  # answers whose questions were not seen
    lookups = [flow(60 * n, ConnState.S0, SCANNER, f"203.0.113.{n}", 53, proto=Proto.UDP) for n in range(100)]
    traces = [flow(60 * n, ConnState.S0, SCANNER, port=33_434 + n, proto=Proto.UDP) for n in range(100)]
    assert scan(lookups) == scan(traces) == []


def test_clients_beyond_the_budget_give_way_and_are_counted() -> None:
    stage = DetectionStage(alone(slow_scan=SETTINGS), Pool())
    run_flows(stage, [flow(n, ConnState.S0, f"10.9.{n // 200}.{n % 200}") for n in range(1_000)])
    assert stage.counters.as_dict()["evicted"] == 1_000 - 64
