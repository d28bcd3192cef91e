"""Error spikes and outages: the server or endpoint is named, however rows are cut; scans are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import DetectionSettings, ErrorSpikeSettings, Settings
from sensor.detection.stage import DetectionStage
from sensor.pipeline import Pipeline
from sensor.schema import ConnState, EndReason, TcpFlag
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    Pool,
    alone,
    features_of,
    flow,
    join,
    real_alerts,
    run_flows,
    run_transactions,
    transaction,
)
from tests.traffic import ACK, RST, SECOND, SYN, Talk, exchange, merged, write_pcap
from tests.traffic import START as WIRE_START


def stage_of(pool: Pool) -> DetectionStage:
    others = {name: {"enabled": name == "error_spike"} for name in DetectionSettings.__struct_fields__}
    return DetectionStage(msgspec.convert(others, DetectionSettings), pool)


def found(rows: list[np.ndarray], pool: Pool, batch: int = 1 << 30) -> list[Detection]:
    last = transaction(pool, 3_000, "10.0.0.250", endpoint="/quiet", uri="/quiet")  # time goes on
    return run_transactions(stage_of(pool), join([*sorted(rows, key=lambda row: row["now"][0]), last]), batch)


def traffic(pool: Pool, start: int, stop: int, status: int = 200, **given: object) -> list[np.ndarray]:
    """Two requests a second, of eight clients in turn."""
    return [
        transaction(pool, n / 2, f"10.0.0.{n % 8}", status_code=status, **given)  # type: ignore[arg-type]
        for n in range(2 * start, 2 * stop)
    ]


def named(detections: list[Detection]) -> set[tuple[str, str, str]]:
    return {(each.rule.id, each.entity.kind, each.details.get("status", "")) for each in detections}


KINDS = {500: "5xx", 404: "4xx", 401: "401", 403: "403", 429: "429"}


@pytest.mark.parametrize(("status", "batch"), [(500, 1), (404, 7), (401, 1 << 30), (403, 1 << 30), (429, 1 << 30)])
def test_an_endpoint_that_begins_to_fail(status: int, batch: int) -> None:
    kind = KINDS[status]
    pool = Pool()
    rows = traffic(pool, 0, 40) + traffic(pool, 40, 70, status) + traffic(pool, 70, 90)
    rows += traffic(pool, 0, 90, endpoint="/other", uri="/other") * 6
    detections = found(rows, pool, batch)
    assert ("error-spike", "endpoint", kind) in named(detections)
    assert {each.details["status"] for each in detections} == {kind}
    assert all(each.client_ip is None for each in detections)
    first = detections[0]
    assert 40 <= first.now / 1e9 - 1_795_250_000 <= 50
    whole = found(rows, pool)
    assert [(each.now, each.entity, each.numbers) for each in detections] == [
        (each.now, each.entity, each.numbers) for each in whole
    ]


def test_a_server_that_fails_covers_its_endpoints() -> None:
    pool = Pool()
    rows = []
    for path in ("/a", "/b", "/c"):
        given = {"endpoint": path, "uri": path}
        rows += traffic(pool, 0, 40, **given) + traffic(pool, 40, 70, 500, **given) + traffic(pool, 70, 120, **given)
    (kind,) = {each.entity.kind for each in found(rows, pool)}
    assert kind == "server"


def test_one_client_that_fails_is_no_spike() -> None:
    pool = Pool()
    scan = [transaction(pool, 40 + n / 20, "10.0.0.99", uri=f"/{n}", status_code=404) for n in range(400)]
    assert found(traffic(pool, 0, 100) + scan, pool) == []


def test_a_share_that_was_always_there() -> None:
    pool = Pool()
    rng = np.random.default_rng(4)
    rows = [
        transaction(pool, n / 4, f"10.0.0.{n % 9}", status_code=401 if rng.random() < 0.15 else 200)
        for n in range(2_400)
    ]
    assert found(rows, pool) == []


def test_an_endpoint_that_never_worked_is_not_down() -> None:
    pool = Pool()
    assert found(traffic(pool, 0, 60, 503), pool) == []


@pytest.mark.parametrize("status", [503, 0])
def test_an_endpoint_goes_down_and_recovers(status: int) -> None:
    pool = Pool()
    rows = traffic(pool, 0, 40) + traffic(pool, 40, 100, status) + traffic(pool, 100, 120)
    outage = [each for each in found(rows, pool, 50) if each.rule.id == "api-endpoint-down"]
    assert [each.details["recovered"] for each in outage] == [False, False, True]
    assert outage[-1].details["down_seconds"] == pytest.approx(60, abs=6)
    assert outage[-1].count >= 110
    assert len({each.run for each in outage}) == 1


def test_what_is_usual_outlives_a_restart(tmp_path: Path) -> None:
    pool = Pool()
    first = stage_of(pool)
    run_transactions(first, join(traffic(pool, 0, 60)))
    detector, features = first.detectors["error_spike"], features_of(first)
    second = stage_of(pool)
    assert second.detectors["error_spike"].restore({name: each.copy() for name, each in detector.state().items()})
    spike = join([*traffic(pool, 100, 130, 500), transaction(pool, 200)])
    detections = second.process(
        spike, NO_FLOWS, NO_STREAMS, int(spike["now"][-1]), features.process(spike), features.tables
    )
    assert {each.rule.id for each in detections} == {"error-spike"}


def test_a_real_server_that_is_unwell() -> None:
    alerts = [alert for alert in real_alerts("15a-error-spike") if alert["rule_id"] == "error-spike"]
    assert alerts
    assert {alert["entity.kind"] for alert in alerts} <= {"server", "endpoint"}
    assert all(alert["client_ip"] is None for alert in alerts)


def test_a_real_server_that_is_well() -> None:
    rules = {"error-spike", "api-endpoint-down"}
    assert [alert for alert in real_alerts("01a-benign") if alert["rule_id"] in rules] == []


SERVICE, FRIENDS = "10.0.1.7", ("10.0.0.1", "10.0.0.2", "10.0.0.3")


def connections(start: int, stop: int, state: ConnState, clients: tuple[str, ...] = FRIENDS, **given: Any) -> list[Any]:
    """One connection a second to a service, of the clients in turn."""
    answered = state == ConnState.SF
    rows = []
    for n in range(start, stop):
        flows, streams = flow(n, state, clients[n % len(clients)], SERVICE, 5432, (90, 400) if answered else (0, 0))
        flows["end_reason"] = EndReason.FIN if answered else given.get("end_reason", EndReason.RESET)
        streams["tcp_flags"] = [TcpFlag.SYN, TcpFlag.SYN | TcpFlag.ACK if answered else TcpFlag.RST]
        rows.append((flows, streams))
    return rows


def outages(rows: list[Any], batch: int = 1 << 30, **settings: Any) -> list[Detection]:
    stage = DetectionStage(alone(error_spike=ErrorSpikeSettings(**settings)), Pool())
    return run_flows(stage, rows, batch)


REFUSED = connections(0, 60, ConnState.SF) + connections(60, 120, ConnState.REJ) + connections(120, 140, ConnState.SF)


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_a_service_that_refuses_connections_and_recovers(batch: int) -> None:
    found = outages(REFUSED, batch)
    assert {(one.rule.id, one.entity.kind, one.entity.value, one.client_ip) for one in found} == {
        ("api-endpoint-down", "server", f"{SERVICE}:5432", None)
    }
    assert [one.details["recovered"] for one in found] == [False, False, True]
    assert len({one.run for one in found}) == 1
    assert (found[-1].details["refused"], found[-1].details["clients"]) == (60, 3)
    assert (found[0].now - found[0].first_ts) // 10**9 == 10
    assert found == outages(REFUSED)


def test_connections_without_an_answer() -> None:
    rows = connections(0, 60, ConnState.SF) + connections(60, 90, ConnState.S0, end_reason=EndReason.IDLE)
    assert outages(rows)[0].details["unanswered"] == 11


def test_a_named_security_service_is_critical() -> None:
    found = outages(REFUSED, security_services={f"{SERVICE}:5432": "authentication"})
    assert {(one.rule.id, one.rule.severity, one.details["service"]) for one in found} == {
        ("security-service-down", "critical", "authentication")
    }


def test_a_security_service_that_answers_503() -> None:
    pool = Pool()
    rows = traffic(pool, 0, 40) + traffic(pool, 40, 80, 503)
    settings = ErrorSpikeSettings(security_services={"10.0.1.1:80": "WAF"})
    found = run_transactions(DetectionStage(alone(error_spike=settings), pool), join(rows))
    assert {one.rule.id for one in found if "down" in one.rule.id} == {"security-service-down"}


def test_who_was_never_answered_is_a_scanner_or_shut_out() -> None:
    strangers = tuple(f"203.0.113.{n}" for n in range(1, 40))
    assert outages(connections(0, 60, ConnState.SF) + connections(60, 160, ConnState.REJ, strangers)) == []


def test_one_client_that_is_shut_out_while_others_rest() -> None:
    assert outages(connections(0, 60, ConnState.SF) + connections(60, 160, ConnState.S0, FRIENDS[:1])) == []


def test_the_only_client_of_a_service_needs_twice_as_many() -> None:
    only = FRIENDS[:1]
    rows = connections(0, 60, ConnState.SF, only) + connections(60, 75, ConnState.REJ, only)
    assert [one.count for one in outages(rows)] == [11]


def test_a_service_that_answers_some_is_not_down() -> None:
    rows = connections(0, 60, ConnState.SF)
    for n in range(60, 160):
        rows += connections(n, n + 1, ConnState.SF if n % 4 == 0 else ConnState.REJ)
    assert outages(rows) == []


def test_a_restart_of_seconds_is_no_outage() -> None:
    rows = connections(0, 60, ConnState.SF) + connections(60, 69, ConnState.REJ) + connections(69, 80, ConnState.SF)
    assert outages(rows) == []


def test_answers_on_a_connection_that_lives_tell_of_recovery() -> None:
    pool = Pool()
    stage = DetectionStage(alone(error_spike=ErrorSpikeSettings()), pool)
    down = run_flows(stage, connections(0, 60, ConnState.SF) + connections(60, 80, ConnState.REJ))
    assert [one.details["recovered"] for one in down] == [False]
    answer = transaction(pool, 90, FRIENDS[0], server=SERVICE)
    answer["server_port"] = 5432
    assert [one.details["recovered"] for one in run_transactions(stage, answer)] == [True]


def test_an_outage_goes_on_over_a_restart() -> None:
    before, after = (DetectionStage(alone(error_spike=ErrorSpikeSettings()), Pool()) for _ in range(2))
    found = run_flows(before, REFUSED[:80])
    saved = {name: each.copy() for name, each in before.memories["detection.error_spike"].state().items()}
    assert after.memories["detection.error_spike"].restore(saved)
    assert found + run_flows(after, REFUSED[80:]) == outages(REFUSED)


def test_packets_of_a_server_that_stops_and_comes_back(tmp_path: Path) -> None:
    """From the wire: a second apart, ten clients are answered, then reset, then answered again."""
    talks = []
    for n in range(90):
        given = {"source": f"10.0.0.{n % 10}", "source_port": 30_000 + n, "start": WIRE_START + n * SECOND}
        if 40 <= n < 70:
            talks.append(Talk(**given).send(0, SYN).send(1, RST | ACK))
        else:
            talks.append(exchange(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n", **given))
    capture = write_pcap(tmp_path / "stopped.pcap", merged(*(talk.packets for talk in talks)))
    settings = Settings(detection=alone(error_spike=ErrorSpikeSettings()))
    alerts = [alert for batch in Pipeline(settings, [str(capture)]) for alert in batch.alerts]
    assert {(alert.rule_id, alert.entity.value) for alert in alerts} == {("api-endpoint-down", "10.0.0.2:80")}
    assert alerts[0].details["recovered"] is False
    assert alerts[-1].details["recovered"] is True
    assert alerts[-1].details["refused"] == 25  # the last five were not over yet
