"""Error spikes and outages: the server or endpoint is named, however rows are cut; scans are none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import DetectionSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    Pool,
    features_of,
    join,
    real_alerts,
    run_transactions,
    transaction,
)


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
