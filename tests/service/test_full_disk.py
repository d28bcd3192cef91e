"""A disk that is full: the sensor goes on, says so, and writes again once there is room."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sensor.config import OutputSettings, StateSettings
from sensor.errors import StateError
from sensor.export.alerts import open_alert_writer
from sensor.export.rotating import Rotating
from sensor.state_run import RunState
from sensor.structures.string_pool import StringPool
from tests.capture.network import needs_namespaces
from tests.export.test_alerts import an_alert
from tests.service.test_run import HYDRA, manager, running, told
from tests.service.wire import stop, until
from tests.test_absence import NS, START, NoAlerts

ROOM = 16 << 20


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow beyond that: what a full disk does, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_output_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    output = Rotating(str(path), open_alert_writer, OutputSettings(), keeps=True)

    def put(name: str) -> str:
        return output.put(START, 1, lambda to: to.write([an_alert(name, 1)]))

    assert put("first") == ""
    with files_of_at_most(path.stat().st_size + 20):
        assert "File too large" in put("cut")
        assert put("left out") == "", "it rests"
    assert output.rows_lost == 2
    output._rests_until = 0
    assert put("last") == ""
    output.close()
    first, cut, last = path.read_text().splitlines()
    assert [json.loads(line)["alert_id"] for line in (first, last)] == ["first", "last"]
    assert len(cut) == 20


def test_a_sensor_whose_state_cannot_be_saved_tells_and_tries_again(tmp_path: Path) -> None:
    def begun(files: list[str] | None) -> RunState:
        state = RunState(StateSettings(folder=str(tmp_path / str(bool(files))), checkpoint_seconds=0.5), files)
        state.restore(b"0" * 16, StringPool(1024, 65_536), {}, NoAlerts())  # type: ignore[arg-type]
        assert state.checkpoint(START, 0) == []
        return state

    live = begun(None)
    with files_of_at_most(100):
        (told,) = live.checkpoint(START + 10 * NS, 0)
    assert told.rule.id == "state-failing"
    assert "File too large" in told.details["reason"]
    assert live.checkpoint(START + 20 * NS, 0) == []
    assert live.counters.as_dict() | {"saved": 1, "failed": 1} == live.counters.as_dict()
    live.close()
    reading = begun([str(HYDRA)])
    with files_of_at_most(100), pytest.raises(StateError, match="File too large"):
        reading.checkpoint(START + 10 * NS, 0)
    reading.close()


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tapir-test", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@needs_namespaces
def test_a_sensor_outlives_a_full_disk(tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.jsonl"
    with small_disk(tmp_path / "disk") as disk, manager(tmp_path) as listening:
        full, rows = disk / "other", disk / "http.jsonl"
        arguments = ("--read-loop", str(HYDRA), "--pace", "0", "--transactions", str(rows), "--alerts", str(alerts),
                     "--set", f"service.control={tmp_path / 'control'}", "--set", "outputs.rotate_bytes=200000",
                     "--set", "outputs.files_kept=1")  # fmt: skip
        full.write_bytes(bytes(ROOM - (256 << 10)))
        with running(tmp_path, *arguments) as process:
            told(listening, "READY=1")

            def lost(counters: dict[str, dict[str, int]]) -> int:
                return counters["transactions_output"]["rows_lost"]

            found = until(process, tmp_path, lambda counters: lost(counters) > 0)
            full.unlink()
            before = found["transactions_output"]["rows"]
            until(process, tmp_path, lambda counters: counters["transactions_output"]["rows"] > before + 1_000)
            _, said = stop(process)
    assert "No space left on device; rows are left out, and counted" in said
    assert "outputs-failing" in {json.loads(line)["rule_id"] for line in alerts.read_text().splitlines()}
