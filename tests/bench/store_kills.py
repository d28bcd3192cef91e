"""Kill the collector, or crash its PostgreSQL server, at random points while alerts of two sensors flow; then count.

    python -m tests.bench.store_kills [--kills 40] [--crashes 10] [--seed 1]

Out: alerts sent, stored exactly once, handed to a file at least once. Law: streams, collector, database and sink are
the real ones; a test (tests/collector/test_store_kills.py) runs a few.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from sensor.bus.memory_log import MemoryLog
from sensor.bus.stream import AlertStream
from sensor.collector.audit import verify
from sensor.collector.store import Store
from sensor.config import BusSettings
from tests.bus.alerts import an_alert
from tests.collector.servers import PostgresServer, postgres_server

SENSORS = ("tap-1", "tap-2")
_AT_ONCE = 2
_EVERY_SECONDS = 0.05
_LIVES_SECONDS = (0.3, 3.0)  # of a collector: before it has connected, or long after
_LIMIT_SECONDS = 300


class Outcome(NamedTuple):
    sent: int
    stored: int           # rows
    distinct: int         # of which different ones
    handed_on: int        # different ones in the sink's file
    again: int            # lines more than that: at least once
    unbroken: bool        # the audit trail

    @property
    def good(self) -> bool:
        return self.sent == self.stored == self.distinct == self.handed_on > 0 and self.unbroken


class Flow(threading.Thread):
    """Puts alerts of every sensor until it is told to stop."""

    def __init__(self, streams: dict[str, AlertStream]) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self._streams, self._ending = streams, threading.Event()

    def run(self) -> None:
        number = 0
        while not self._ending.wait(_EVERY_SECONDS):
            for sensor, stream in self._streams.items():
                stream.put(
                    an_alert(
                        one, sensor=sensor, epoch=stream.epoch, alert_id=f"{hash_of(sensor, one):032x}",
                        client_ip=f"192.0.2.{one % 50}",
                    )
                    for one in range(number + 1, number + _AT_ONCE + 1)
                )  # fmt: skip
            number += _AT_ONCE
            self.sent += _AT_ONCE * len(self._streams)

    def stop(self) -> None:
        self._ending.set()
        self.join()


def hash_of(sensor: str, number: int) -> int:
    return SENSORS.index(sensor) << 64 | number


def faults(kills: int, crashes: int, seed: int) -> Outcome:
    chance = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres_server(fsync=True))
        bus = BusSettings(publish="tcp://127.0.0.1:*", heartbeat_seconds=0.1)
        streams = {name: stack.enter_context(AlertStream(bus, MemoryLog(), name)) for name in SENSORS}
        place, file = server.place(), folder / "alerts.jsonl"
        settings = folder / "tapir.toml"
        settings.write_text(f'[[collector.sinks]]\nname = "archive"\nfile = "{file}"\nfile_bytes_max = {1 << 40}\n')
        command = [sys.executable, "-m", "sensor", "collect", *(stream.address for stream in streams.values())]
        command += ["--store", place, "--settings", str(settings)]
        flow = Flow(streams)
        flow.start()
        for crash in chance.sample([True] * crashes + [False] * kills, crashes + kills):
            _trouble(command, server, crash, chance.uniform(*_LIVES_SECONDS))
        flow.stop()
        _until_all_is_there(command, place, file, flow.sent)
        return _counted(place, file, flow.sent)


def _trouble(command: list[str], server: PostgresServer, crash: bool, after_seconds: float) -> None:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            if crash:
                server.stop()
                server.start()
        process.kill()


def _until_all_is_there(command: list[str], place: str, file: Path, sent: int) -> None:
    """One collector more, for what was left, until its sink has handed on all."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        ending = threading.Timer(_LIMIT_SECONDS, process.kill)
        ending.start()
        with Store(place) as store:
            while _rows(store) < sent and process.poll() is None:
                process.stdout.readline()
        threading.Thread(target=process.stdout.read, daemon=True).start()
        while _handed_on(file) < sent and process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.terminate()
        process.wait(_LIMIT_SECONDS)
        ending.cancel()


def _handed_on(file: Path) -> int:
    """Different alerts in the sink's file, whose last line may still be being written."""
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    alerts = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return len({(alert["sensor"], alert["sequence"]) for alert in alerts})


def _rows(store: Store) -> int:
    return int(store.base.execute("SELECT count(*) FROM alerts").fetchone()[0])


def _counted(place: str, file: Path, sent: int) -> Outcome:
    with Store(place) as store:
        distinct = Counter(tuple(row) for row in store.base.execute("SELECT sensor, epoch, sequence FROM alerts"))
        alerts = [json.loads(line) for line in file.read_bytes().splitlines()]
        handed_on = Counter((alert["sensor"], alert["sequence"]) for alert in alerts)
        return Outcome(
            sent, _rows(store), len(distinct), len(handed_on), len(alerts) - len(handed_on),
            not verify(store.base).breaks,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("kills", 40), ("crashes", 10), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    outcome = faults(**vars(parser.parse_args()))
    print(outcome, "good" if outcome.good else "BAD")
    sys.exit(not outcome.good)


if __name__ == "__main__":
    main()
