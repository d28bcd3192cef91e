"""DNS tunnels: data in names is told, fast or slow, in many flows or one; ordinary questions, however many, are not."""

from __future__ import annotations

import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import DnsTunnelSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors.dns_tunnel import DnsTunnel
from sensor.detection.stage import DetectionStage
from sensor.schema import ConnState, Proto
from tests.detection.tables import Pool, alone, flow, run_flows

INSIDER, RESOLVER = "10.0.0.9", "10.0.1.53"
Rows = list[tuple[np.ndarray, np.ndarray]]


def questions(seconds: float, size: int, count: int = 1, proto: int = Proto.UDP, told: int = 0):
    """A flow of so many questions of `size` bytes each, and their answers."""
    row = flow(seconds, ConnState.SF, INSIDER, RESOLVER, 53, (size * count, 90 * count), proto=proto)
    row[1]["packets"] = count + (6 if proto == Proto.TCP else 0)
    row[1]["told_bytes"][0] = told
    return row


def found(rows: Rows, batch: int = 1 << 30) -> list[Detection]:
    return run_flows(DetectionStage(alone(dns_tunnel=DnsTunnelSettings()), Pool()), rows, batch)


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_data_in_many_questions(batch: int) -> None:
    rows = [questions(n, 220) for n in range(200)]
    detections = found(rows, batch)
    assert {(each.rule.id, each.entity.value) for each in detections} == {("dns-tunnel", INSIDER)}
    assert 20_000 <= detections[0].numbers.observed < 20_000 + 220
    assert detections[0].details["bytes_a_question"] == 220
    assert [(each.now, each.count) for each in detections] == [(each.now, each.count) for each in found(rows)]


def test_one_flow_with_everything() -> None:
    assert found([questions(10, 200, 5_000)])
    assert found([questions(10, 600, 60, Proto.TCP)])


def test_a_drip_adds_up_over_a_day() -> None:
    (hit, *_) = found([questions(80 * n, 240) for n in range(1_000)])
    assert hit.numbers.window_seconds == 86_400
    assert found([questions(200 * n, 240) for n in range(1_000)]) == []


@pytest.mark.parametrize("size", [33, 60, 101, 113])
def test_ordinary_questions(size: int) -> None:
    """Hosts, services, addresses of IPv6 backwards, with and without EDNS and cookies."""
    assert found([questions(0.1 * n, size) for n in range(20_000)]) == []


def test_a_few_long_questions() -> None:
    assert found([questions(20 * n, 180) for n in range(100)]) == []


def test_bytes_of_a_living_flow_count_once() -> None:
    one = DnsTunnel(DnsTunnelSettings(), Pool())
    (flows, streams), (later, later_streams) = questions(10, 200, 60), questions(20, 200, 120, told=12_000)
    nothing = flow(0)[0][:0], flow(0)[1][:0]
    assert one.process(Batch(None, *nothing, 0, None, None, told=flows, told_streams=streams)) == []  # type: ignore[arg-type]
    (hit,) = one.process(Batch(None, later, later_streams, 0, None, None))  # type: ignore[arg-type]
    assert hit.numbers.observed == 24_000


def test_a_restart_costs_nothing() -> None:
    before, after = DnsTunnel(DnsTunnelSettings(), Pool()), DnsTunnel(DnsTunnelSettings(), Pool())
    first, second = questions(1, 200, 70), questions(2, 200, 70)
    assert before.process(Batch(None, *first, 0, None, None)) == []  # type: ignore[arg-type]
    assert after.restore(before.state())
    assert [hit.numbers.observed for hit in after.process(Batch(None, *second, 0, None, None))] == [28_000]  # type: ignore[arg-type]
