"""`tapir evidence` and `tapir explain`: the packets behind an alert of captures that were read, and of a sensor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dpkt
import pytest

from tests.evidence.test_stage import one_round
from tests.replay.captures import PCAPS
from tests.test_reload import settings

HYDRA = str(PCAPS / "hydra-form.pcap")


def tapir(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sensor", *arguments]
    environment = {**os.environ, "STATE_DIRECTORY": "", "PYTHONPATH": str(PCAPS.parent)}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert "Traceback" not in ended.stderr
    return ended


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The id of an alert of a capture that was read, and the file of alerts."""
    folder = tmp_path_factory.mktemp("read")
    assert tapir("read", HYDRA, "--alerts", "alerts.jsonl", "--quiet", folder=folder).returncode == 0
    alerts = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    return next(alert["alert_id"] for alert in alerts if alert["rule_id"] == "brute-force-login"), folder


@pytest.mark.parametrize("named", [("--alerts", "alerts.jsonl"), ()])
def test_packets_of_a_capture_that_was_read(read: tuple[str, Path], named: tuple[str, ...]) -> None:
    alert_id, folder = read
    ended = tapir("evidence", alert_id[:10], HYDRA, *named, "-o", "x.pcap", folder=folder)
    assert ended.returncode == 0, ended.stderr
    assert (folder / "x.pcap").stat().st_mode & 0o777 == 0o600
    packets = list(dpkt.pcap.Reader((folder / "x.pcap").open("rb")))
    assert f"x.pcap: {len(packets)} packets" in ended.stderr


def test_what_an_alert_says_and_what_happened(read: tuple[str, Path]) -> None:
    alert_id, folder = read
    shown = tapir("explain", alert_id, HYDRA, "--alerts", "alerts.jsonl", "--lines", "5", folder=folder).stdout
    assert shown.startswith("Brute force: many failed logins from one address")
    assert "threshold   5, 12 times it" in shown
    assert [line.split()[2] for line in shown.splitlines() if "severity" in line and "so far" in line] == [
        "raised:", "updated:", "closed:",
    ]  # fmt: skip
    assert "* " in shown  # the request that decided
    assert "POST 10.77.0.100:8000/login  200" in shown
    assert "TShark on the flow that decided" in shown
    assert "HTTP" in shown.partition("TShark")[2] or "not installed" in shown


def test_packets_that_a_sensor_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    words = ("evidence.enabled=true", f"evidence.folder={state / 'evidence'}", "capture.replay_pace=0")
    alerts, _ = one_round("hydra-basic", settings(*words))
    alert = next(each for each in alerts if each.rule_id == "brute-force-login")
    ended = tapir("evidence", alert.alert_id[:12], "--state", str(state), folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert list(dpkt.pcap.Reader((tmp_path / f"{alert.alert_id}.pcap").open("rb")))
    shown = tapir("explain", alert.alert_id[:12], "--state", str(state), folder=tmp_path).stdout
    assert "TShark on the flow that decided" in shown


def test_what_is_not_there_is_said(read: tuple[str, Path]) -> None:
    alert_id, folder = read
    for arguments, told in (
        (("ffff", HYDRA, "--alerts", "alerts.jsonl"), "no such alert in these captures"),
        (("ffff", "--state", str(folder)), "no such alert (looked in"),
        ((alert_id, "--alerts", "alerts.jsonl", "--state", str(folder)), "its packets were not kept"),
        ((alert_id, "--alerts", "none.jsonl"), "none.jsonl: cannot be read"),
        ((alert_id, HYDRA, "--alerts", "alerts.jsonl", "-o", "x.txt"), "the ending must be .pcap"),
    ):
        ended = tapir("evidence", *arguments, folder=folder)
        assert ended.returncode in (1, 3)
        assert told in ended.stderr
