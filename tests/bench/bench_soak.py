#!/usr/bin/env python3
"""A long run under churn: bench_soak.py [--minutes M] [--every S] [--connections N] [--workers N].

Goes in: bursts of new connections (50,000 within a second, each with a request, an answer and an end), every so many
seconds, from other clients each time. Comes out: a line a minute with the sensor's memory, flows, evictions and losses,
how many connections a second the bursts began, and whether memory is flat: its most in the last third of the time
against its most in the third before.

The law: memory is what the kernel says of the sensor and its workers (RssAnon and RssShmem), a burst's rate what the
sender's clock says. Needs root.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.control import ask
from tests.bench.burst import Burst
from tests.bench.measure import _family
from tests.capture.network import cable
from tests.capture.test_live import raw_socket
from tests.service.wire import sensor_at, stop
from tests.traffic import ethernet, exchange

REQUEST = b"GET /items/17 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: shop/1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"id\": 17 }"
ETHERNET, SOURCE, TARGET, FLAGS = 14, 26, 30, 47
FIN, RST, ACK = 0x01, 0x04, 0x10
FILES = 4
FIGURES = (
    ("capture", "frames", "packets"), ("reassembly", "flows", "flows"), ("detection", "transactions", "transactions"),
    ("reassembly", "flows_evicted", "flows evicted"), ("live", "dropped", "dropped by the system"),
    ("overload", "step", "overload step"),
)  # fmt: skip
SETTLING_SECONDS = 5
SENDER = os.SCHED_FIFO, os.sched_param(1)
"""The sender goes before all else: on a machine that others share the bursts are as fast as they are said to be."""


def connections(path: Path, count: int, net: int) -> Path:
    """So many whole connections of five packets, reset at the end, each of a client of its own in 10.`net`.0.0/16."""
    frames = [bytearray(ethernet(packet)) for packet in exchange(REQUEST, ANSWER).packets]
    frames = [frame for frame in frames if frame[FLAGS] != ACK]  # data acknowledges as well
    closing = [frame for frame in frames if frame[FLAGS] & FIN]
    closing[0][FLAGS] = RST | ACK
    frames.remove(closing[1])
    from_client = [frame[SOURCE : SOURCE + 4] == frames[0][SOURCE : SOURCE + 4] for frame in frames]
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(count):
            client = struct.pack("!BBH", 10, net, number & 0xFFFF)
            port = struct.pack("!H", 20_000 + number % 40_000)
            for frame, forth in zip(frames, from_client, strict=True):
                at, port_at = (SOURCE, ETHERNET + 20) if forth else (TARGET, ETHERNET + 22)
                frame[at : at + 4], frame[port_at : port_at + 2] = client, port
                out.write(struct.pack("<4I", number // 50_000, number * 20 % 1_000_000, len(frame), len(frame)) + frame)
    return path


def memory_bytes(pid: int) -> int:
    """Of the sensor and its workers; what these share, the ring among it, counts once."""
    anonymous, shared = 0, 0
    for each in _family(pid):
        lines = Path(f"/proc/{each}/status").read_text().splitlines()
        kinds = dict(line.split(":", 1) for line in lines)
        anonymous += int(kinds["RssAnon"].split()[0]) * 1024
        shared = max(shared, int(kinds["RssShmem"].split()[0]) * 1024)
    return anonymous + shared


def bursts_of(folder: Path, count: int) -> list[Burst]:
    """The bursts, each from clients of its own."""
    return [Burst(connections(folder / f"{net}.pcap", count, net)) for net in range(FILES)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=10, help="seconds from one burst to the next")
    parser.add_argument("--connections", type=int, default=50_000)
    parser.add_argument("--rate", type=int, default=50_000, help="connections a second within a burst")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ring", type=int, default=256, help="MiB")
    arguments = parser.parse_args()
    curve: list[int] = []
    rates: list[float] = []
    print(f"| minute | MB | connections/s | {' | '.join(name for _, _, name in FIGURES)} |")
    print("|---:" * (3 + len(FIGURES)) + "|")
    with tempfile.TemporaryDirectory() as name, cable("tapir-soak") as wire:
        folder = Path(name)
        captures = bursts_of(folder, arguments.connections)
        each = len(captures[0]) // arguments.connections
        options = ("--alerts", str(folder / "alerts.jsonl"), "--quiet", "--workers", str(arguments.workers))
        options += ("--set", f"capture.ring_bytes={arguments.ring << 20}")
        with (
            sensor_at(wire, folder / "run", *options) as process,
            raw_socket(wire.far_space, wire.far) as sender,
        ):
            os.sched_setscheduler(0, *SENDER)
            began, told, bursts = time.monotonic(), 0.0, 0
            while (now := time.monotonic() - began) < arguments.minutes * 60:
                rates.append(captures[bursts % FILES].send(sender, arguments.rate * each) / each)
                bursts += 1
                curve.append(memory_bytes(process.pid))
                if now >= told:
                    told += 60
                    seen = ask(str(folder / "run" / "control")).get("counters", {})
                    figures = [f"{seen[stage][what]:,}" for stage, what, _ in FIGURES] if seen else []
                    row = (f"{now / 60:.0f}", f"{curve[-1] / 1e6:.0f}", f"{rates[-1]:,.0f}", *figures)
                    print(f"| {' | '.join(row)} |", flush=True)
                time.sleep(max(bursts * arguments.every - (time.monotonic() - began), 0))
            time.sleep(SETTLING_SECONDS)  # until what the ring holds is worked on, and the figures say so
            counters = ask(str(folder / "run" / "control"))["counters"]
            stop(process)
    sent = sum(len(captures[number % FILES]) for number in range(bursts))
    seen, lost = counters["capture"]["frames"], counters["live"]["dropped"]
    print(f"\n{sent:,} packets sent, {seen:,} captured, {lost:,} of the others told as dropped")
    least, middle, most = min(rates), median(rates), max(rates)
    print(f"\nconnections a second in a burst: least {least:,.0f}, median {middle:,.0f}, most {most:,.0f}")
    third = max(len(curve) // 3, 1)
    before, after = max(curve[third : 2 * third] or curve), max(curve[-third:])
    print(f"\n{bursts} bursts; most memory in the second third {before / 1e6:.1f} MB, in the last {after / 1e6:.1f} MB:"
          f" {'flat' if after <= 1.02 * before else 'it grows'}")  # fmt: skip


if __name__ == "__main__":
    main()
