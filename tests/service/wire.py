"""A sensor at one end of a cable and tcpreplay at the other: in: a cable, captures; out: packets sent, what came out.

The one law: the sensor is a process of its own that captures as on any mirror port.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sensor.control import ask
from sensor.errors import TapirError
from tests.capture.network import Cable, inside, needs_namespaces
from tests.service.test_run import manager, running, told

__all__ = ["cpu_quota", "needs_replay", "replay", "sensor_at", "stop", "until"]

needs_replay = pytest.mark.skipif(
    bool(needs_namespaces.args[0]) or shutil.which("tcpreplay") is None,
    reason="needs root, network namespaces and tcpreplay",
)
_CPU = Path("/sys/fs/cgroup/cpu")
_LIMIT_SECONDS = 300


@contextmanager
def sensor_at(wire: Cable, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`tapir run` at the near end, once it captures; its control socket lies in `folder`."""
    folder.mkdir(exist_ok=True)
    options = (wire.near, *arguments, "--set", f"service.control={folder / 'control'}")
    with ExitStack() as stack:
        with manager(folder) as listening:
            with inside(wire.near_space):
                process = stack.enter_context(running(folder, *options))
            told(listening, "READY=1")
        yield process


def replay(wire: Cable, capture: Path, *options: str) -> int:
    """Send a capture from the far end; how many packets that was."""
    command = ["ip", "netns", "exec", wire.far_space, "tcpreplay", "-i", wire.far, *options, str(capture)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    found = re.search(r"Successful packets:\s+(\d+)", done.stdout)
    assert found, done.stdout
    return int(found[1])


def until(
    process: subprocess.Popen[str], folder: Path, holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The first snapshot of the sensor's counters for which that holds; no longer than it runs."""
    end, counters = time.monotonic() + _LIMIT_SECONDS, {}
    while time.monotonic() < end:
        try:
            counters = ask(str(folder / "control")).get("counters", {})
        except TapirError:
            counters = {}
        if counters and holds(counters):
            return counters
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    raise AssertionError(f"never came to it: {counters}")


def stop(process: subprocess.Popen[str]) -> tuple[str, str]:
    """End it as a service manager does; its standard output and what it logged."""
    process.send_signal(signal.SIGTERM)
    output, complaints = process.communicate(timeout=_LIMIT_SECONDS)
    assert process.returncode == 0, complaints
    return output, complaints


@contextmanager
def cpu_quota(process: subprocess.Popen[str], share: float) -> Iterator[None]:
    """While it lasts the process has so much of one CPU (cgroup v1 or v2)."""
    first = _CPU.is_dir()
    group = (_CPU if first else Path("/sys/fs/cgroup")) / f"tapir-test-{os.getpid()}"
    try:
        group.mkdir()
        if first:
            (group / "cpu.cfs_period_us").write_text("50000")
            (group / "cpu.cfs_quota_us").write_text(str(int(share * 50_000)))
        else:
            (group / "cpu.max").write_text(f"{int(share * 50_000)} 50000")
        (group / "cgroup.procs").write_text(str(process.pid))
    except OSError as error:
        pytest.skip(f"no CPU quota can be set here: {error}")
    try:
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(process.pid))
        group.rmdir()
