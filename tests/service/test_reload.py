"""`systemctl reload` as the sensor sees it: SIGHUP, then what changed is in effect, or the old stays and says why."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.service.test_run import HYDRA, manager, running, told


def rules_of(path: Path) -> set[str]:
    return {json.loads(line)["rule_id"] for line in path.read_text().splitlines()}


def test_settings_are_taken_over_while_packets_are_read(tmp_path: Path) -> None:
    settings, alerts = tmp_path / "tapir.toml", tmp_path / "alerts.jsonl"
    settings.write_text("[detection.failed_logins]\nenabled = false\n")
    arguments = ("--read-loop", str(HYDRA), "--pace", "0", "--alerts", str(alerts), "--quiet")
    with (
        manager(tmp_path) as listening,
        running(tmp_path, *arguments, "--settings", str(settings), watchdog_seconds=1) as process,
    ):
        told(listening, "READY=1")
        settings.write_text("[capture]\nbatch_frames = 4096\n")
        process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in told(listening, "RELOADING=1")
        assert "settings reloaded" in told(listening, "READY=1")
        told(listening, "WATCHDOG=1")
        told(listening, "WATCHDOG=1")
        settings.write_text("[detection.failed_logins]\nclient_failures_max = 'few'\n")
        process.send_signal(signal.SIGHUP)
        told(listening, "RELOADING=1")
        assert "not reloaded" in told(listening, "READY=1")
        told(listening, "WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        _, lines = process.communicate(timeout=300)
    assert process.returncode == 0
    alerts_about_itself = "tapir run: Changed settings have faults: the old ones stay: "  # said as an alert too
    assert [line for line in lines.splitlines() if not line.startswith(alerts_about_itself)] == [
        "tapir run: settings reloaded; changed: detection.failed_logins.enabled",
        "tapir run: need a restart to change: capture.batch_frames",
        f"tapir run: settings not reloaded, the old ones stay: {settings}:2: detection.failed_logins."
        "client_failures_max: expected `int`, got `str`",
    ]
    assert {"brute-force-login", "settings-not-reloaded"} <= rules_of(alerts)
