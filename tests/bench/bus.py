"""How fast alerts are delivered and replayed: 1,000 alerts a second to 20 subscribers, and a backlog of 50,000.

    python -m tests.bench.bus [--seconds 60] [--rate 1000] [--subscribers 20] [--backlog 50000]

Out: percentiles of the time from `put` (detection) to delivery, each subscriber a process of its own, sensor with a
journal on disk; alerts a second of a replay from its beginning. Law: both ends read one monotonic clock of one machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

from sensor.alerting.journal import Journal
from sensor.bus.stream import AlertStream
from sensor.config import BusSettings
from tests.bus.alerts import an_alert

_SUBSCRIBER = """
import json, sys, time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])
socket.subscribe("alert.")
late = []
for _ in range(int(sys.argv[2])):
    body = socket.recv_multipart()[1]
    now = time.monotonic()
    late.append(now - json.loads(body)["details"]["put"])
print(*late)
"""

_FOLLOWER = """
import sys, time
from sensor.bus.subscriber import Subscriber
with Subscriber(sys.argv[1], start="first", timeout=30) as subscriber:
    start, last = time.monotonic(), 0
    for _ in range(int(sys.argv[2])):
        alert = next(subscriber)
        assert alert.sequence == last + 1
        last = alert.sequence
    print(time.monotonic() - start)
"""


def deliver(seconds: float, rate: int, subscribers: int) -> None:
    """Plain subscribers, as anyone would write them."""
    count = int(seconds * rate)
    with tempfile.TemporaryDirectory() as folder:
        settings = BusSettings(publish="tcp://127.0.0.1:*")
        with AlertStream(settings, Journal(folder), "tap-1") as stream:
            command = [sys.executable, "-c", _SUBSCRIBER, stream.address, str(count)]
            readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(subscribers)]
            stream.wait_for_subscribers(subscribers, 60)
            start = time.monotonic()
            for number in range(1, count + 1):
                wait = start + number / rate - time.monotonic()
                if wait > 0:
                    threading.Event().wait(wait)
                stream.put([an_alert(number, epoch=stream.epoch, details={"put": time.monotonic()})])
            late = [np.array(reader.communicate(timeout=120)[0].split(), float) for reader in readers]
            commits = stream.all_counters()["log"]["commits"]
    all_late = np.concatenate(late) * 1000
    shown = ", ".join(f"p{at:g} {np.percentile(all_late, at):.1f} ms" for at in (50, 99, 99.9, 100))
    got = min(map(len, late))
    print(f"{rate}/s for {seconds:g} s to {subscribers} subscribers: each got {got:,} of {count:,}; {shown};"
          f" {commits:,} commits")  # fmt: skip


def replay(backlog: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(folder)
        with AlertStream(BusSettings(publish="tcp://127.0.0.1:*"), journal, "tap-1") as stream:
            for first in range(1, backlog + 1, 1_000):
                stream.put([an_alert(number, epoch=stream.epoch) for number in range(first, first + 1_000)])
            while stream.all_counters()["log"]["written"] < backlog:
                threading.Event().wait(0.1)
            command = [sys.executable, "-c", _FOLLOWER, stream.address, str(backlog)]
            took = float(subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout)
    print(f"backlog of {backlog:,} replayed in {took:.2f} s: {backlog / took:,.0f} alerts/s, in order, none missing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--subscribers", type=int, default=20)
    parser.add_argument("--backlog", type=int, default=50_000)
    given = parser.parse_args()
    replay(given.backlog)
    deliver(given.seconds, given.rate, given.subscribers)


if __name__ == "__main__":
    main()
