"""Runs one program on one core and says what it cost. Goes in: a command. Comes out: a Usage.

The law: CPU time is user plus system of the program and all its children, as the kernel counted it; never wall time.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CORE = max(os.sched_getaffinity(0))
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Usage:
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int       # resident, sum over the processes
    peak_anon_bytes: int  # of it, not backed by a file

    @property
    def one_line(self) -> str:
        sizes = f"{self.peak_bytes / 1e6:.0f} MB, anonymous {self.peak_anon_bytes / 1e6:.0f} MB"
        return f"{self.cpu_seconds:.2f} s CPU, {sizes}"


def _family(pid: int) -> list[int]:
    """The process and those it started that still run."""
    found = [pid]
    for parent in found:
        try:
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        except OSError:
            continue
    return found


def _resident(pid: int) -> tuple[int, int]:
    """Resident and anonymous resident bytes of one process; nothing when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    values = dict(line.split(":", 1) for line in lines)
    resident, anonymous = (int(values.get(key, "0 kB").split()[0]) * 1024 for key in ("VmRSS", "RssAnon"))
    return resident, anonymous


def run(command: Sequence[str], *, feed: Sequence[str] = (), log: Path, seconds_max: float = 1800) -> Usage:
    """Run `command` to its end on CORE, reading from `feed`'s output when there is one (which is not counted).

    Its own output goes to `log`. RuntimeError with the end of the log when it fails.
    """
    source: IO[bytes] | None = None
    feeder = subprocess.Popen(feed, stdout=subprocess.PIPE) if feed else None
    if feeder:
        source = feeder.stdout
    began = time.monotonic()
    with log.open("wb") as output:
        pinned = ("taskset", "-c", str(CORE), *command)
        process = subprocess.Popen(pinned, stdin=source or subprocess.DEVNULL, stdout=output, stderr=output)
    if source:
        source.close()
    stop = threading.Timer(seconds_max, process.kill)
    stop.start()
    peaks = [0, 0]
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(POLL_SECONDS):
            sizes = [_resident(pid) for pid in _family(process.pid)]
            peaks[0] = max(peaks[0], sum(size for size, _ in sizes))
            peaks[1] = max(peaks[1], sum(anon for _, anon in sizes))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, used = os.wait4(process.pid, 0)
    stop.cancel()
    watching.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if feeder:
        feeder.wait(10)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}: {log.read_text(errors='replace')[-500:]}")
    resident = max(peaks[0], used.ru_maxrss * 1024)
    return Usage(used.ru_utime + used.ru_stime, time.monotonic() - began, resident, peaks[1])
