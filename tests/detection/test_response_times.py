"""Response times: an endpoint that has become slow is named, however rows are cut; one client's are not it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import ResponseTimesSettings, Settings
from sensor.detection.stage import DetectionStage
from sensor.pipeline import Pipeline
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    Pool,
    alone,
    features_of,
    join,
    real_alerts,
    run_transactions,
    transaction,
)
from tests.traffic import SECOND, Talk, merged, write_pcap
from tests.traffic import START as WIRE_START

RNG = np.random.default_rng(11)
NOISE = np.exp(0.4 * RNG.standard_normal(100_000))
"""Factors around a median wait: one in a hundred is 2.5 times it."""


def answer(pool: Pool, seconds: float, client: str, wait_ms: float, **given: Any) -> np.ndarray:
    row = transaction(pool, seconds, client, **given)
    row["request_end_ts"] = row["ts"]
    row["response_ts"] = row["ts"] + round(wait_ms * 1e6)
    row["now"] = row["response_end_ts"] = row["response_ts"]
    return row


def answers(pool: Pool, start: int, stop: int, wait_ms: float, clients: int = 8, **given: Any) -> list[np.ndarray]:
    """Two answers a second, to clients in turn."""
    return [
        answer(pool, n / 2, f"10.0.0.{n % clients}", wait_ms * NOISE[n], **given) for n in range(2 * start, 2 * stop)
    ]


def stage_of(pool: Pool, **settings: Any) -> DetectionStage:
    return DetectionStage(alone(response_times=ResponseTimesSettings(**settings)), pool)


def found(rows: list[np.ndarray], pool: Pool, batch: int = 1 << 30, **settings: Any) -> list[Detection]:
    return run_transactions(stage_of(pool, **settings), join(sorted(rows, key=lambda row: row["now"][0])), batch)


@pytest.mark.parametrize("batch", [1, 37, 1 << 30])
def test_an_endpoint_that_has_become_slow(batch: int) -> None:
    pool = Pool()
    rows = answers(pool, 0, 100, 20) + answers(pool, 100, 200, 200) + answers(pool, 200, 260, 20)
    rows += answers(pool, 0, 260, 20, endpoint="/other", uri="/other")
    detections = found(rows, pool, batch)
    assert {(each.rule.id, each.entity.kind, each.entity.value) for each in detections} == {
        ("response-time-shift", "endpoint", "GET api.test/things")
    }
    assert all(each.client_ip is None for each in detections)
    first, last = detections[0], detections[-1]
    assert 120 <= first.now / 1e9 - 1_795_250_000 <= 130
    assert last.now / 1e9 - 1_795_250_000 <= 210
    assert first.numbers.baseline == pytest.approx(20, rel=0.2)
    assert first.numbers.observed == pytest.approx(200, rel=0.3)
    assert first.details["clients"] == 8
    whole = found(rows, pool)
    assert [(each.now, each.numbers, each.count) for each in detections] == [
        (each.now, each.numbers, each.count) for each in whole
    ]


def test_a_slow_server_is_named_instead_of_its_endpoints() -> None:
    pool = Pool()
    rows = []
    for path in ("/a", "/b", "/c", "/d", "/e"):
        given = {"endpoint": path, "uri": path}
        rows += answers(pool, 0, 100, 20, **given) + answers(pool, 100, 300, 300, **given)
    detections = found(rows, pool)
    assert [each.entity.kind for each in detections[:3]] == ["endpoint", "endpoint", "server"]
    assert {each.entity.kind for each in detections[2:]} == {"server"}
    assert detections[2].entity.value == "10.0.1.1:80"
    assert detections[2].severity == "medium"


def test_a_pause_and_some_more_load_are_no_shift() -> None:
    pool = Pool()
    rows = answers(pool, 0, 100, 20) + answers(pool, 100, 110, 900) + answers(pool, 110, 200, 20)
    rows += answers(pool, 200, 300, 44)
    assert found(rows, pool) == []


def test_two_kinds_of_answers_are_usual() -> None:
    """One in six is looked up afresh; for a while it is one in two."""
    pool = Pool()
    rows = answers(pool, 0, 150, 20)[::2] + answers(pool, 0, 150, 400)[1::10]
    rows += answers(pool, 150, 250, 20)[::2] + answers(pool, 150, 250, 400)[1::2]
    assert found(rows, pool) == []


def test_what_one_client_asks_for_is_its_own_doing() -> None:
    pool = Pool()
    rows = answers(pool, 0, 100, 20)
    rows += [answer(pool, 100 + n / 10, "10.0.0.99", 800, uri=f"/things?depth={n}") for n in range(1_000)]
    rows += answers(pool, 100, 200, 20)
    assert found(rows, pool) == []


def test_an_endpoint_of_one_client_is_told_of_too() -> None:
    pool = Pool()
    rows = answers(pool, 0, 400, 20, clients=1) + answers(pool, 400, 600, 200, clients=1)
    assert {each.entity.kind for each in found(rows, pool)} == {"endpoint"}


def test_errors_and_what_was_lost_say_nothing() -> None:
    pool = Pool()
    rows = answers(pool, 0, 100, 20)
    rows += answers(pool, 100, 200, 900, status_code=504)
    assert found(rows, pool) == []


def test_a_shift_that_stays_becomes_usual() -> None:
    pool = Pool()
    rows = answers(pool, 0, 100, 20) + answers(pool, 100, 1_000, 200)
    times = [each.now / 1e9 - 1_795_250_000 for each in found(rows, pool, adopt_seconds=300.0)]
    assert max(times) < 410
    assert min(times) < 130


def test_what_is_usual_outlives_a_restart() -> None:
    pool = Pool()
    rows = join(answers(pool, 0, 100, 20) + answers(pool, 100, 200, 200))
    expected = run_transactions(stage_of(pool), rows)
    assert expected
    before, after = stage_of(pool), stage_of(pool)
    features = features_of(before)
    at = 215
    run_transactions(before, rows[:at])
    saved = {name: each.copy() for name, each in before.memories["detection.response_times"].state().items()}
    assert after.memories["detection.response_times"].restore(saved)
    part = rows[at:].copy()
    entities = features.process(part)
    hits = after.process(part, NO_FLOWS, NO_STREAMS, int(part["now"][-1]), entities, features.tables)
    assert [(each.now, each.numbers) for each in hits] == [(each.now, each.numbers) for each in expected]


def test_packets_of_a_server_that_becomes_slow(tmp_path: Path) -> None:
    """From the wire, on connections that are kept open and for two requests each."""
    talks = []
    for n in range(300):
        talk = Talk(source=f"10.0.1.{n % 10}", source_port=30_000 + n, start=WIRE_START + n * SECOND // 3).open()
        for _ in range(2):
            wait = 400 if n >= 150 else 10 + n % 7
            talk.client(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").pause(wait * 1_000_000)
            talk.server(b"HTTP/1.1 204 No Content\r\n\r\n")
        talks.append(talk.close())
    capture = write_pcap(tmp_path / "slow.pcap", merged(*(talk.packets for talk in talks)))
    settings = Settings(detection=alone(response_times=ResponseTimesSettings()))
    alerts = [alert for batch in Pipeline(settings, [str(capture)]) for alert in batch.alerts]
    assert {(alert.rule_id, alert.entity.value, alert.client_ip) for alert in alerts} == {
        ("response-time-shift", "GET a/a", None)
    }
    assert 65 <= alerts[0].ts - WIRE_START / SECOND <= 85
    assert alerts[0].numbers.observed == pytest.approx(400, rel=0.2)


def test_real_endpoints_that_are_well() -> None:
    for name in ("01a-benign", "09-bulk-exfil"):
        assert [alert for alert in real_alerts(name) if alert["rule_id"] == "response-time-shift"] == []
