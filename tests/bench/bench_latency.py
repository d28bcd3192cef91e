#!/usr/bin/env python3
"""From packet to collector: bench_latency.py [--rate PPS] [--attacks N] [--gather-ms MS ...] [--workers N].

Goes in: a generated capture that tcpreplay sends at so many packets a second, and among it clients that each send one
request with an SQL injection. Comes out: the time from the system's stamp on an attack's packet to the alert in a
subscriber's hands (50th, 99th percentile and the longest), for each time that packets gather.

The law: every attack is counted; one whose alert never comes is said. Needs root and tcpreplay.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from sensor.bus.subscriber import Subscriber
from tests.bench.bench_live import generated
from tests.capture.network import Cable, cable
from tests.service.wire import replay, sensor_at, stop, until
from tests.traffic import SECOND, START, exchange, write_pcap

ATTACK = b"GET /search?q=1%27%20UNION%20SELECT%20password%20FROM%20users-- HTTP/1.1\r\nHost: shop.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"
RULE = "injection-sql"
PER_SECOND = 20


def attacks(path: Path, count: int) -> Path:
    """One connection each of so many clients, evenly over time."""
    packets = []
    for number in range(count):
        client = f"203.0.{number // 250}.{number % 250 + 1}"
        begin = START + number * SECOND // PER_SECOND
        packets += exchange(ATTACK, ANSWER, source=client, start=begin, step=100_000).packets
    return write_pcap(path, packets)


class Run(NamedTuple):
    seconds: list[float]  # from packet to subscriber of each attack
    dropped: int
    steps: int            # work left undone under overload
    rate: float           # packets a second, as the sender measured it


def waits(wire: Cable, folder: Path, arguments: argparse.Namespace, gather_ms: int) -> Run:
    publish = f"ipc://{folder / 'alerts'}"
    background = generated(arguments.folder, 500_000)
    options = ("--publish", publish, "--quiet", "--workers", str(arguments.workers))
    options += ("--set", f"capture.gather_ms={gather_ms}", "--set", f"capture.ring_bytes={arguments.ring << 20}")
    rounds = str(max(round((arguments.attacks / PER_SECOND + 4) * arguments.rate / 500_000), 1))
    pace = ("--preload-pcap", f"--loop={rounds}", "--unique-ip", f"--pps={arguments.rate}")
    found: dict[str, float] = {}
    with sensor_at(wire, folder / "run", *options) as process, Subscriber(publish) as subscriber:
        until(process, folder / "run", lambda counters: True)
        command = ["ip", "netns", "exec", wire.far_space, "tcpreplay", "-i", wire.far, *pace, str(background)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as load:
            time.sleep(2)  # until the load is under way
            sender = threading.Thread(target=replay, args=(wire, attacks(folder / "attacks.pcap", arguments.attacks)))
            sender.start()
            while len(found) < arguments.attacks and (message := subscriber.receive(20)):
                alert = message.alert
                if alert.rule_id == RULE and alert.state == "raised":
                    found[alert.client_ip or ""] = time.time() - alert.last_seen
            sender.join()
            sent = re.search(r"Rated: .* ([0-9.]+) pps", load.communicate()[0])
        counters = until(process, folder / "run", lambda counters: counters["capture"]["frames"] > 0)
        stop(process)
    live, steps = counters["live"], counters["overload"]["stepped_up"]
    return Run(list(found.values()), live["dropped"], steps, float(sent[1]) if sent else 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--attacks", type=int, default=300)
    parser.add_argument("--gather-ms", type=int, nargs="+", default=[125])
    parser.add_argument("--ring", type=int, default=64, help="MiB")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where captures are kept")
    arguments = parser.parse_args()
    print("| gather_ms | packets/s | dropped | overload steps | alerts | 50th ms | 99th ms | longest ms |")
    print("|---:|---:|---:|---:|---|---:|---:|---:|")
    for gather_ms in arguments.gather_ms:
        with tempfile.TemporaryDirectory() as folder, cable("tapir-late") as wire:
            run = waits(wire, Path(folder), arguments, gather_ms)
        came = f"{len(run.seconds)} of {arguments.attacks}"
        late = " | ".join(f"{each * 1e3:.0f}" for each in np.percentile(run.seconds or [np.nan], [50, 99, 100]))
        print(f"| {gather_ms} | {run.rate:,.0f} | {run.dropped:,} | {run.steps} | {came} | {late} |")


if __name__ == "__main__":
    main()
