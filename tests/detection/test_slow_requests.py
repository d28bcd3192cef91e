"""Slow HTTP: heads and bodies that never end are told; cut uploads, silent servers and losses are not."""

from __future__ import annotations

import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import SlowRequestsSettings
from sensor.detection.detectors.slow_requests import SlowRequests
from sensor.detection.stage import DetectionStage
from sensor.schema import Anomaly, TransactionFlag
from tests.detection.tables import SECOND, START, Pool, alone, join, run_transactions, transaction

ATTACKER, USER = "10.0.0.9", "10.0.0.1"
HEAD = Anomaly.REQUEST_GAP | Anomaly.RESPONSE_MISSING
BODY = Anomaly.REQUEST_UNFINISHED | Anomaly.RESPONSE_MISSING
LEAST = SlowRequestsSettings().requests_min


def stage_of(pool: Pool) -> DetectionStage:
    return DetectionStage(alone(slow_requests=SlowRequestsSettings()), pool)


def found(rows: list[np.ndarray], pool: Pool, batch: int = 1 << 30) -> list[Detection]:
    return run_transactions(stage_of(pool), join(sorted(rows, key=lambda row: row["now"][0])), batch)


def kept_open(
    pool: Pool, count: int, client: str = ATTACKER, anomalies: int = HEAD, seconds: float = 40.0, **given: object
) -> list[np.ndarray]:
    values = {"status_code": 0, "response_body_len": 0, "flags": TransactionFlag.REQUEST, "version": 11} | given
    return [
        transaction(
            pool, seconds + n, client, ts=START + n * SECOND, anomalies=anomalies, **values  # type: ignore[arg-type]
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("anomalies", [HEAD, BODY])
@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_many_requests_that_never_end(anomalies: int, batch: int) -> None:
    pool = Pool()
    detections = found(kept_open(pool, 3 * LEAST, anomalies=anomalies), pool, batch)
    assert {(each.rule.id, each.entity.value) for each in detections} == {("slow-http", ATTACKER)}
    assert detections[0].count == LEAST
    assert detections[0].first_ts == START
    whole = found(kept_open(pool, 3 * LEAST, anomalies=anomalies), pool)
    assert [(each.now, each.count) for each in detections] == [(each.now, each.count) for each in whole]


def unread(pool: Pool, count: int, client: str = ATTACKER, **given: object) -> list[np.ndarray]:
    facts = {
        "anomalies": Anomaly.RESPONSE_UNFINISHED | Anomaly.RESPONSE_LENGTH_BOUND, "status_code": 200,
        "response_body_len": 900, "response_body_max": 3_000,
        "flags": TransactionFlag.REQUEST | TransactionFlag.REQUEST_DONE | TransactionFlag.RESPONSE,
    }  # fmt: skip
    return kept_open(pool, count, client, **{**facts, **given})  # type: ignore[arg-type]


def test_answers_that_one_client_takes_byte_by_byte() -> None:
    pool = Pool()
    assert {each.entity.value for each in found(unread(pool, 2 * LEAST), pool)} == {ATTACKER}


@pytest.mark.parametrize(
    "given",
    [
        {"response_body_max": 900},                                             # a stream that has no end
        {"seconds": 4.0},                                                           # a page that was left
        {"response_body_len": 900_000, "response_body_max": 9_000_000},         # a film that was stopped
        {"response_missing_bytes": 2_000},
        {"anomalies": Anomaly.RESPONSE_UNFINISHED | Anomaly.RESPONSE_GAP},
    ],
)  # fmt: skip
def test_answers_that_nobody_drags(given: dict[str, object]) -> None:
    pool = Pool()
    assert found(unread(pool, 3 * LEAST, USER, **given), pool) == []


def test_a_server_that_stalls_is_no_client_s_doing() -> None:
    pool = Pool()
    rows = unread(pool, 2 * LEAST, USER) + [row for n in range(8) for row in unread(pool, 5, f"10.0.7.{n}")]
    assert "client" not in {each.entity.kind for each in found(rows, pool)}


def test_a_few_are_anybody_s() -> None:
    pool = Pool()
    assert found(kept_open(pool, LEAST - 1), pool) == []
    slowly = [row for n in range(200) for row in kept_open(pool, 1, seconds=40 + 60 * n)]
    assert found(slowly, pool) == []


def test_many_clients_with_a_few_each_are_the_server_s_case() -> None:
    pool = Pool()
    rows = [row for n in range(30) for row in kept_open(pool, 5, f"10.0.7.{n}")]
    assert {each.entity.kind for each in found(rows, pool)} == {"server"}


def test_uploads_that_were_cut_short() -> None:
    pool = Pool()
    assert found(kept_open(pool, 60, USER, BODY, request_body_len=900_000), pool) == []
    assert found(kept_open(pool, 60, USER, BODY, seconds=3.0, request_body_len=80), pool) == []


def test_a_server_that_does_not_answer() -> None:
    pool = Pool()
    flags = TransactionFlag.REQUEST | TransactionFlag.REQUEST_DONE
    assert found(kept_open(pool, 60, USER, Anomaly.RESPONSE_MISSING, flags=flags), pool) == []


def test_streams_of_http2_stay_open_by_design() -> None:
    pool = Pool()
    assert found(kept_open(pool, 60, USER, BODY, version=20), pool) == []


@pytest.mark.parametrize("lost", [{"request_missing_bytes": 40}, {"anomalies": BODY | Anomaly.MIDSTREAM}])
def test_what_the_mirror_lost(lost: dict[str, int]) -> None:
    pool = Pool()
    assert found(kept_open(pool, 60, USER, **lost), pool) == []  # type: ignore[arg-type]


def test_a_restart_costs_nothing() -> None:
    pool = Pool()
    rows = kept_open(pool, LEAST)
    before, after = stage_of(pool), stage_of(pool)
    assert run_transactions(before, join(rows[:12])) == []
    (old,), (new,) = before.detectors.values(), after.detectors.values()
    assert isinstance(old, SlowRequests)
    assert isinstance(new, SlowRequests)
    assert new.restore(old.state())
    assert [each.count for each in run_transactions(after, join(rows[12:]))] == [LEAST]
