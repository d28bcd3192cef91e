"""A sensor with a thirtieth of a CPU behind a cable that brings more than it can take: what it lost and left undone is
counted to the packet, told, and over when the traffic is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.capture.network import cable
from tests.service.test_run import ROOT
from tests.service.wire import cpu_quota, needs_replay, replay, sensor_at, stop, until

PACKETS = 150_000


@pytest.mark.slow
@needs_replay
def test_what_is_lost_and_left_undone_is_counted_and_over_with_the_traffic(tmp_path: Path) -> None:
    capture, alerts = tmp_path / "many.pcap", tmp_path / "alerts.jsonl"
    generate = [sys.executable, "tests/bench/generate.py", str(capture), "--packets", str(PACKETS)]
    subprocess.run(generate, check=True, cwd=ROOT, capture_output=True, timeout=300)
    settings = (
        "capture.ring_bytes=8388608", "capture.ring_block_bytes=262144", "overload.step_seconds=0.01",
        "overload.recover_seconds=0.2",
    )  # fmt: skip
    chosen = [part for setting in settings for part in ("--set", setting)]
    arguments = ("--alerts", str(alerts), "--json", *chosen)
    with cable("tapir-load") as wire, sensor_at(wire, tmp_path / "run", *arguments) as process:
        with cpu_quota(process, 0.03):
            sent = replay(wire, capture, "--topspeed")
        counters = until(process, tmp_path / "run", lambda counters: _all_known(counters, sent)
                         and counters["overload"]["stepped_up"] > 0 and counters["overload"]["step"] == 0)  # fmt: skip
        output, log = stop(process)
    live, undone = counters["live"], counters["overload"]
    assert sent >= PACKETS
    assert live["dropped"] > 0
    assert 0 <= live["received"] - sent < 50  # besides, the system's own neighbour discovery
    assert undone["stepped_up"] == undone["stepped_down"] >= 1
    assert undone["transactions_uninspected"] > 0
    told = [json.loads(line) for line in alerts.read_text().splitlines()]
    rules = {alert["rule_id"] for alert in told}
    assert {"sensor-blind", "sensor-overloaded"} <= rules
    blind = [alert["details"] for alert in told if alert["rule_id"] == "sensor-blind"]
    assert max(each["lost since start"] for each in blind) == live["dropped"]
    assert all(alert["degraded"]["live.dropped"] for alert in told if alert["rule_id"] == "sensor-blind")
    assert "Packets were lost before the sensor saw them: lost " in log
    assert "The sensor leaves work undone to keep up with the traffic: not done ['contents'" in log
    assert json.loads(output.splitlines()[-1])["summary"]["transactions"] > 0


def _all_known(counters: dict[str, Any], sent: int) -> bool:
    """Whether every packet that was received has been read or is known to be lost."""
    received = int(counters["live"]["received"])
    return received >= sent and int(counters["capture"]["frames"]) + int(counters["live"]["dropped"]) == received
