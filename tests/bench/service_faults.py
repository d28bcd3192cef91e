"""What may go wrong with whole programs: `tapir run` and `tapir collect --store`, as processes of their own, while
alerts flow.

    python -m tests.bench.service_faults [--only kills full slow key clock] [--kills 200] [--seed 1]

    kills   kill -9 of sensor, collector or both at random points, also while they start
    full    the journal's disk (a tmpfs of 256 KiB, as root) is full for 10 s
    slow    one of two collectors stands still (SIGSTOP) for 10 s
    key     a collector whose key is not allowed, until it is
    clock   the sensor's clock goes back by a day, and forward, between runs and within one

Law: the journal's own verification says what there was, the store's tables what arrived.
"""

from __future__ import annotations

import argparse
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sensor.bus.keys import KeyFolder
from sensor.collector.audit import verify as verify_audit
from sensor.collector.tables import opened
from sensor.errors import InputError
from tests.bench.faults import Field, Outcome, count_positions

_PCAPS = Path(__file__).parents[2] / "pcaps"
_TAPIR = [sys.executable, "-m", "sensor"]
_LIMIT_SECONDS = 120.0
_SETTINGS = """
[[collector.channels]]
name = "away"
webhook = "http://127.0.0.1:9/"
[[collector.routes]]
channels = ["away"]
"""


class Programs(Field):
    """A sensor that replays a capture with failed logins, fast, and collectors with stores."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder, self.keys = folder, ""
        self.clock: Path | None = None
        (folder / "tapir.toml").write_text(_SETTINGS)

    def start_sensor(self, capture: str = "hydra-form.pcap", pace: float = 100.0) -> None:
        self.runs += 1
        replayed = self.folder / "replayed.pcap"
        replayed.write_bytes(earlier(_PCAPS / capture, self.runs))
        settings = ["alerting.update_seconds=0", "alerting.quiet_seconds=1"]
        stepped = [sys.executable, "-m", "tests.bench.stepped_clock", str(self.clock)] if self.clock else _TAPIR
        command = [*stepped, "run", "--read-loop", str(replayed), "--pace", str(pace), "--quiet", "--journal",
                   str(self.journal), "--publish", f"tcp://127.0.0.1:{self.port}", "--sensor", "tap-1",
                   *(f"--set={one}" for one in settings), *(["--keys", self.keys] if self.keys else [])]  # fmt: skip
        with open(self.folder / "sensor.log", "ab") as log:
            self.sensor = subprocess.Popen(command, stdout=log, stderr=log, text=True)

    def start_collector(self, host: str = "127.0.0.1", store: str = "store", keys: str = "") -> None:
        self.collector = self.collector_of(store, keys)

    def collector_of(self, store: str, keys: str = "") -> subprocess.Popen[bytes]:
        command = [*_TAPIR, "collect", f"tcp://127.0.0.1:{self.port}", "--store", str(self.folder / store),
                   "--settings", str(self.folder / "tapir.toml"), *(["--keys", keys] if keys else [])]  # fmt: skip
        with open(self.folder / "collector.log", "ab") as log:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def stored(self, store: str = "store") -> list[tuple[int, int]]:
        try:
            base = opened(str(self.folder / store))
        except InputError:
            return []
        try:
            query = "SELECT epoch, sequence FROM alerts ORDER BY id"
            return [(row["epoch"], row["sequence"]) for row in base.execute(query)]
        finally:
            base.close()

    def set_clock(self, hours: int) -> None:
        """Of the sensor, from now on: so many hours away from ours."""
        assert self.clock is not None
        new = self.clock.with_suffix(".new")
        new.write_text(str(hours * 3_600))
        new.replace(self.clock)

    def until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + _LIMIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                logs = "".join((self.folder / name).read_text()[-2_000:] for name in ("sensor.log", "collector.log"))
                raise TimeoutError(f"{what}\n{logs}")
            threading.Event().wait(0.1)

    def flow(self, more: int = 20, store: str = "store") -> None:
        """Until so many more alerts are stored."""
        before = len(self.stored(store))
        self.until(lambda: len(self.stored(store)) >= before + more, "no alerts were stored")

    def settle(self, store: str = "store") -> Outcome:
        """End the sensor, let a quiet one serve its journal until the collector has it all, and count."""
        self.kill("sensor")
        wanted = self._fsynced()
        self.start_sensor("dead-peer.pcap", 1.0)
        self.until(lambda: set(wanted) <= set(self.stored(store)), "not all was stored")
        self.kill("both")
        stored = [position for position in self.stored(store) if position <= wanted[-1]]
        return count_positions(wanted, stored, self.journal, self.runs)

    def consequences(self) -> str:
        """Incidents, their first notices and entries of the audit trail: one of each."""
        base = opened(str(self.folder / "store"))
        try:
            queries = (
                "SELECT count(*) FROM incidents", "SELECT count(*) FROM audit WHERE action = 'opened'",
                "SELECT count(*) FROM deliveries WHERE CAST(notice AS TEXT) LIKE '%\"kind\":\"opened\"%'",
            )  # fmt: skip
            incidents, audited, told = (base.execute(query).fetchone()[0] for query in queries)
            breaks = len(verify_audit(base).breaks)
        finally:
            base.close()
        return f"incidents {incidents:,}, opened in the audit trail {audited:,}, notices {told:,}, its breaks {breaks}"


def earlier(path: Path, hours: int) -> bytes:
    """A capture whose packets came so many hours earlier: alerts of packets that are the same have the same ids."""
    capture = bytearray(path.read_bytes())
    at = 24
    while at < len(capture):
        seconds, _, length, _ = struct.unpack_from("<4I", capture, at)
        struct.pack_into("<I", capture, at, seconds - hours * 3_600)
        at += 16 + length
    return bytes(capture)


@contextmanager
def programs(folder: Path) -> Iterator[Programs]:
    field = Programs(folder)
    try:
        yield field
    finally:
        field.close()


def kills(
    folder: Path, count: int = 200, seed: int = 1, pause: tuple[float, float] = (0.0, 3.0)
) -> tuple[Outcome, str]:
    """`count` kills at random points, each followed by a restart of what was killed; two of three while alerts flow."""
    chance = random.Random(seed)
    with programs(folder) as field:
        field.start_sensor()
        field.start_collector()
        field.flow()
        for _ in range(count):
            if chance.random() < 2 / 3:
                field.flow(1)
            threading.Event().wait(chance.uniform(*pause))
            which = chance.choice(("sensor", "collector", "both"))
            field.kill(which)
            if which in ("sensor", "both"):
                field.start_sensor()
            if which in ("collector", "both"):
                field.start_collector()
        return field.settle(), field.consequences()


def full(folder: Path, seconds: float = 10.0) -> tuple[Outcome, str]:
    """The journal's disk has no room for a while, then it has."""
    with programs(folder) as field:
        field.journal.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o"]
        subprocess.run([*mount, "size=256k", "tapir-faults", str(field.journal)], check=True)
        try:
            field.start_sensor()
            field.start_collector()
            log = folder / "sensor.log"
            field.until(lambda: "the journal cannot be written" in log.read_text(), "the disk did not get full")
            before = len(field.stored())
            threading.Event().wait(seconds)
            meanwhile = len(field.stored()) - before
            subprocess.run([*mount, "remount,size=64m", str(field.journal)], check=True)
            field.until(lambda: "the journal is written again" in log.read_text(), "the journal stayed as it was")
            field.flow()
            outcome = field.settle()
            base = opened(str(folder / "store"))
            query = "SELECT count(*) FROM alerts WHERE rule_id = 'journal-failing' AND revision = 1"
            (told,) = base.execute(query).fetchone()
            base.close()
        finally:
            field.kill("both")
            subprocess.run(["umount", str(field.journal)], check=True)
    return outcome, f"stored while it was full {meanwhile:,}, alerts journal-failing {told}"


