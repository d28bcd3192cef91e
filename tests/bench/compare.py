#!/usr/bin/env python3
"""Tapir and its peers side by side, each on one core: compare.py [--packets SMALL LARGE] [--only NAME ...].

Goes in: two generated captures of the same kind. Comes out: a Markdown table (docs/performance.md shows it). The law:
cost per packet is the slope between the two captures, in CPU seconds; what a program needs to start enters no rate.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import captures, measure, programs

SLOW = {"tshark": 8, "nfstream": 2}
"""These get captures so many times smaller: one's patience depends on the size, their cost per packet does not."""


@dataclass(frozen=True)
class Row:
    title: str
    microseconds: float      # CPU per packet
    megabits: float          # per packet
    startup_seconds: float
    small: measure.Usage
    large: measure.Usage

    @property
    def rate(self) -> float:
        return 1e6 / self.microseconds


def measured(name: str, packets: tuple[int, int], connections: int, repeat: int) -> Row:
    """Run one program over both captures, the best of `repeat` each."""
    title, command = programs.PROGRAMS[name]
    best: list[measure.Usage] = []
    sizes = [count // SLOW.get(name, 1) for count in packets]
    paths = [captures.capture(count, connections) for count in sizes]
    for path in paths:
        runs = []
        for _ in range(repeat):
            out = Path(tempfile.mkdtemp(dir=captures.folder()))
            runs.append(measure.run(command(path, out), log=captures.folder() / f"{name}.log"))
            shutil.rmtree(out)
        best.append(min(runs, key=lambda usage: usage.cpu_seconds))
        print(f"{title}: {path.name}: {best[-1].one_line}", file=sys.stderr, flush=True)
    slope = (best[1].cpu_seconds - best[0].cpu_seconds) / (sizes[1] - sizes[0])
    bits = (paths[1].stat().st_size - paths[0].stat().st_size) * 8 / (sizes[1] - sizes[0]) - 16 * 8
    return Row(title, slope * 1e6, bits / 1e6, best[0].cpu_seconds - slope * sizes[0], *best)


def table(rows: list[Row]) -> str:
    """The comparison; ratios are Suricata's cost per packet over the program's."""
    reference = next((row for row in rows if row.title.startswith("Suricata")), rows[0])
    lines = [
        "| one core, CPU time | packets/s | Gbit/s | µs per packet "
        f"| times {reference.title.split(',')[0]} | start-up s | peak MB | anonymous MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row.title} | {row.rate:,.0f} | {row.rate * row.megabits / 1e3:.2f} | {row.microseconds:.3f} "
            f"| {reference.microseconds / row.microseconds:.2f} | {row.startup_seconds:.2f} "
            f"| {row.large.peak_bytes / 1e6:.0f} | {row.large.peak_anon_bytes / 1e6:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=lambda text: int(float(text)), nargs=2, default=(1_000_000, 4_000_000))
    parser.add_argument("--connections", type=lambda text: int(float(text)), default=1000)
    parser.add_argument("--only", nargs="+", choices=programs.PROGRAMS, default=list(programs.PROGRAMS))
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args()
    rows = []
    for name in given.only:
        found = programs.version(name)
        print(f"{name}: {found or 'not installed, left out (tests/bench/install-peers)'}", file=sys.stderr, flush=True)
        if found:
            rows.append(measured(name, tuple(given.packets), given.connections, given.repeat))
    print(table(rows))


if __name__ == "__main__":
    main()
