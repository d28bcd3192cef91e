"""Windows that run over a restart: what a detector would have said, it says, wherever the sensor was stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import BeaconingSettings, ErrorSpikeSettings, RequestRateSettings, WebScanSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import NO_FLOWS, NO_STREAMS, Pool, alone, features_of, join, transaction

SCANNER, CALLER, FAR = "10.0.0.9", "10.0.0.8", "203.0.113.7"
SETTINGS = {
    "error_spike": ErrorSpikeSettings(),
    "web_scan": WebScanSettings(),
    "request_rate": RequestRateSettings(client_per_minute_max=60, window_seconds=120.0, burst_max=0),
    "beaconing": BeaconingSettings(),
}


def traffic(pool: Pool) -> np.ndarray:
    """Five minutes of eight clients, in which an endpoint fails, one client scans, one asks too much, one calls far."""
    rows = []
    for n in range(600):
        broken = 200 <= n < 320
        rows.append(transaction(pool, n / 2, f"10.0.0.{n % 7}", status_code=500 if broken else 200))
        rows.append(transaction(pool, n / 2 + 0.1, "10.0.0.7", endpoint="/list", uri=f"/list?page={n}"))
        if n % 3 == 0:
            rows.append(transaction(pool, n / 2 + 0.2, SCANNER, status_code=404, uri=f"/try/{n}", endpoint=f"/try/{n}"))
        if n % 10 == 0 and n >= 60:
            rows.append(transaction(pool, n / 2 + 0.3, CALLER, server=FAR, request_body_len=90))
    return join(sorted(rows, key=lambda row: row["now"][0]))


def judge(stage: DetectionStage, rows: np.ndarray, features: Any) -> list[Detection]:
    found = []
    for start in range(0, len(rows), 50):
        part = rows[start : start + 50].copy()
        entities = features.process(part)
        found += stage.process(part, NO_FLOWS, NO_STREAMS, int(part["now"][-1]), entities, features.tables)
    return found


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("cut", [0.35, 0.45, 0.61])
def test_a_restart_costs_nothing(name: str, cut: float) -> None:
    pool = Pool()
    rows = traffic(pool)
    settings = alone(**{name: SETTINGS[name]})
    whole = DetectionStage(settings, pool)
    expected = judge(whole, rows, features_of(whole))
    assert expected

    before, after = DetectionStage(settings, pool), DetectionStage(settings, pool)
    features, at = features_of(before), int(cut * len(rows))
    found = judge(before, rows[:at], features)
    saved = {key: array.copy() for key, array in before.memories[f"detection.{name}"].state().items()}
    assert after.memories[f"detection.{name}"].restore(saved)
    found += judge(after, rows[at:], features)
    assert [(each.now, each.rule.id, each.entity, each.numbers) for each in found] == [
        (each.now, each.rule.id, each.entity, each.numbers) for each in expected
    ]
