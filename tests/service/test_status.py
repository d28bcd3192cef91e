"""What a running sensor tells of itself: `tapir status`, `tapir top`, and the page of metrics."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from sensor.cli.status_view import _alerts
from sensor.control import ControlSocket, ask
from sensor.errors import SettingError
from sensor.metrics import serve
from tests.ports import free_port
from tests.service.test_run import HYDRA, ROOT, manager, running, told


def tapir(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(folder), "TERM": "dumb", "COLUMNS": "100"}
    command = [sys.executable, "-m", "sensor", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)


def test_a_running_sensor_tells_how_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    port = free_port()
    metrics = f"service.metrics=127.0.0.1:{port}"
    arguments = ("--read-loop", str(HYDRA), "--pace", "0", "--quiet", "--set", metrics)
    with manager(tmp_path) as listening, running(tmp_path, *arguments) as process:
        told(listening, "READY=1")
        told(listening, "STATUS=")
        snapshot = json.loads(tapir("status", "--json", folder=tmp_path).stdout)
        shown = tapir("status", "hydra-basic.pcap", folder=tmp_path).stdout
        looks = tapir("top", "--seconds", "0.2", "--count", "2", folder=tmp_path)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            families = {each.name: each for each in text_string_to_metric_families(page.read().decode())}
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=300)
    assert (process.returncode, complaints) == (0, "")
    assert snapshot["counters"]["capture"]["frames"] > 0
    assert snapshot["fills"]["flows"]["size"] > 0
    assert {row["rule_id"] for row in snapshot["alerts"]} >= {"brute-force-login"}
    assert snapshot["memory_bytes"]["anonymous"] > 0
    assert "hydra-basic.pcap" in shown
    assert "brute-force-login" in shown
    assert looks.returncode == 0
    frames = [
        sample.value
        for sample in families["tapir_stage"].samples
        if sample.labels == {"stage": "capture", "what": "frames"}
    ]
    assert frames[0] >= snapshot["counters"]["capture"]["frames"]
    assert families["tapir_batch_seconds"].type == "histogram"
    assert not (tmp_path / "hydra-basic.pcap.control").exists()


def test_no_sensor_is_said_in_one_line(tmp_path: Path) -> None:
    for command in ("status", "top"):
        ended = tapir(command, folder=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"tapir {command}: no sensor runs here")
    assert "several sensors" not in tapir("status", str(tmp_path / "none.control"), folder=tmp_path).stderr


def test_the_socket_is_private_and_answers_with_the_newest_snapshot(tmp_path: Path) -> None:
    path = str(tmp_path / "one.control")
    snapshots = [{"n": 1}]
    control = ControlSocket(path, lambda: snapshots[-1])
    assert os.stat(path).st_mode & 0o777 == 0o660
    assert ask(path) == {"n": 1}
    snapshots.append({"n": 2})
    assert ask(path) == {"n": 2}
    with pytest.raises(SettingError, match="a sensor listens here already"):
        ControlSocket(path, dict)
    control.close()
    assert not os.path.exists(path)


def test_what_a_killed_sensor_left_behind_is_taken_over(tmp_path: Path) -> None:
    path = str(tmp_path / "one.control")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    control = ControlSocket(path, lambda: {"n": 1})
    assert ask(path) == {"n": 1}
    control.close()


@pytest.mark.parametrize("answer", [b"", b"no json", b"[1]", b"\xff\xfe"])
def test_whoever_else_answers_is_no_sensor(tmp_path: Path, answer: bytes) -> None:
    path = str(tmp_path / "other.control")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        code = f"from sensor.control import ask; ask({path!r})"
        with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=ROOT) as asking:
            peer, _ = other.accept()
            with peer:
                peer.sendall(answer)
            assert asking.stderr is not None
            assert b"SettingError" in asking.stderr.read().splitlines()[-1]


def test_clients_that_say_nothing_keep_nobody_from_the_metrics() -> None:
    port = free_port()
    before = threading.active_count()
    stop = serve(f"127.0.0.1:{port}", dict)
    silent = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(50)]
    try:
        for each in silent[::2]:
            each.sendall(b"GET /metr")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
            assert page.status == 200
        assert [each.recv(1) for each in silent[:40]] == [b""] * 40, "the oldest gave way"
        assert threading.active_count() - before <= 20
    finally:
        for each in silent:
            each.close()
        stop()


def test_more_clients_than_can_wait_are_answered_one_after_the_other(tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    sensor = ControlSocket(path, lambda: {"source": "eth1"})
    crowd = []
    try:
        for _ in range(200):
            crowd.append(socket.socket(socket.AF_UNIX))
            crowd[-1].connect(path)
        assert ask(path) == {"source": "eth1"}
    finally:
        for each in crowd:
            each.close()
        sensor.close()


def test_the_worst_alerts_stand_first() -> None:
    rows = [("a", "low", 9), ("b", "critical", 1), ("c", "high", 3), ("d", "high", 5)]
    raised = [dict(zip(("rule_id", "severity", "count"), row, strict=True), state="raised") for row in rows]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(_alerts({"alerts": raised}))
    assert [line.split()[0] for line in console.export_text().splitlines()[1:]] == ["b", "d", "c", "a"]
