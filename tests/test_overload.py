"""Under overload work is left undone in a stated order, counted, told, and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sensor
from sensor.config import AlertingSettings, CaptureSettings, OverloadSettings, Settings, WorkerSettings
from sensor.detection.detectors import DETECTORS
from sensor.errors import SettingError
from sensor.overload import Count, Overload, Step
from sensor.pipeline import Pipeline

CAPTURE = Path(__file__).resolve().parents[1] / "pcaps" / "hydra-form.pcap"
START = 1_700_000_000_000_000_000
MS = 1_000_000


def overload_of(**settings: Any) -> Overload:
    return Overload(OverloadSettings(**settings), frozenset(DETECTORS))


def steps(overload: Overload, *pressures: float, every_ms: int = 100, start: int = START) -> list[Step]:
    """The step after each pressure."""
    taken = []
    for number, pressure in enumerate(pressures):
        overload.observe(pressure, start + number * every_ms * MS)
        taken.append(overload.step)
    return taken


def test_one_step_when_it_stays_high_and_one_more_whenever_that_does_not_help() -> None:
    overload = overload_of(step_seconds=0.2)
    assert steps(overload, 0.1, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7, 0.9, 0.9) == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert overload.counters.as_dict()["stepped_up"] == 3


def test_the_first_step_is_at_once_when_little_is_left() -> None:
    assert steps(overload_of(step_seconds=60), 0.74, 0.75, 0.9, 1.0) == [0, 1, 1, 1]


def test_a_pressure_that_falls_is_waited_for() -> None:
    assert steps(overload_of(step_seconds=0.2), 1.0, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6) == [1] * 8


def test_a_pause_of_the_sensor_whose_packets_are_worked_off_costs_nothing() -> None:
    pauses = (0.7, 0.6, 0.5, 0.4, 0.2, 0.0)
    assert steps(overload_of(step_seconds=0.1), *pauses, *pauses) == [0] * 12


def test_back_one_by_one_and_only_where_it_stays_low() -> None:
    overload = overload_of(step_seconds=0.1, recover_seconds=0.3)
    assert steps(overload, 1, 1, 1)[-1] == Step.NEW_FLOWS
    later = START + 1_000 * MS
    wavering = steps(overload, 0, 0, 0.2, 0, 0, 0.2, 0.4, 0.2, start=later)
    assert wavering == [Step.NEW_FLOWS] * 8
    calm = steps(overload, *[0.05] * 12, start=later + 1_000 * MS)
    assert calm == [3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0]
    assert overload.counters[Count.STEPPED_DOWN] == 3


def test_packets_that_are_let_gather_do_not_hold_up_the_way_back() -> None:
    overload = overload_of(recover_seconds=0.2)
    assert steps(overload, 0.8) == [Step.CONTENTS]
    for number, let in enumerate((0.0, 0.0, 0.0, 0.2, 0.2, 0.2)):
        overload.observe(0.25, START + (number + 1) * 100 * MS, let)
    assert overload.step == Step.NOTHING


def test_each_step_is_told_with_what_is_left_undone() -> None:
    overload = overload_of(step_seconds=0.1)
    told = [detection for number in range(4) for detection in overload.observe(0.8, START + number * 100 * MS)]
    assert [(each.rule.id, each.severity, each.details["not done"]) for each in told] == [
        ("sensor-overloaded", "medium", ["contents"]),
        ("sensor-overloaded", "medium", ["contents", "detectors"]),
        ("sensor-overloaded", "high", ["contents", "detectors", "new_flows"]),
    ]
    assert {each.first_ts for each in told} == {START}


def test_lost_packets_are_told_by_the_second() -> None:
    overload = overload_of()
    assert overload.losses(0, 100, START) == []
    assert overload.losses(5, 300, START + 500 * MS) == []
    (told,) = overload.losses(7, 400, START + 1_000 * MS)
    assert (told.rule.id, told.numbers.observed, told.details) == (
        "sensor-blind", 7, {"lost": 7, "of": 300, "lost since start": 7},
    )  # fmt: skip
    assert overload.losses(7, 900, START + 2_000 * MS) == []


def test_what_was_lost_in_the_last_second_is_told_at_the_end() -> None:
    overload = overload_of()
    overload.losses(0, 100, START)
    assert overload.losses(9, 300, START + 200 * MS) == []
    (told,) = overload.losses(9, 310, START + 300 * MS, last=True)
    assert told.details == {"lost": 9, "of": 210, "lost since start": 9}
    assert overload.losses(9, 310, START + 300 * MS, last=True) == []


def test_switched_off_nothing_gives_way() -> None:
    assert steps(overload_of(enabled=False), 1, 1, 1, 1) == [0, 0, 0, 0]


def test_a_detector_that_is_none_is_a_fault() -> None:
    with pytest.raises(SettingError, match=r"overload\.detectors: there is no 'injektion'; there are account_changes"):
        Pipeline(Settings(overload=OverloadSettings(detectors=("injektion",))), [str(CAPTURE)])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_replay_faster_than_the_sensor_costs_contents_and_detectors_but_no_flow(workers: int) -> None:
    """A million times the capture's own speed: what is not inspected, not detected and not read is counted exactly."""
    whole = sensor.read(CAPTURE)
    overload = OverloadSettings(lag_seconds_max=1e-4, step_seconds=0.05, recover_seconds=60, detectors=("injection",))
    settings = Settings(
        overload=overload, capture=CaptureSettings(replay_pace=1e6, batch_frames=20),
        alerting=AlertingSettings(sensor="lab"), workers=WorkerSettings(count=workers),
    )  # fmt: skip
    pipeline = Pipeline(settings, [str(CAPTURE)], loop=True)
    flows = packets = transactions = unjudged = first_unjudged = 0
    rules, degraded = set(), set()
    for batch in pipeline:
        undone = pipeline.counters()["overload"]
        flows += len(batch.flows)
        packets += int(batch.streams["packets"].sum())
        transactions += len(batch.transactions)
        if undone["step"] >= Step.DETECTORS:
            first_unjudged = first_unjudged or len(batch.transactions)
            unjudged += len(batch.transactions)
        rules |= {alert.rule_id for alert in batch.alerts}
        degraded |= {name for alert in batch.alerts for name in alert.degraded}
        if pipeline.counters()["reassembly"]["packets"] >= whole.counters["reassembly"]["packets"]:
            pipeline.stop()
    counted = pipeline.counters()["overload"]
    assert (flows, packets) == (len(whole.flows), whole.counters["reassembly"]["packets"])
    assert counted["step"] == Step.NEW_FLOWS
    already_judged = unjudged - counted["detectors_skipped"]
    assert 0 <= already_judged <= (first_unjudged if workers > 1 else 0)  # a crew's verdicts come a block later
    assert counted["transactions_uninspected"] >= counted["detectors_skipped"]
    unread = whole.flows["orig_bytes"].sum() + whole.flows["resp_bytes"].sum()
    assert 0 < counted["unread_bytes"] < unread
    assert 0 < counted["flows_unread"] < len(whole.flows)
    assert 0 < transactions < len(whole.transactions)
    assert "sensor-overloaded" in rules
    assert {"overload.transactions_uninspected", "overload.flows_unread"} <= degraded
