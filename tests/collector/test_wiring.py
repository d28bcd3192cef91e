"""`tapir collect --store --settings` as a process: all that follows from alerts, over a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sensor.bus.memory_log import MemoryLog
from sensor.bus.stream import AlertStream
from sensor.config import BusSettings
from tests.bus.alerts import an_alert
from tests.collector.test_notifications import Receiver, receiver
from tests.collector.test_store import ID

__all__ = ["receiver"]  # the fixture
TAPIR = [sys.executable, "-m", "sensor"]
LIMIT_SECONDS = 60
ALERTS = 15
SETTINGS = """
[collector]
on_call = ["hook"]
channels = [{{ name = "hook", webhook = "{address}" }}]
routes = [{{ channels = ["hook"] }}]
sinks = [{{ name = "archive", file = "{file}" }}]
[collector.response]
enabled = true
actions = [{{ name = "block", nft_set_ipv4 = "inet tapir blocked4", severities = ["high"] }}]
"""


def test_over_a_kill_everything_is_told_and_handed_on(tmp_path: Path, place: str, receiver: Receiver):
    settings, file = tmp_path / "tapir.toml", tmp_path / "alerts.jsonl"
    settings.write_text(SETTINGS.format(address=receiver.address, file=file))
    bus = BusSettings(publish="tcp://127.0.0.1:*", heartbeat_seconds=0.1)
    with AlertStream(bus, MemoryLog(), "tap-1") as stream:
        command = [*TAPIR, "collect", stream.address, "--store", place, "--settings", str(settings)]
        stream.put(
            an_alert(number, alert_id=ID(number), epoch=stream.epoch, client_ip=f"192.0.2.{number}")
            for number in range(1, ALERTS + 1)
        )
        for ending in (signal.SIGKILL, signal.SIGTERM):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
                told: set[str] = {body["incident"] for body in receiver.bodies}
                while len(told) < (1 if ending == signal.SIGKILL else ALERTS):
                    assert receiver.arrived.acquire(timeout=LIMIT_SECONDS)
                    told = {body["incident"] for body in receiver.bodies}
                process.send_signal(ending)
                assert process.wait(LIMIT_SECONDS) == (0 if ending == signal.SIGTERM else -signal.SIGKILL)
                assert b"hush" not in process.stderr.read()
    assert {json.loads(line)["sequence"] for line in file.read_bytes().splitlines()} == set(range(1, ALERTS + 1))
    asked = [*TAPIR, "responses", "list", "--json", "--store", place]
    responses = json.loads(subprocess.run(asked, capture_output=True, timeout=LIMIT_SECONDS, check=True).stdout)
    assert sorted(one["target"] for one in responses) == sorted(f"192.0.2.{number}" for number in range(1, ALERTS + 1))
    assert all(one["dry_run"] for one in responses)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--set", "collector.escalate_seconds=60"], "expected --store too"),
        (["--store", "{place}", "--set", "collector.on_call=['nobody']"], "'nobody' is named and not there"),
        (["--store", "{place}", "--set", "collector.nothing=1"], "no such setting"),
        (["--store", "mysql://user:hush@host/x"], "expected a folder, sqlite:///PATH"),
    ],
)
def test_settings_that_cannot_work_end_it_before_anything_is_received(tmp_path, arguments, problem):
    given = [one.format(place=tmp_path) for one in arguments]
    command = [*TAPIR, "collect", "tcp://127.0.0.1:1", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "hush" not in done.stderr
