"""A collector for fault tests: address and database go in; each alert and its cursor are stored in one transaction.

Run as a process that is killed. Law: the table has no key that would hide a duplicate.
"""

from __future__ import annotations

import sqlite3
import sys

from sensor.bus.subscriber import Subscriber


def opened(path: str) -> sqlite3.Connection:
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("CREATE TABLE IF NOT EXISTS alerts (sensor TEXT, epoch INTEGER, sequence INTEGER)")
    base.execute("CREATE TABLE IF NOT EXISTS cursors (sensor TEXT PRIMARY KEY, epoch INTEGER, sequence INTEGER)")
    return base


def main(address: str, path: str) -> None:
    base = opened(path)
    cursors = {sensor: (epoch, sequence) for sensor, epoch, sequence in base.execute("SELECT * FROM cursors")}
    with Subscriber(address, cursors=cursors, start="first") as subscriber:
        message = None
        while True:
            message = message or subscriber.receive()
            base.execute("BEGIN")
            for _ in range(200):  # what is there already goes into one transaction
                if message is None:
                    break
                row = (message.alert.sensor, *message.position)
                base.execute("INSERT INTO alerts VALUES (?, ?, ?)", row)
                base.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", row)
                message = subscriber.receive(0)
            base.execute("COMMIT")



if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
