#!/usr/bin/env python3
"""Tapir's cost per packet as captures and connections grow, and under hostile traffic: curve.py [--quick].

Goes in: generated captures. Comes out: four Markdown tables (docs/performance.md shows them). The law: start-up,
measured on an empty capture, is taken off before cost is divided by packets. A capture is removed once it is measured
(unless it was there before), so that no more than 8 GB lie on the disk at a time.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
ETHERNET = bytes(12) + b"\x08\x00"
VXLAN = (
    ETHERNET,
    struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 1, 0, 64, 17, 0, b"\x0a\xff\0\1", b"\x0a\xff\0\2"),  # length 0: the card's
    struct.pack(">HHHH", 50_000, 4_789, 0, 0) + b"\x08\0\0\0\0\0\x07\0",
)
GRE = (
    ETHERNET,
    struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 1, 0, 64, 47, 0, b"\x0a\xff\0\1", b"\x0a\xff\0\2"),
    b"\x20\0\x65\x58\0\0\0\7",
)
TUNNELS = {
    "802.1ad and 802.1Q tags": (bytes(12) + b"\x88\xa8\0\1\x81\0\0\2\x65\x58",),
    "GRE": GRE,
    "VXLAN": VXLAN,
    "VXLAN in GRE": (*GRE, *VXLAN),
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


@contextmanager
def generated(packets: int, connections: int = 1000, variant: str = "normal") -> Iterator[Path]:
    """A capture that is gone afterwards, unless it was there before."""
    before = set(captures.folder().iterdir())
    path = captures.capture(packets, connections, variant)
    yield path
    if path not in before:
        path.unlink()


def wrapped(capture: Path, headers: Sequence[bytes]) -> Path:
    """The capture with its frames behind headers of a tunnel: outer headers whose lengths are left to the card."""
    path = capture.with_name(f"tunnel-{capture.name}")
    front = b"".join(headers)
    with capture.open("rb") as source, path.open("wb") as target:
        target.write(source.read(24))
        while record := source.read(16):
            seconds, rest, seen, wire = struct.unpack("<IIII", record)
            target.write(struct.pack("<IIII", seconds, rest, seen + len(front), wire + len(front)))
            target.write(front + source.read(seen))
    return path


def line(name: str, packets: int, usage: measure.Usage, startup: float, normal: float | None = None) -> str:
    """A row of a table; `normal` is what a packet costs usually, in microseconds."""
    micros = (usage.cpu_seconds - startup) / packets * 1e6
    share = "" if normal is None else f" {normal / micros:.2f} |"
    return f"| {name} | {micros:.3f} | {1e6 / micros:,.0f} |{share} {usage.peak_anon_bytes / 1e6:.0f} |"


def head(first: str, *, shares: bool = False) -> None:
    share = (" of the normal rate |", "---:|") if shares else ("", "")
    print(f"\n| {first} | µs per packet | packets/s |{share[0]} anonymous MB |\n|---|---:|---:|{share[1]}---:|")


def tunnels(packets: int, startup: float) -> None:
    """What wrapping costs: the same frames behind one, two and three headers more."""
    head(f"tunnels ({packets:,} packets)")
    with generated(packets) as capture:
        print(line("none", packets, cost(capture), startup), flush=True)
        for name, headers in TUNNELS.items():
            path = wrapped(capture, headers)
            print(line(name, packets, cost(path), startup), flush=True)
            path.unlink()


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
        with generated(packets) as capture:
            print(line(f"{packets:,}", packets, cost(capture), startup), flush=True)
    head(f"open connections ({largest:,} packets)")
    for connections in CONNECTIONS:
        with generated(largest, connections) as capture:
            print(line(f"{connections:,}", largest, cost(capture), startup), flush=True)
    tunnels(largest, startup)
    head(f"hostile ({largest:,} packets)", shares=True)
    usual = cost(captures.capture(largest))
    normal = (usual.cpu_seconds - startup) / largest * 1e6
    print(line("normal", largest, usual, startup, normal), flush=True)
    for variant, what in HOSTILE.items():
        with generated(largest, 1000, variant) as capture:
            print(line(what, largest, cost(capture), startup, normal), flush=True)
    capture = captures.capture(largest)
    print(line("one packet a write, through a pipe", largest, cost(capture, feed=True), startup, normal))


if __name__ == "__main__":
    main()
