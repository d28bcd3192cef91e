"""The feed of a sink: stored alerts go in, in the order they were stored; calls of its `Write` come out, at least once.

Law: the position is kept after the alerts before it were handed over, and never before; what the other side will never
take is kept apart, with why, and holds up nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sensor.alert import Alert
from sensor.collector.databases import Database, Row, transaction
from sensor.collector.sinks.sink import NotTaken, Refused, Write

_ALERTS_MAX = 500  # at once
_RETRY_SECONDS, _RETRY_SECONDS_MAX = 1.0, 60.0
_ASKED_SECONDS_MAX = 600.0  # nobody makes us wait longer


class Feed:
    """Brings one sink up to date, over a connection of its own."""

    def __init__(self, base: Database, name: str, write: Write) -> None:
        self._base, self._name, self._write = base, name, write
        self._fault: OSError | None = None
        self._faults, self._tried, self._not_before = 0, 0.0, 0.0

    def step(self, now: float) -> None:
        """All that is stored and was not handed over. Raises OSError when the sink does not take it, and again without
        asking until it is time to (`now`, seconds since 1970).
        """
        if self._fault is not None and self._tried <= now < self._not_before:
            raise self._fault.with_traceback(None)
        try:
            while self._next(now):
                pass
        except OSError as fault:
            self._fault, self._tried, self._not_before = fault, now, now + self._wait_seconds(fault)
            self._faults += 1
            raise
        self._fault, self._faults = None, 0
        self._once_more(now)

    def _wait_seconds(self, fault: OSError) -> float:
        asked = fault.retry_seconds if isinstance(fault, NotTaken) else 0.0
        own = min(_RETRY_SECONDS_MAX, _RETRY_SECONDS * 2.0 ** min(self._faults, 20))
        return max(own, min(asked, _ASKED_SECONDS_MAX))

    def _next(self, now: float) -> bool:
        query = "SELECT id, body FROM alerts WHERE id > ? ORDER BY id LIMIT ?"
        rows = self._base.execute(query, (self._position(), _ALERTS_MAX)).fetchall()
        if not rows:
            return False
        refused = self._write(_alerts(rows))
        with transaction(self._base):
            self._keep(rows, refused, now)
            self._base.execute("UPDATE sink_positions SET alert = ? WHERE name = ?", (rows[-1]["id"], self._name))
        return len(rows) == _ALERTS_MAX

    def _position(self) -> int:
        """The number of the last alert that was handed over; a new sink is seen to wait from now on."""
        query = "SELECT alert FROM sink_positions WHERE name = ?"
        if found := self._base.execute(query, (self._name,)).fetchone():
            return int(found["alert"])
        with transaction(self._base):
            self._base.execute("INSERT INTO sink_positions VALUES (?, 0) ON CONFLICT DO NOTHING", (self._name,))
        return 0

    def _once_more(self, now: float) -> None:
        """What was refused, and people want to be tried again; a fault of it is a refusal, as it may be the reason."""
        query = (
            "SELECT alerts.id, body FROM sink_refusals JOIN alerts ON alerts.id = sink_refusals.alert"
            " WHERE sink = ? AND again = 1 ORDER BY alerts.id LIMIT ?"
        )
        rows = self._base.execute(query, (self._name, _ALERTS_MAX)).fetchall()
        if not rows:
            return
        try:
            refused = self._write(_alerts(rows))
        except OSError as fault:
            refused = {number: str(fault) for number in range(len(rows))}
        with transaction(self._base):
            for row in rows:
                self._base.execute("DELETE FROM sink_refusals WHERE sink = ? AND alert = ?", (self._name, row["id"]))
            self._keep(rows, refused, now)

    def _keep(self, rows: Sequence[Row], refused: Refused, now: float) -> None:
        for number, problem in refused.items():
            self._base.execute(
                "INSERT INTO sink_refusals (sink, alert, problem, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (self._name, rows[number]["id"], problem, now),
            )


def _alerts(rows: Sequence[Row]) -> list[Alert]:
    return [msgspec.json.decode(row["body"], type=Alert) for row in rows]


def refused(base: Database) -> list[dict[str, object]]:
    """Alerts that sinks did not take, and are not about to be tried again."""
    query = (
        "SELECT sink, alert, alerts.incident AS incident, sensor, alert_id, revision, problem, at FROM sink_refusals"
        " JOIN alerts ON alerts.id = sink_refusals.alert WHERE again = 0 ORDER BY at, alert"
    )
    return [dict(row) for row in base.execute(query)]


def retry(base: Database) -> None:
    """Have all of them tried again by the collector."""
    with transaction(base):
        base.execute("UPDATE sink_refusals SET again = 1")
