"""Sensor and collector do all their work under the system calls and memory that their units leave them."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.capture.network import cable, inside
from tests.service.confined import allowed_by, calls_of
from tests.service.test_run import HYDRA, ROOT, manager, told
from tests.service.wire import needs_replay, replay, stop

UNITS = ROOT / "systemd"
needs_filters = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or ctypes.util.find_library("seccomp") is None,
    reason="needs systemd-analyze and libseccomp",
)


def under(unit: str, *arguments: str) -> list[str]:
    confined = [sys.executable, "-m", "tests.service.confined", str(UNITS / unit)]
    return [*confined, sys.executable, "-m", "sensor", *arguments]


@needs_filters
@pytest.mark.parametrize("unit", ["tapir-sensor@.service", "tapir-collector.service", "tapir-feeds.service"])
def test_what_a_root_could_do_is_refused(unit: str) -> None:
    allowed = allowed_by((UNITS / unit).read_text())
    assert not allowed & (calls_of("@mount") | calls_of("@module") | calls_of("@reboot") | {"bpf", "ptrace", "setuid"})


@needs_filters
@needs_replay
def test_alerts_reach_the_collector(tmp_path: Path) -> None:
    publish, alerts = f"ipc://{tmp_path / 'alerts'}", tmp_path / "alerts.jsonl"
    sensor_arguments = ("run", "near0", "--user", "root", "--quiet", "--state", str(tmp_path / "state"), "--publish",
                        publish, "--set", f"service.control={tmp_path / 'control'}", "--set",
                        "service.metrics=127.0.0.1:0")  # fmt: skip
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    store = ("--store", str(tmp_path / "store"), "--output", str(alerts))
    collect = under("tapir-collector.service", "collect", publish, *store)
    with cable("tapir-confined") as wire, manager(tmp_path) as listening:
        with inside(wire.near_space):
            sensor = subprocess.Popen(
                under("tapir-sensor@.service", *sensor_arguments), env=environment, cwd=ROOT, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        collector = subprocess.Popen(collect, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            told(listening, "READY=1")
            replay(wire, HYDRA, "--pps=2000")
            end = time.monotonic() + 120
            while not alerts.exists() or not alerts.stat().st_size:
                assert (collector.poll(), sensor.poll()) == (None, None)
                assert time.monotonic() < end, "no alert came"
                with suppress(subprocess.TimeoutExpired):
                    collector.wait(0.1)
            _, said = stop(sensor)
            _, collected = stop(collector)
        finally:
            for process in (sensor, collector):
                if process.poll() is None:
                    process.kill()
                process.wait()
    assert "capset() is refused" not in said
    assert "Traceback" not in said + collected
