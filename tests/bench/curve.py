#!/usr/bin/env python3
"""Tapir's cost per packet as captures and connections grow, and under hostile traffic: curve.py [--quick].

Goes in: generated captures. Comes out: three Markdown tables (docs/performance.md shows them). The law: start-up,
measured on an empty capture, is taken off before cost is divided by packets.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import captures, measure, programs

HERE = Path(__file__).resolve().parent
PACKETS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
CONNECTIONS = (10, 100, 1_000, 10_000, 100_000)
RUNS = 2
HOSTILE = {
    "distinct": "every string distinct",
    "reordered": "every segment out of order",
    "colliding": "colliding flow keys",
    "bytes": "one byte a segment",
}


def cost(capture: Path, *, feed: bool = False) -> measure.Usage:
    """The best of RUNS runs with all three outputs; through a pipe, one packet a write, when `feed` is set."""
    out = Path(tempfile.mkdtemp(dir=captures.folder()))
    command = programs.tapir_all(Path("-") if feed else capture, out)
    feeder = [sys.executable, str(HERE / "feed.py"), str(capture)] if feed else []
    try:
        runs = [measure.run(command, feed=feeder, log=captures.folder() / "curve.log") for _ in range(RUNS)]
    finally:
        shutil.rmtree(out)
    return min(runs, key=lambda usage: usage.cpu_seconds)


def line(name: str, packets: int, usage: measure.Usage, startup: float, normal: float | None = None) -> str:
    """A row of a table; `normal` is what a packet costs usually, in microseconds."""
    micros = (usage.cpu_seconds - startup) / packets * 1e6
    share = "" if normal is None else f" {normal / micros:.2f} |"
    return f"| {name} | {micros:.3f} | {1e6 / micros:,.0f} |{share} {usage.peak_anon_bytes / 1e6:.0f} |"


def head(first: str, *, shares: bool = False) -> None:
    share = (" of the normal rate |", "---:|") if shares else ("", "")
    print(f"\n| {first} | µs per packet | packets/s |{share[0]} anonymous MB |\n|---|---:|---:|{share[1]}---:|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="captures of at most a million packets")
    quick = parser.parse_args().quick
    largest = 300_000 if quick else 1_000_000
    small = cost(captures.capture(1, 10))
    startup = small.cpu_seconds
    version = measure.run([sys.executable, "-m", "sensor", "--version"], log=captures.folder() / "curve.log")
    print("| start-up | wall s | CPU s |\n|---|---:|---:|")
    print(f"| tapir --version | {version.wall_seconds:.2f} | {version.cpu_seconds:.2f} |")
    print(f"| a capture of one packet | {small.wall_seconds:.2f} | {small.cpu_seconds:.2f} |")
    head("packets (1,000 connections)")
    for packets in PACKETS[:3] if quick else PACKETS:
        print(line(f"{packets:,}", packets, cost(captures.capture(packets)), startup), flush=True)
    head(f"open connections ({largest:,} packets)")
    for connections in CONNECTIONS:
        capture = captures.capture(largest, connections)
        print(line(f"{connections:,}", largest, cost(capture), startup), flush=True)
    head(f"hostile ({largest:,} packets)", shares=True)
    usual = cost(captures.capture(largest))
    normal = (usual.cpu_seconds - startup) / largest * 1e6
    print(line("normal", largest, usual, startup, normal), flush=True)
    for variant, what in HOSTILE.items():
        capture = captures.capture(largest, 1000, variant)
        print(line(what, largest, cost(capture), startup, normal), flush=True)
    capture = captures.capture(largest)
    print(line("one packet a write, through a pipe", largest, cost(capture, feed=True), startup, normal))


if __name__ == "__main__":
    main()
