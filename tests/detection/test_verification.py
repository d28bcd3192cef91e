"""Continuous verification: an identity's score rises with requests unlike its own; people who move, renew their tokens
or get a new browser do not reach it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sensor
from sensor.alert import Detection, Severity
from sensor.config import Settings, VerificationSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import REAL, START, Pool, alone, join, run_transactions, transaction

STACKS = {"own": 3 << 32 | 0x1111, "other": 4 << 32 | 0x2222}


def stage_of(pool: Pool, **given: float) -> DetectionStage:
    return DetectionStage(alone(verification=VerificationSettings(enabled=True, **given)), pool)  # type: ignore[arg-type]


def request(pool: Pool, second: float, **given: object) -> np.ndarray:
    """Of one person with a laptop."""
    usual = {"client": "203.0.113.7", "user": 77, "subject": 5, "user_agent": "Firefox", "stack": STACKS["own"]}
    return transaction(pool, second, **{**usual, **given})


def usual(pool: Pool, until: float = 7200) -> list[np.ndarray]:
    return [request(pool, second) for second in np.arange(0, until, 60)]


def scores(found: list[Detection]) -> list[tuple[int, float, str]]:
    return [((each.now - START) // 10**9, each.numbers.observed, each.severity.value) for each in found]  # type: ignore[union-attr]


STOLEN = {"client": "198.51.100.9", "user_agent": "python-requests", "stack": STACKS["other"]}


@pytest.mark.parametrize("batch", [1, 50, 10_000])
def test_a_credential_in_other_hands_rises_request_by_request(batch: int) -> None:
    pool = Pool()
    rows = usual(pool) + [request(pool, 7200 + n, **STOLEN) for n in range(20)]
    found = run_transactions(stage_of(pool), join(rows), batch)
    assert [(second, severity) for second, _, severity in scores(found)] == [
        (7202, "medium"), (7206, "medium"), (7214, "high"),
    ]  # fmt: skip
    first = found[0]
    assert first.entity.value == f"{5:016x}"
    assert first.details == {"unlike": ["client stack", "network", "user agent"], "known_seconds": 7202}
    assert first.numbers.observed == pytest.approx(12, abs=0.1)
    assert first.client_ip == "198.51.100.9"


def test_a_role_that_it_never_had_counts_with_one_other_thing() -> None:
    pool = Pool()
    rows = [request(pool, second, role=1) for second in np.arange(0, 7200, 60)]
    rows += [request(pool, 7200 + n, role=9, client="198.51.100.9") for n in range(4)]
    assert [(second, severity) for second, _, severity in scores(run_transactions(stage_of(pool), join(rows)))] == [
        (7202, "medium")
    ]


BENIGN = {
    "the office's network": {"client": "192.0.2.9"},
    "a proxy on the way": {"client": "192.0.2.9", "stack": STACKS["other"]},
    "a browser's update": {"user_agent": "Firefox 2"},
    "a new token": {"user": 78},
    "a new token at the office": {"user": 78, "client": "192.0.2.9"},
    "nothing else": {},
}


@pytest.mark.parametrize("changed", BENIGN.values(), ids=BENIGN)
def test_what_people_do_is_not_told(changed: dict[str, object]) -> None:
    pool = Pool()
    rows = usual(pool) + [request(pool, 7200 + n, **changed) for n in range(200)]
    assert run_transactions(stage_of(pool), join(rows)) == []


def test_a_new_device_with_a_login_of_its_own_is_low() -> None:
    pool = Pool()
    rows = usual(pool) + [request(pool, 7200 + n, **STOLEN, user=99) for n in range(5)]
    found = run_transactions(stage_of(pool), join(rows))
    assert {each.severity for each in found} == {Severity.LOW}


def test_what_goes_on_for_a_day_is_what_the_identity_is_like() -> None:
    pool = Pool()
    stage = stage_of(pool, adopt_seconds=3600)
    rows = usual(pool) + [request(pool, 7200 + 60 * n, **STOLEN) for n in range(70)]
    told = run_transactions(stage, join(rows))
    assert told
    assert told[-1].now < START + 11_000 * 10**9
    later = [request(pool, 40_000 + n, **STOLEN) for n in range(50)]
    assert run_transactions(stage, join(later)) == []


def test_identities_that_are_new_and_clients_without_credentials_have_no_score() -> None:
    pool = Pool()
    rows = [request(pool, n, **STOLEN if n % 2 else {}) for n in range(200)]
    rows += [transaction(pool, 300 + n, f"10.0.{n % 9}.1", user_agent=f"a{n}", stack=n) for n in range(100)]
    assert run_transactions(stage_of(pool), join(rows)) == []


def test_a_score_falls_to_half_in_an_hour() -> None:
    pool = Pool()
    rows = usual(pool) + [request(pool, 7200 + 3600 * n, **STOLEN) for n in range(20)]
    assert run_transactions(stage_of(pool), join(rows)) == []  # 4 + 4/2 + 4/4 ... stays below 8


def test_what_is_known_survives_a_restart() -> None:
    pool = Pool()
    first, second = stage_of(pool), stage_of(pool)
    run_transactions(first, join(usual(pool)))
    state = first.memories["detection.verification"].state()
    assert second.memories["detection.verification"].restore({name: array.copy() for name, array in state.items()})
    rows = [request(pool, 7200 + n, **STOLEN) for n in range(3)]
    assert len(run_transactions(second, join(rows))) == 1


def test_the_oldest_identity_gives_way_and_is_counted() -> None:
    pool = Pool()
    stage = stage_of(pool, identities_max=4)
    run_transactions(stage, join([request(pool, n, subject=n + 1) for n in range(10)]))
    assert stage.detectors["verification"].evicted == 6


@pytest.mark.skipif(not REAL.exists(), reason="needs the captures in ../shared/real")
@pytest.mark.parametrize("name", ["01a-benign", "13-stolen-token"])
def test_real_clients_once_they_are_known(name: str) -> None:
    """Known after thirty seconds, where an hour is the default: benign ones are quiet even so."""
    given = VerificationSettings(enabled=True, known_seconds=30)
    alerts = sensor.read(str(Path(REAL / f"{name}.pcap.xz")), Settings(detection=alone(verification=given))).alerts
    told = [alert for alert in alerts.to_dicts() if alert["severity"] != "low"]
    assert {alert["rule_id"] for alert in told} <= ({"identity-risk"} if "stolen" in name else set())