def slow(folder: Path, seconds: float = 10.0) -> tuple[Outcome, str]:
    """A collector that stands still misses nothing and holds up nobody."""
    with programs(folder) as field:
        field.start_sensor()
        field.start_collector()
        other = field.collector_of("quick")
        try:
            field.flow()
            field.flow(store="quick")
            assert field.collector is not None
            field.collector.send_signal(signal.SIGSTOP)
            before = len(field.stored("quick"))
            threading.Event().wait(seconds)
            meanwhile = len(field.stored("quick")) - before
            field.collector.send_signal(signal.SIGCONT)
            outcome = field.settle()
        finally:
            other.kill()
            other.wait()
        return outcome, f"the other one stored {meanwhile:,} meanwhile"


def key(folder: Path, seconds: float = 5.0) -> tuple[Outcome, str]:
    """A collector with a wrong key gets nothing, and all of it once its key is allowed."""
    sensor, collector = KeyFolder(folder / "sensor-keys"), KeyFolder(folder / "collector-keys")
    sensor.make()
    with programs(folder) as field:
        field.keys = str(sensor.path)
        collector_key = collector.make().public.decode()
        collector.trust("tap-1", f"tcp://127.0.0.1:{field.port}", sensor.own().public.decode())
        field.start_sensor()
        field.collector = field.collector_of("store", str(collector.path))
        log = folder / "sensor.log"
        field.until(lambda: "is not allowed (tapir keys allow NAME KEY)" in log.read_text(), "it was not refused")
        threading.Event().wait(seconds)
        before = len(field.stored())
        sensor.allow("collector", collector_key)
        field.flow()
        return field.settle(), f"stored before its key was allowed {before}"


def clock(folder: Path) -> tuple[Outcome, str]:
    """Runs a day early and a day late, and a step of an hour within each."""
    with programs(folder) as field:
        field.clock = folder / "clock"
        field.start_collector()
        for offset, step in ((0, -1), (-24, -25), (24, 25), (0, 1)):
            field.set_clock(offset)
            field.start_sensor()
            field.flow()
            field.set_clock(step)
            field.flow()
            field.kill("sensor")
        field.set_clock(0)
        outcome = field.settle()
        return outcome, f"epochs {len({epoch for epoch, _ in field.stored()})}"


def main() -> None:
    names = {"kills": kills, "full": full, "slow": slow, "key": key, "clock": clock}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=list(names))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name in given.only:
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            if name == "kills":
                outcome, besides = kills(Path(folder), given.kills, given.seed)
            else:
                outcome, besides = names[name](Path(folder))
            print(f"{name}: {outcome}; {besides} ({time.monotonic() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
