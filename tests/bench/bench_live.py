#!/usr/bin/env python3
"""Live capture beside Suricata: bench_live.py {cost,rate} [--packets N] [--rate PPS] [--seconds S] [--workers N].

Goes in: a generated capture, sent by tcpreplay over a cable between two network namespaces. Comes out:

    cost   CPU seconds per million packets of Tapir (alerts only, and with transactions) and of Suricata 7 (AF_PACKET,
           HTTP log, no rules), each on the same packets at the same rate
    rate   tcpreplay at its highest rate for so many seconds, the capture's addresses changed in each round: packets
           that the system dropped, and whether the transactions are those of the file, each round anew

The law: what a program cost is user plus system time of it and its children between its first packet and its last.
Needs root, tcpreplay, and for `cost` suricata.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.measure import _family
from tests.capture.network import Cable, cable, inside
from tests.service.wire import replay, sensor_at, stop, until

ROOT = Path(__file__).resolve().parents[2]
AF_PACKET = """
af-packet:
  - interface: {interface}
    threads: 1
    cluster-id: 99
    cluster-type: cluster_flow
    tpacket-v3: yes
    use-mmap: yes
    ring-size: 65536
    block-size: 1048576
"""
TICKS = os.sysconf("SC_CLK_TCK")


def generated(folder: Path, packets: int) -> Path:
    """A capture of so many packets; kept in `folder`."""
    capture = folder / f"live-{packets}.pcap"
    if not capture.exists():
        command = [sys.executable, "tests/bench/generate.py", str(capture), "--packets", str(packets)]
        subprocess.run(command, check=True, cwd=ROOT)
    return capture


def cpu_seconds(pid: int) -> float:
    """User and system time so far of a process and of those it started that still run."""
    spent = 0
    for each in _family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        spent += int(fields[11]) + int(fields[12])
    return spent / TICKS


def settled(pid: int) -> None:
    """Wait until the process does next to nothing."""
    while True:
        before = cpu_seconds(pid)
        time.sleep(1)
        if cpu_seconds(pid) - before < 0.05:
            return


@contextmanager
def suricata_at(wire: Cable, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Suricata on the near end, one thread, once it captures."""
    folder.mkdir()
    settings = folder / "suricata.yaml"
    settings.write_text((ROOT / "tests/bench/suricata.yaml").read_text() + AF_PACKET.format(interface=wire.near))
    command = ["suricata", "-c", str(settings), f"--af-packet={wire.near}", "-S", "/dev/null", "-k", "none", "-l",
               str(folder), "--runmode", "workers", "-v"]  # fmt: skip
    log = folder / "log"
    with inside(wire.near_space), log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True)
    try:
        while "ngine started" not in log.read_text():
            if process.poll() is not None:
                raise RuntimeError(log.read_text()[-1000:])
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def cost_of(process: subprocess.Popen[str], send: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds that the packets cost, and how many they were."""
    settled(process.pid)
    before = cpu_seconds(process.pid)
    sent = send()
    settled(process.pid)
    return cpu_seconds(process.pid) - before, sent


def cost(arguments: argparse.Namespace, folder: Path) -> None:
    capture = generated(arguments.folder, arguments.packets)
    pace = ("--preload-pcap", f"--pps={arguments.rate}")
    spent: dict[str, list[float]] = {}
    lost: Counter[str] = Counter()
    for number in range(arguments.repeat):
        for name in ("alerts only", "with transactions"):
            options = ["--alerts", str(folder / "alerts.jsonl"), "--quiet", *_workers(arguments)]
            options += ["--transactions", str(folder / "tx.jsonl")] * (name == "with transactions")
            here = folder / f"{name.replace(' ', '-')}-{number}"
            with cable("tapir-bench") as wire, sensor_at(wire, here, *options) as process:
                seconds, sent = cost_of(process, partial(replay, wire, capture, *pace))
                counters = until(process, here, lambda counters: counters["capture"]["frames"] > 0)
                lost[name] += counters["live"]["dropped"]
                stop(process)
            spent.setdefault(f"Tapir, {name}", []).append(seconds * 1e6 / sent)
        here = folder / f"suricata-{number}"
        with cable("tapir-bench") as wire, suricata_at(wire, here) as process:
            seconds, sent = cost_of(process, partial(replay, wire, capture, *pace))
        with (here / "eve.json").open() as lines:
            rows = sum(1 for _ in lines)
        said = [line for line in (here / "log").read_text().splitlines() if " drops: " in line]
        spent.setdefault("Suricata, HTTP log", []).append(seconds * 1e6 / sent)
    least = {name: min(each) for name, each in spent.items()}
    print(f"{sent} packets at {arguments.rate}/s, {arguments.repeat} times; dropped by the system: {dict(lost)}")
    print(f"Suricata, last round: {rows} transactions; {said[-1] if said else ''}")
    print("\n| | CPU s per million packets, least | all | times Suricata |\n|---|---:|---|---:|")
    for name, each in spent.items():
        ratio = least["Suricata, HTTP log"] / least[name]
        print(f"| {name} | {least[name]:.2f} | {', '.join(f'{one:.2f}' for one in each)} | {ratio:.2f} |")


KEYS = ("method", "uri", "status_code", "request_body_len", "response_body_len", "trans_depth")


def _rows(path: Path) -> Counter[tuple[Any, ...]]:
    with path.open() as lines:
        return Counter(tuple(row[key] for key in KEYS) for row in map(json.loads, lines))


def rate(arguments: argparse.Namespace, folder: Path) -> None:
    capture = generated(arguments.folder, arguments.packets)
    file, live = folder / "file.jsonl", folder / "live.jsonl"
    command = [sys.executable, "-m", "sensor", "read", str(capture), "--transactions", str(file), "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT)
    pace = ("--topspeed",) if not arguments.rate else (f"--pps={arguments.rate}",)
    options = ("--transactions", str(live), "--quiet", *_workers(arguments))
    options += ("--set", f"capture.ring_bytes={arguments.ring << 20}")
    with cable("tapir-bench") as wire:
        began = time.monotonic()
        sent = replay(wire, capture, "--preload-pcap", "--loop=2", *pace)  # nobody listens: how fast it goes
        rounds = max(round(arguments.seconds * sent / (time.monotonic() - began) / arguments.packets), 1)
    with cable("tapir-bench") as wire, sensor_at(wire, folder / "run", *options) as process:
        began, cpu = time.monotonic(), cpu_seconds(process.pid)
        sent = replay(wire, capture, "--preload-pcap", f"--loop={rounds}", "--unique-ip", *pace)
        took = time.monotonic() - began
        counters = until(process, folder / "run", lambda counters: counters["live"]["received"] >= sent
                         and counters["capture"]["frames"] + counters["live"]["dropped"] >= sent)  # fmt: skip
        cpu = cpu_seconds(process.pid) - cpu
        stop(process)
    dropped = counters["live"]["dropped"]
    print(f"{sent:,} packets in {took:.1f} s: {sent / took:,.0f}/s, {rounds} rounds; {dropped:,} dropped by the system")
    print(f"{cpu * 1e6 / max(sent - dropped, 1):.2f} s of CPU per million packets; left undone: {counters['overload']}")
    expected = Counter({key: count * rounds for key, count in _rows(file).items()})
    found = _rows(live)
    print(f"transactions: {found.total():,} of {expected.total():,}; equal to the file's: {found == expected}")


def _workers(arguments: argparse.Namespace) -> tuple[str, ...]:
    return ("--workers", str(arguments.workers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "rate"))
    parser.add_argument("--packets", type=int, default=500_000)
    parser.add_argument("--rate", type=int, default=0, help="packets a second; 0: as fast as tcpreplay can")
    parser.add_argument("--seconds", type=float, default=60, help="of `rate`")
    parser.add_argument("--repeat", type=int, default=1, help="of `cost`")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ring", type=int, default=64, help="MiB of `rate`")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where captures are kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"cost": cost, "rate": rate}[arguments.what](arguments, Path(folder))


if __name__ == "__main__":
    main()
