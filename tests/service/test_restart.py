"""A live sensor that is started again says from when to when nobody watched, and does not write over its outputs."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

from tests.capture.network import Cable, cable, inside, needs_namespaces
from tests.service.test_run import manager, running, told


def one_run(tmp_path: Path, wire: Cable, listening: socket.socket, how: signal.Signals) -> None:
    """Watch a few packets, then end so."""
    alerts = str(tmp_path / "alerts-%Y.jsonl")
    arguments = (wire.near, "--state", str(tmp_path / "state"), "--alerts", alerts, "--quiet")
    with inside(wire.near_space), running(tmp_path, *arguments, watchdog_seconds=0.4) as process:
        told(listening, "READY=1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(b"x" * 100, ("10.77.0.2", 9))
                told(listening, "WATCHDOG=1")
        process.send_signal(how)
        process.communicate(timeout=300)


@needs_namespaces
def test_the_hole_after_a_restart_is_named(tmp_path: Path) -> None:
    with cable("tapir-again") as wire, manager(tmp_path) as listening:
        one_run(tmp_path, wire, listening, signal.SIGTERM)
        one_run(tmp_path, wire, listening, signal.SIGTERM)
    (path,) = tmp_path.glob("alerts-*.jsonl")
    alerts = [json.loads(line) for line in path.read_text().splitlines()]
    holes = [alert for alert in alerts if alert["rule_id"] == "sensor-was-away" and alert["state"] == "raised"]
    (hole,) = holes
    assert hole["kind"] == "health"
    assert hole["details"]["the run before was"] == "stopped in order"
    assert 0 < hole["details"]["not_watched_until"] - hole["details"]["not_watched_from"] < 300
    assert path.stat().st_mode & 0o777 == 0o600
