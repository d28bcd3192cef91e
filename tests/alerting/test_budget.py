"""A budget of false alerts: rules that cry every day are held to what is rare; what is far above is told anyway."""

from __future__ import annotations

import msgspec
import numpy as np

from sensor.alert import Detection, Numbers, Severity
from sensor.alerting.budget import Budget
from sensor.alerting.stage import AlertingStage
from sensor.config import AlertingSettings
from tests.alerting.detections import SECOND, detection

QUIET_NS = 300 * SECOND
DAY = 86_400


def verdict(at_seconds: float, score: float, who: str, name: str = "noisy", **given: object) -> Detection:
    numbers = Numbers(observed=score, threshold=1.0, unit="things", window_seconds=60.0)
    return detection(at_seconds, name, who, numbers=numbers, **given)


def noise(days: int, per_day: int, seed: int = 1) -> list[Detection]:
    """A rule that fires all day long, mostly just above its threshold, about somebody else each time."""
    random = np.random.default_rng(seed)
    times = np.sort(random.uniform(0, days * DAY, days * per_day))
    scores = 1 + random.exponential(0.3, len(times))
    pairs = enumerate(zip(times, scores, strict=True))
    return [verdict(at, score, f"10.0.{i // 250}.{i % 250}") for i, (at, score) in pairs]


def admitted(budget: Budget, detections: list[Detection]) -> list[Detection]:
    return [one for one in detections if budget.admits(one)]


def test_without_a_budget_everything_is_told() -> None:
    detections = noise(3, 50)
    assert admitted(Budget(0.0, QUIET_NS), detections) == detections


def test_no_more_than_the_budget_once_the_rule_is_known() -> None:
    told = admitted(Budget(2.0, QUIET_NS), noise(28, 40))
    later = [one for one in told if one.now >= 7 * DAY * SECOND]
    assert 5 <= len(later) <= 2 * 21 * 1.3
    assert len([one for one in told if one.now < DAY * SECOND]) <= 12


def test_what_is_far_above_its_past_is_told() -> None:
    budget = Budget(1.0, QUIET_NS)
    admitted(budget, noise(14, 40))
    assert budget.admits(verdict(14 * DAY + 1, 30.0, "10.9.9.9"))


def test_critical_is_always_told() -> None:
    budget = Budget(0.1, QUIET_NS)
    admitted(budget, noise(2, 40))
    assert not budget.admits(verdict(2 * DAY + 1, 1.0, "10.9.9.9"))
    assert budget.admits(verdict(2 * DAY + 2, 1.0, "10.9.9.8", severity=Severity.CRITICAL))


def test_a_rule_that_never_cries_has_its_share() -> None:
    budget = Budget(2.0, QUIET_NS)
    admitted(budget, noise(14, 40))
    assert budget.admits(verdict(14 * DAY + 1, 1.1, "10.9.9.9", name="quiet"))


def test_repeats_of_what_is_held_back_count_once_until_it_is_worse() -> None:
    budget = Budget(0.1, QUIET_NS)
    admitted(budget, noise(3, 40))
    repeats = [verdict(3 * DAY + second, 1.2, "10.9.9.9") for second in range(500)]
    assert admitted(budget, repeats) == []
    assert len(budget.state()[1]["noisy"].scores) <= 3 * 40 + 3
    assert not budget.admits(verdict(3 * DAY + 501, 100.0, "10.9.9.9"))  # once in three days is more than 0.1 a day
    assert len(budget.state()[1]["noisy"].scores) == 3 * 40 + 2


def test_a_restart_does_not_forget_the_past() -> None:
    first, second = Budget(1.0, QUIET_NS), Budget(1.0, QUIET_NS)
    detections = noise(20, 40)
    half = len(detections) // 2
    told = admitted(first, detections[:half])
    second.restore(*first.state())
    assert told + admitted(second, detections[half:]) == admitted(Budget(1.0, QUIET_NS), detections)


def test_the_stage_counts_what_is_held_back_and_keeps_the_past() -> None:
    settings = AlertingSettings(sensor="lab", false_alerts_per_day_max=1.0)
    stage, other = AlertingStage(settings), AlertingStage(settings)
    detections = noise(2, 40)
    alerts = stage.process(detections, 2 * DAY * SECOND)
    counts = stage.counters.as_dict()
    assert counts["held_back"] + counts["raised"] == len(detections)
    assert len({alert.alert_id for alert in alerts}) == counts["raised"] < 10
    assert other.restore({name: array.copy() for name, array in stage.state().items()})
    assert msgspec.json.encode(other._budget.state()) == msgspec.json.encode(stage._budget.state())
