"""The limits that ship as Sigma files: each holds where it says and not below; one of them blocks for half an hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sensor.alert import Alert, Severity
from sensor.alerting.stage import AlertingStage
from sensor.cli.rules import rules_setting
from sensor.collector.response.choose import asks
from sensor.config import ActionSettings, AlertingSettings, SigmaSettings
from sensor.detection.sigma.rules import LIMITS, load
from sensor.detection.signatures.ruleset import shipped_folder
from sensor.detection.stage import DetectionStage
from sensor.schema import TransactionFlag
from tests.detection.tables import SECOND, Pool, alone, join, login, run_transactions, transaction

Rows = list[np.ndarray]
REFUSED = TransactionFlag.REQUEST | TransactionFlag.RESPONSE | TransactionFlag.LOGIN | TransactionFlag.LOGIN_FAILED


def failures(pool: Pool, count: int, seconds: float, clients: int = 1) -> Rows:
    """So many failed logins, this far apart, of so many clients in turn."""
    return [login_failed(pool, n * seconds, f"10.0.0.{1 + n % clients}") for n in range(count)]


def login_failed(pool: Pool, seconds: float, client: str) -> np.ndarray:
    row = login(pool, seconds, client)
    row["flags"] = REFUSED
    return row


def requests(pool: Pool, count: int, seconds: float, start: float = 0, **given: object) -> Rows:
    return [transaction(pool, start + n * seconds, **given) for n in range(count)]


def surge(pool: Pool, times: float) -> Rows:
    """Two hours of a request every two seconds, then `times` as many for five minutes."""
    steady = requests(pool, 3600, 2.0)
    return steady + requests(pool, round(150 * times), 2.0 / times, start=7200)


CASES: list[tuple[str, Severity, Callable[[Pool], Rows], Callable[[Pool], Rows]]] = [
    ("sigma-limit-more-than-5-failed-logins-in-2-minutes", Severity.HIGH,
     lambda pool: failures(pool, 6, 20), lambda pool: failures(pool, 40, 24.1)),
    ("sigma-limit-more-than-5-failed-logins-in-2-minutes", Severity.HIGH,
     lambda pool: failures(pool, 6, 1), lambda pool: failures(pool, 15, 1, clients=3)),
    ("sigma-limit-more-than-10-failed-logins-in-5-minutes", Severity.HIGH,
     lambda pool: failures(pool, 11, 29), lambda pool: failures(pool, 40, 30.5)),
    ("sigma-limit-requests-above-3-times-their-average-for-5-minutes", Severity.MEDIUM,
     lambda pool: surge(pool, 4), lambda pool: surge(pool, 2.5)),
    ("sigma-limit-more-than-1000-records-in-1-minute", Severity.HIGH,
     lambda pool: requests(pool, 11, 5, records=100), lambda pool: requests(pool, 60, 6.1, records=100)),
    ("sigma-limit-more-than-60-requests-a-minute-with-a-burst-of-100", Severity.MEDIUM,
     lambda pool: requests(pool, 401, 0.1), lambda pool: requests(pool, 400, 0.1)),
]  # fmt: skip


def found(rows: Callable[[Pool], Rows], batch: int = 1 << 30) -> dict[str, int]:
    pool = Pool()
    stage = DetectionStage(alone(sigma=SigmaSettings(rules=(LIMITS,))), pool)
    counts: dict[str, int] = {}
    for each in run_transactions(stage, join(rows(pool)), batch):
        counts[each.rule.id] = counts.get(each.rule.id, 0) + 1
    return counts


@pytest.mark.parametrize(("rule", "severity", "above", "below"), CASES, ids=[case[0][6:] for case in CASES])
def test_each_limit_holds_above_it_and_not_below(
    rule: str, severity: Severity, above: Callable[[Pool], Rows], below: Callable[[Pool], Rows]
) -> None:
    assert rule in found(above)
    assert rule not in found(below)
    assert {each.rule.id: each.rule.severity for each in load([LIMITS]).correlations}[rule] == severity


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_limits_are_the_same_however_rows_are_cut_into_batches(batch: int) -> None:
    assert found(lambda pool: failures(pool, 60, 7, clients=2), batch) == found(
        lambda pool: failures(pool, 60, 7, clients=2)
    )


def test_every_file_loads_says_what_it_covers_and_has_its_cases() -> None:
    loaded = load([LIMITS])
    assert loaded.problems == []
    assert {each.rule.id for each in loaded.correlations} == {case[0] for case in CASES}
    assert len(list((shipped_folder() / LIMITS).glob("*.yml"))) == len(loaded.correlations)
    for each in loaded.correlations:
        assert each.rule.owasp, each.rule.id
        assert each.rule.attack, each.rule.id


def test_the_command_line_takes_their_name() -> None:
    assert rules_setting(["default", "limits"]) == [
        'detection.signatures.rules=["default"]',
        'detection.sigma.rules=["limits"]',
    ]


def test_failed_logins_ask_for_a_block_of_half_an_hour() -> None:
    pool = Pool()
    stage = DetectionStage(alone(sigma=SigmaSettings(rules=(LIMITS,))), pool)
    detections = run_transactions(stage, join(failures(pool, 6, 1)))
    alerting = AlertingStage(AlertingSettings(sensor="a"))
    alerts: list[Alert] = alerting.process(detections, detections[-1].now + SECOND, {})
    page = (Path(__file__).parents[3] / "docs" / "sigma.md").read_text(encoding="utf-8")
    assert 'rules = ["sigma-limit-more-than-5-failed-logins-in-2-minutes"]' in page
    action = ActionSettings(
        name="block", severities=(Severity.HIGH,), rules=("sigma-limit-more-than-5-failed-logins-in-2-minutes",)
    )
    assert [asks(action, alert) for alert in alerts] == [True]
    assert action.ttl_seconds == 30 * 60
