"""A collector that is told to read its settings again goes on without losing an alert, with the new or the old ones."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor.bus.memory_log import MemoryLog
from sensor.bus.stream import AlertStream
from sensor.config import BusSettings
from tests.bus.alerts import an_alert
from tests.collector.test_collect import collecting, ended


@pytest.fixture
def stream() -> Iterator[AlertStream]:
    settings = BusSettings(publish="tcp://127.0.0.1:*", heartbeat_seconds=0.1, linger_seconds=0.1)
    with AlertStream(settings, MemoryLog(), "lab") as stream:
        yield stream


def sequences(path: Path) -> list[int]:
    return [json.loads(line)["sequence"] for line in path.read_text().splitlines()]


def test_changed_sinks_are_taken_over_and_a_fault_changes_nothing(stream: AlertStream, tmp_path: Path) -> None:
    settings, sink = tmp_path / "tapir.toml", tmp_path / "sink.jsonl"
    settings.write_text("")
    store = str(tmp_path / "store")
    arguments = (stream.address, "--store", store, "--settings", str(settings))
    with collecting(*arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None

        def put(sequence: int) -> None:
            stream.put([an_alert(sequence, epoch=stream.epoch, sensor="lab", alert_id=f"{sequence:032x}")])
            assert json.loads(process.stdout.readline())["sequence"] == sequence

        put(1)
        settings.write_text(f"[[collector.sinks]]\nname = 'a'\nfile = '{sink}'\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == b"tapir collect: settings reloaded\n"
        put(2)
        settings.write_text("[[collector.sinks]]\nname = 'a'\nfil = 'x'\n")
        process.send_signal(signal.SIGHUP)
        told = process.stderr.readline().decode()
        assert told.startswith(f"tapir collect: settings not reloaded, the old ones stay: {settings}:3: collector")
        put(3)
        process.send_signal(signal.SIGTERM)
        code, _, _ = ended(process)
    assert code == 0
    assert sequences(sink) == [1, 2, 3]
