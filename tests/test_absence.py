"""What a live sensor says of the times in which it saw nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sensor.absence import Absence, Away
from sensor.alert import Severity
from sensor.config import StateSettings
from sensor.state_run import RunState
from sensor.structures.string_pool import StringPool

NS = 1_000_000_000
START = 1_800_000_000 * NS


def test_silence_is_told_once_a_minute_while_it_lasts() -> None:
    absence = Absence(60, None)
    told = []
    for second in range(400):
        frames = second if second < 100 else 100 if second < 300 else second
        told += [(second, each) for each in absence.observe(frames, 0, START + second * NS)]
    assert [second for second, _ in told] == [160, 220, 280]
    last = told[-1][1]
    assert (last.rule.id, last.numbers.observed) == ("capture-silent", 180.0)
    assert last.first_ts == START + 100 * NS
    assert len({each.run for _, each in told}) == 1


def test_an_interface_that_goes_is_told_at_once() -> None:
    absence = Absence(0, None)
    assert absence.observe(5, 0, START) == []
    (told,) = absence.observe(6, 1, START + NS)
    assert told.details["interfaces gone"] == 1
    assert absence.observe(6, 1, START + 2 * NS) == []
    assert absence.observe(7, 0, START + 3 * NS) == []
    assert len(absence.observe(7, 1, START + 4 * NS)) == 1


def test_one_of_two_interfaces_that_hears_nothing_is_told() -> None:
    absence = Absence(60, None)
    told = []
    for second in range(150):
        packets = {"eth1": second, "eth2": min(second, 30)}
        told += [(second, each) for each in absence.observe(second, 0, START + second * NS, packets)]
    assert [second for second, _ in told] == [90]
    alone = told[0][1]
    assert alone.details["why"] == "no packet comes on eth2: is the mirror on?"
    assert alone.first_ts == START + 30 * NS


def test_a_hole_between_two_runs_is_named_with_the_first_packet() -> None:
    absence = Absence(60, Away(START, START - 30 * NS, False))
    assert absence.observe(0, 0, START + NS) == []
    (told,) = absence.observe(1, 0, START + 5 * NS)
    assert (told.rule.id, told.numbers.observed, told.severity) == ("sensor-was-away", 5.0, Severity.MEDIUM)
    assert told.details["seconds of learning lost"] == 30.0
    assert absence.observe(2, 0, START + 6 * NS) == []
    (planned,) = Absence(60, Away(START, START, True)).observe(1, 0, START + 5 * NS)
    assert planned.severity == Severity.LOW
    assert planned.details["the run before was"] == "stopped in order"


class NoAlerts:
    """Stands in for alerting, which has nothing open."""

    def state(self) -> dict[str, np.ndarray]:
        return {"none": np.zeros(1)}

    def restore(self, saved: object) -> bool:
        return True

    def resume(self, saved: object) -> list[object]:
        return []


def run(folder: Path, now: int, finish: bool) -> Away | None:
    """A run that watches until `now`, and is stopped or breaks off after a checkpoint; what it found."""
    state = RunState(StateSettings(folder=str(folder), checkpoint_seconds=0.5), None)
    state.restore(b"0" * 16, StringPool(1024, 65_536), {}, NoAlerts())  # type: ignore[arg-type]
    found = state.away
    state.checkpoint(now - 10 * NS, 0)
    state.checkpoint(now, 0)
    if finish:
        state.finish(now, 0)
    state.close()
    return found


def test_the_state_tells_how_the_run_before_ended(tmp_path: Path) -> None:
    assert run(tmp_path, START, finish=True) is None
    assert run(tmp_path, START + 100 * NS, finish=False) == Away(START, START, True)
    last = run(tmp_path, START + 200 * NS, finish=True)
    assert last is not None
    assert (last.learned_until, last.in_order) == (START + 100 * NS, False)
    assert last.watched_until >= last.learned_until


def test_a_damaged_state_does_not_keep_a_live_sensor_from_watching(tmp_path: Path) -> None:
    run(tmp_path, START, finish=True)
    (tmp_path / "tapir.state").write_bytes(b"PK")
    state = RunState(StateSettings(folder=str(tmp_path)), None)
    state.restore(b"0" * 16, StringPool(1024, 65_536), {}, NoAlerts())  # type: ignore[arg-type]
    away = state.away
    assert away is not None
    assert (away.learned_until, away.in_order) == (0, False)
    (told,) = state.checkpoint(START, 0)
    assert told.rule.id == "state-damaged"
    assert "tapir.state.damaged" in told.details["reason"]
    assert state.checkpoint(START + NS, 0) == []
    state.close()


def test_a_run_that_was_killed_before_it_saved_anything_leaves_a_hole_too(tmp_path: Path) -> None:
    begun = RunState(StateSettings(folder=str(tmp_path)), None)
    begun.restore(b"0" * 16, StringPool(1024, 65_536), {}, NoAlerts())  # type: ignore[arg-type]
    assert begun.checkpoint(START, 0) == []
    begun.close()
    away = run(tmp_path, START + NS, finish=False)
    assert away is not None
    assert (away.learned_until, away.in_order) == (0, False)
