"""What is kept of received alerts: messages go in, rows, incidents and cursors come out of one transaction.

Law: an alert's revision, what follows from it (incident, deliveries, responses) and the cursor behind it are committed
together or not at all: each is stored exactly once, whenever the process is killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from sensor.alert import Alert
from sensor.alert_log import Position
from sensor.bus.message import Message
from sensor.collector.databases import text_kept
from sensor.collector.incidents import Change, assign
from sensor.collector.tables import opened, transaction

INCIDENT_IDLE_SECONDS = 86_400.0


class Stored(NamedTuple):
    """A revision that was not there before: what consequences are drawn from."""

    incident: int
    change: Change
    alert: Alert
    now: float


Key = tuple[str, str, int]


def key_of(alert: Alert) -> Key:
    """What a revision is known by."""
    return text_kept(alert.sensor), text_kept(alert.alert_id), alert.revision


Consequence = Callable[[Stored], None]


class Store:
    """The alerts at `place` (a folder, sqlite:///PATH or postgresql://...). One thread uses it.

    `stored` and `repeated`: revisions that were new, and that were there already. `consequences` are called within the
    transaction, once for each new revision. `incident_idle_seconds`: packet time after which an actor's next alert is
    a new incident.
    """

    def __init__(self, place: str, incident_idle_seconds: float = INCIDENT_IDLE_SECONDS) -> None:
        self.base = opened(place, create=True)
        self.consequences: list[Consequence] = []
        self.stored = self.repeated = 0
        self._idle_seconds = incident_idle_seconds

    @property
    def cursors(self) -> dict[str, Position]:
        """(epoch, sequence) of the last revision of each sensor: what Subscriber goes on from."""
        return {row["sensor"]: (row["epoch"], row["sequence"]) for row in self.base.execute("SELECT * FROM cursors")}

    def commit(self, messages: Sequence[Message], now: float | None = None) -> None:
        """All of them or none; `now` in seconds since 1970. Raises OutputError when it cannot be written."""
        at = time.time() if now is None else now
        new = 0
        with transaction(self.base):
            there = self._there(messages)
            for message in messages:
                if key_of(message.alert) not in there:
                    there.add(key_of(message.alert))
                    self._add(message, at)
                    new += 1
            for sensor, position in {one.alert.sensor: one.position for one in messages}.items():
                self.base.execute(
                    "INSERT INTO cursors VALUES (?, ?, ?)"
                    " ON CONFLICT (sensor) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence",
                    (sensor, *position),
                )
        self.stored += new
        self.repeated += len(messages) - new

    def _there(self, messages: Sequence[Message]) -> set[Key]:
        """Which of their revisions are stored, and others of the same alerts."""
        keys = [key_of(message.alert) for message in messages]
        sensors, ids = list({key[0] for key in keys}), list({key[1] for key in keys})
        query = (
            f"SELECT sensor, alert_id, revision FROM alerts WHERE sensor IN ({', '.join('?' * len(sensors))})"
            f" AND alert_id IN ({', '.join('?' * len(ids))})"
        )
        return {(row["sensor"], row["alert_id"], row["revision"]) for row in self.base.execute(query, sensors + ids)}

    def _add(self, message: Message, now: float) -> None:
        alert = message.alert
        incident, change = assign(self.base, alert, now, self._idle_seconds)
        self.base.execute(
            "INSERT INTO alerts (incident, sensor, alert_id, revision, epoch, sequence, stored, rule_id, category,"
            " severity, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (incident, *key_of(alert), *message.position, now, alert.rule_id, alert.category, alert.severity,
             message.body),
        )  # fmt: skip
        for consequence in self.consequences:
            consequence(Stored(incident, change, alert, now))

    def close(self) -> None:
        self.base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
