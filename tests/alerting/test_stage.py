"""Alerting: repeats fold, revisions are few, closings fall at their packet time, and batches do not matter."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.alert import Alert, Detection, Numbers, Severity, State
from sensor.alerting.own_health import BLIND, own_health
from sensor.alerting.stage import AlertingStage
from sensor.config import AlertingSettings
from tests.alerting.detections import SECOND, detection

SETTINGS = AlertingSettings(sensor="tap-1", quiet_seconds=300.0, update_seconds=10.0)


def run(detections: list[Detection], end_seconds: int = 100_000) -> list[Alert]:
    stage = AlertingStage(SETTINGS)
    return stage.process(detections, end_seconds * SECOND) + stage.finish(end_seconds * SECOND)


def story(alerts: list[Alert]) -> list[tuple[str, float, int]]:
    return [(alert.state.value, alert.ts, alert.count) for alert in alerts]


def test_one_detection_is_raised_and_closes_after_the_quiet_time():
    raised, closed = run([detection(100, count=6)])
    assert (raised.state, raised.revision, raised.ts) == (State.RAISED, 1, 100.0)
    assert (closed.state, closed.revision, closed.ts) == (State.CLOSED, 2, 400.0)
    assert raised.alert_id == closed.alert_id
    assert (raised.first_seen, raised.last_seen, raised.count) == (99.0, 100.0, 6)
    assert (raised.severity, raised.respond_within, raised.respond_within_seconds) == (Severity.MEDIUM, "1 h", 3_600)


def test_thousands_of_repeats_are_few_revisions():
    alerts = run([detection(100 + i, count=i) for i in range(1, 5_001)])
    assert len(alerts) <= 15
    assert (alerts[-1].state, alerts[-1].count, alerts[-1].ts) == (State.CLOSED, 5_000, 5_400.0)
    assert alerts[-1].first_seen == 100.0
    assert alerts[-1].last_seen == 5_100.0


def test_an_update_waits_for_twice_the_count_and_for_its_time():
    counts = {100: 5, 101: 50, 110: 51, 120: 60}
    alerts = run([detection(at, count=count) for at, count in counts.items()])
    assert story(alerts) == [("raised", 100.0, 5), ("updated", 110.0, 51), ("closed", 420.0, 60)]


def test_what_has_grown_is_told_when_its_time_comes_though_nothing_more_is_added():
    alerts = run([detection(100, count=1), detection(101, count=352_713)])
    assert story(alerts) == [("raised", 100.0, 1), ("updated", 110.0, 352_713), ("closed", 401.0, 352_713)]


def test_an_update_that_waits_is_kept_with_the_state():
    before, after = AlertingStage(SETTINGS), AlertingStage(SETTINGS)
    told = before.process([detection(100, count=1), detection(101, count=9)], 105 * SECOND)
    assert after.restore(before.state())
    assert story(told + after.process([], 120 * SECOND)) == [("raised", 100.0, 1), ("updated", 110.0, 9)]


def test_a_risen_severity_does_not_wait_and_never_falls():
    alerts = run([
        detection(100, count=5), detection(101, count=6, severity=Severity.CRITICAL), detection(102, count=7),
    ])  # fmt: skip
    assert [(alert.state, alert.severity) for alert in alerts] == [
        (State.RAISED, Severity.MEDIUM), (State.UPDATED, Severity.CRITICAL), (State.CLOSED, Severity.CRITICAL),
    ]  # fmt: skip
    assert alerts[-1].respond_within == "now"


def test_what_comes_after_the_quiet_time_is_a_new_alert():
    alerts = run([detection(100), detection(399.999999999), detection(700)])
    assert story(alerts) == [("raised", 100.0, 1), ("closed", 700.0, 1), ("raised", 700.0, 1), ("closed", 1_000.0, 1)]
    assert len({alert.alert_id for alert in alerts}) == 2


def test_a_case_that_its_detector_takes_up_again_is_a_new_alert_too():
    """Its window is longer than the quiet time: it speaks of the same first packet. Who stores alerts by id keeps both.
    """
    again = msgspec.structs.replace(detection(900, count=9), first_ts=detection(100).first_ts)
    alerts = run([detection(100), again])
    assert [alert.state for alert in alerts] == [State.RAISED, State.CLOSED, State.RAISED, State.CLOSED]
    assert len({(alert.alert_id, alert.revision) for alert in alerts}) == 4


def test_other_rules_and_entities_are_other_alerts():
    alerts = run([detection(100), detection(100, "other"), detection(100, who="10.0.0.2")])
    assert len({alert.alert_id for alert in alerts}) == 3


def test_runs_add_up_and_their_repeats_do_not():
    repeats = [("a", 5), ("b", 7), ("a", 9)]
    assert run([detection(100, count=count, run=name) for name, count in repeats])[-1].count == 16
    many = [detection(100 + i, count=2, run=str(i)) for i in range(200)]
    assert run(many)[-1].count == 400


def test_the_figures_are_those_of_the_worst_moment():
    def taken(observed):
        return Numbers(observed=observed, threshold=10.0, unit="bytes", window_seconds=60.0)

    alerts = run([detection(100 + i, numbers=taken(observed)) for i, observed in enumerate([20, 90, 30])])
    assert alerts[-1].numbers.observed == 90


def test_the_end_closes_what_is_open_at_its_own_time():
    alerts = run([detection(100), detection(150, who="10.0.0.2")], end_seconds=420)
    assert story(alerts) == [("raised", 100.0, 1), ("raised", 150.0, 1), ("closed", 400.0, 1), ("closed", 420.0, 1)]


def test_sequence_numbers_count_every_revision_from_one():
    alerts = run([detection(100 + 7 * i, who=f"10.0.0.{i % 5}", count=i) for i in range(200)])
    assert [alert.sequence for alert in alerts] == list(range(1, len(alerts) + 1))


def test_a_flood_of_entities_closes_the_quietest_early_and_counts_it():
    stage = AlertingStage(AlertingSettings(sensor="tap-1", open_max=10))
    flood = [detection(100 + i / 10, who=f"10.0.{i // 200}.{i % 200}") for i in range(500)]
    alerts = stage.process(flood, 160 * SECOND)
    assert sum(alert.state == State.RAISED for alert in alerts) == 500
    assert stage.counters.as_dict()["evicted"] == 490
    assert len(stage.finish(200 * SECOND)) == 10


def test_detections_of_the_present_moment_wait_for_it_to_pass():
    stage = AlertingStage(SETTINGS)
    assert stage.process([detection(100, "b")], 100 * SECOND) == []
    assert [alert.rule_id for alert in stage.process([detection(100, "a")], 101 * SECOND)] == ["a", "b"]


def test_a_late_detection_is_taken_as_made_now_and_counted():
    stage = AlertingStage(SETTINGS)
    stage.process([], 500 * SECOND)
    (raised,) = stage.process([detection(100)], 501 * SECOND)
    assert (raised.ts, raised.last_seen) == (500.0, 100.0)
    assert stage.counters.as_dict()["late"] == 1


def test_verdicts_on_traffic_that_was_dropped_in_part_are_less_certain():
    stage = AlertingStage(SETTINGS)
    (whole,) = stage.process([detection(100, confidence=0.8)], 200 * SECOND)
    (part,) = stage.process([detection(201, "other", confidence=0.8)], 300 * SECOND, {"live.dropped": 5}, seen=0.9)
    assert (whole.confidence, whole.degraded) == (0.8, {})
    assert (part.confidence, part.degraded) == (0.72, {"live.dropped": 5})


def test_what_the_sensor_says_of_itself_is_as_certain_as_ever():
    stage = AlertingStage(SETTINGS)
    numbers = Numbers(observed=5, threshold=0, unit="packets lost", window_seconds=1)
    blind = own_health(BLIND, 100 * SECOND, "ring", numbers, {})
    (alert,) = stage.process([blind], 200 * SECOND, seen=0.5)
    assert alert.confidence == 1


def test_counters():
    stage = AlertingStage(SETTINGS)
    stage.process([detection(1), detection(2), detection(20, count=9)], 1_000 * SECOND)
    assert stage.counters.as_dict() == {
        "detections": 3, "late": 0, "raised": 1, "updated": 1, "closed": 1, "evicted": 0, "allowed": 0,
        "held_back": 0,
    }  # fmt: skip


def test_the_host_names_the_sensor_when_no_setting_does():
    stage = AlertingStage(AlertingSettings())
    assert stage.process([detection(1)], 2 * SECOND)[0].sensor == stage.sensor != ""


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 5, 40, 290, 300, 310]),
        st.sampled_from(["scan", "guess"]),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        st.integers(1, 100),
        st.sampled_from(["a", "b"]),
        st.sampled_from([None, Severity.HIGH]),
    ),
    max_size=40,
)


def lasting(alerts: list[Alert]) -> bytes:
    """The alerts as they are published, without what differs from run to run."""
    return b"\n".join(msgspec.json.encode(msgspec.structs.replace(one, epoch=0, detection_ts=0.0)) for one in alerts)


@settings(deadline=None)
@given(steps, st.lists(st.integers(0, 40)), st.integers(0, 400), st.integers(2, 100))
def test_the_same_detections_give_the_same_alerts_whatever_the_batches(made, cuts, rest, open_max):
    """Each detector gives its own in order; how they interleave within a batch depends on the batch."""
    policy = AlertingSettings(sensor="tap-1", open_max=open_max)
    now, detections = 1_000, []
    for gap, name, who, count, of, severity in made:
        now += gap
        detections.append(detection(now, name, who, count, run=of, severity=severity))
    end = (now + rest) * SECOND

    def by_detector(part):
        return sorted(part, key=lambda one: one.rule.id, reverse=True)

    whole = AlertingStage(policy)
    expected = whole.process(by_detector(detections), end) + whole.finish(end)
    cut = AlertingStage(policy)
    found, bounds = [], sorted({0, len(detections), *(c for c in cuts if c < len(detections))})
    for start, stop in pairwise(bounds):
        part = detections[start:stop]
        found += cut.process(by_detector(part), part[-1].now)
    found += cut.process([], end) + cut.finish(end)
    assert lasting(found) == lasting(expected)


@pytest.mark.parametrize("empty_batches", [0, 3])
def test_time_that_passes_without_detections_closes_alerts(empty_batches):
    stage = AlertingStage(SETTINGS)
    alerts = stage.process([detection(100)], 101 * SECOND)
    for i in range(empty_batches):
        alerts += stage.process([], (200 + i) * SECOND)
    alerts += stage.process([], 400 * SECOND)
    assert story(alerts) == [("raised", 100.0, 1), ("closed", 400.0, 1)]
