"""A sensor for fault tests: journal, address and rate go in; alerts without end come out through the real stream.

Run as a process that is killed. Law: it is the sensor's own path from `put` on, and nothing else.
"""

from __future__ import annotations

import select
import sys
import time

from sensor.alerting.journal import Journal
from sensor.bus.stream import AlertStream
from sensor.config import BusSettings
from tests.bus.alerts import an_alert


def main(folder: str, address: str, per_second: float) -> None:
    journal = Journal(folder)
    settings = BusSettings(publish=address, heartbeat_seconds=0.1)
    stream = AlertStream(settings, journal, "tap-1", lambda line: print(line, file=sys.stderr, flush=True))
    print("ready", flush=True)
    start, sequence = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - start) * per_second)
        stream.put([an_alert(number, epoch=stream.epoch) for number in range(sequence + 1, due + 1)])
        sequence = max(sequence, due)
        select.select([], [], [], 0.005)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
