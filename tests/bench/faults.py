"""Kill sensor, subscriber or both at random points while alerts flow, and cut the network; then count.

    python -m tests.bench.faults [--kills 200] [--cut 30] [--seed 1]

Out: alerts fsynced (records of the verified journal), stored exactly once, duplicates, losses. Law: the journal's own
verification says what there was, a database without unique keys says what arrived.
"""

from __future__ import annotations

import argparse
import itertools
import random
import selectors
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sensor.alert_log import Position
from sensor.alerting.journal import segment_paths
from sensor.alerting.journal_lines import scan
from sensor.alerting.journal_verify import verify
from tests.bus.faults_collector import opened

_LIMIT_SECONDS = 120.0
_FAR = "127.0.0.2"


@dataclass(frozen=True)
class Outcome:
    fsynced: int
    stored_once: int
    duplicates: int
    losses: int
    unordered: int
    breaks: int
    runs: int

    def __str__(self) -> str:
        return (
            f"alerts fsynced {self.fsynced:,} in {self.runs} runs; stored exactly once {self.stored_once:,};"
            f" duplicates {self.duplicates}; losses {self.losses}; out of order {self.unordered};"
            f" breaks of the journal's chain {self.breaks}"
        )

    @property
    def good(self) -> bool:
        return self.fsynced == self.stored_once > 0 and not (
            self.duplicates or self.losses or self.unordered or self.breaks
        )


class Proxy(threading.Thread):
    """Forwards a port of 127.0.0.2 to the same of 127.0.0.1, until it is told to stop: a cut cable, nobody is told."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.server = socket.create_server((_FAR, port))
        self.port, self.cut, self.ended = port, threading.Event(), threading.Event()
        self._pairs: dict[socket.socket, socket.socket] = {}

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.server, selectors.EVENT_READ)
            while not self.ended.is_set():
                if self.cut.is_set():
                    self.ended.wait(0.05)
                    continue
                for key, _ in selector.select(0.05):
                    if key.fileobj is self.server:
                        self._accept(selector)
                    elif isinstance(key.fileobj, socket.socket):
                        self._forward(selector, key.fileobj)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        near, _ = self.server.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.port), timeout=1)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self._pairs[one] = other
            selector.register(one, selectors.EVENT_READ)

    def _forward(self, selector: selectors.BaseSelector, one: socket.socket) -> None:
        other = self._pairs.get(one)
        content = b""
        with suppress(OSError):
            content = one.recv(65_536)
            if content and other:
                other.settimeout(5)
                other.sendall(content)
                return
        for end in (one, other):
            if end is not None and self._pairs.pop(end, None) is not None:
                selector.unregister(end)
                end.close()


class Field:
    """A sensor and a collector as processes of their own, with a journal and a database between them."""

    def __init__(self, folder: Path, per_second: float = 500.0) -> None:
        self.journal, self.base = folder / "journal", folder / "alerts.sqlite"
        self.port = _free_ports()
        self.per_second = per_second
        self.proxies = [Proxy(self.port + at) for at in range(2)]
        for proxy in self.proxies:
            proxy.start()
        opened(str(self.base)).close()
        self.sensor: subprocess.Popen[str] | None = None
        self.collector: subprocess.Popen[bytes] | None = None
        self.runs = 0

    def start_sensor(self) -> None:
        self.runs += 1
        address = f"tcp://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "tests.bus.faults_sensor", str(self.journal), address, str(self.per_second)]
        self.sensor = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def start_collector(self, host: str = "127.0.0.1") -> None:
        command = [sys.executable, "-m", "tests.bus.faults_collector", f"tcp://{host}:{self.port}", str(self.base)]
        self.collector = subprocess.Popen(command)

    def kill(self, which: str) -> None:
        if which in ("sensor", "both") and self.sensor:
            self.sensor.kill()
            self.sensor.wait()
            if self.sensor.stdout:
                self.sensor.stdout.close()
        if which in ("collector", "both") and self.collector:
            self.collector.kill()
            self.collector.wait()

    def stored(self) -> list[tuple[int, int]]:
        with sqlite3.connect(self.base, timeout=30) as base:
            return base.execute("SELECT epoch, sequence FROM alerts ORDER BY rowid").fetchall()

    def settle(self) -> Outcome:
        """Let the collector catch up with the journal of the sensor that runs, then stop both and count."""
        while self.sensor and self.sensor.stdout and "ready" not in self.sensor.stdout.readline():
            assert self.sensor.poll() is None, "the sensor did not start"
        self.kill("sensor")
        wanted = self._fsynced()
        self.per_second = 0.0
        self.start_sensor()
        end = time.monotonic() + _LIMIT_SECONDS
        while len(set(self.stored())) < len(wanted) and time.monotonic() < end:
            assert self.collector is None or self.collector.poll() is None
            threading.Event().wait(0.2)
        self.kill("both")
        return self.count()

    def count(self) -> Outcome:
        return count_positions(self._fsynced(), self.stored(), self.journal, self.runs)

    def close(self) -> None:
        self.kill("both")
        for proxy in self.proxies:
            proxy.ended.set()
            proxy.server.close()

    def _fsynced(self) -> list[tuple[int, int]]:
        return [line.record.position for path in segment_paths(self.journal) for line in scan(path).lines]


def count_positions(wanted: list[Position], stored: list[Position], journal: Path, runs: int) -> Outcome:
    """`wanted` were fsynced, `stored` arrived, both (epoch, sequence) in their order."""
    times = Counter(stored)
    return Outcome(
        fsynced=len(wanted),
        stored_once=sum(1 for position in wanted if times[position] == 1),
        duplicates=len(stored) - len(times),
        losses=len(set(wanted) - set(times)),
        unordered=sum(1 for one, other in itertools.pairwise(stored) if other <= one),
        breaks=len(verify(journal).breaks),
        runs=runs,
    )


def kills(folder: Path, count: int, seed: int, pause: tuple[float, float] = (0.3, 1.5)) -> Outcome:
    """`count` kills at random points, each followed by a restart of what was killed."""
    chance = random.Random(seed)
    field = Field(folder)
    try:
        field.start_sensor()
        field.start_collector()
        while not field.stored():
            threading.Event().wait(0.1)
        for _ in range(count):
            threading.Event().wait(chance.uniform(*pause))
            which = chance.choice(("sensor", "collector", "both"))
            field.kill(which)
            if which in ("sensor", "both"):
                field.start_sensor()
            if which in ("collector", "both"):
                field.start_collector()
        return field.settle()
    finally:
        field.close()


def cut(folder: Path, seconds: float) -> Outcome:
    """The collector reaches the sensor through a line that goes dead for a while without a word."""
    field = Field(folder)
    try:
        field.start_sensor()
        field.start_collector(_FAR)
        while len(field.stored()) < 200:
            threading.Event().wait(0.1)
        for proxy in field.proxies:
            proxy.cut.set()
        threading.Event().wait(seconds)
        for proxy in field.proxies:
            proxy.cut.clear()
        return field.settle()
    finally:
        field.close()


def _free_ports() -> int:
    """The first of two ports in a row that are free."""
    for port in random.sample(range(20_000, 30_000, 2), 200):
        with suppress(OSError):
            for host in ("127.0.0.1", _FAR):
                for at in range(2):
                    socket.create_server((host, port + at)).close()
            return port
    raise OSError("no two free ports in a row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cut", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name, run in (
        (f"{given.kills} kills", lambda folder: kills(folder, given.kills, given.seed)),
        (f"cut of {given.cut:g} s", lambda folder: cut(folder, given.cut)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            print(f"{name}: {run(Path(folder))} ({time.monotonic() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
