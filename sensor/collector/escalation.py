"""Incidents that nobody acknowledged in time: the clock goes in, calls along the on-call chain come out.

    critical now, high 15 min, medium 1 h, low 24 h after opening: the first of the chain; then one more each
    `escalate_seconds`, until somebody acknowledges or the chain ends

Law: each step of an incident is called once, and is in the audit trail.
"""

from __future__ import annotations

import msgspec

from sensor.alert import Alert, Severity
from sensor.collector import audit
from sensor.collector.databases import Database, transaction
from sensor.collector.hours import Hours
from sensor.collector.incidents import IncidentState
from sensor.collector.routing import deliver
from sensor.config import CollectorSettings


class Escalation:
    """Has a connection of its own; `step` is called every second or so."""

    def __init__(self, base: Database, settings: CollectorSettings) -> None:
        self._base, self._chain = base, settings.on_call
        self._every_seconds = settings.escalate_seconds
        self._quiet = (
            Hours(settings.quiet_hours, settings.time_zone, "collector.quiet_hours") if settings.quiet_hours else None
        )

    def step(self, now: float) -> None:
        """Call whoever is due at `now`, seconds since 1970."""
        query = "SELECT id, severity FROM incidents WHERE state = ? AND escalated < ? AND due + escalated * ? <= ?"
        due = (IncidentState.NEW, len(self._chain), self._every_seconds, now)
        if not self._base.execute(query, due).fetchone():
            return
        with transaction(self._base):
            for row in self._base.execute(query, due).fetchall():
                if row["severity"] != Severity.LOW or not self._quiet or not self._quiet.holds(now):
                    self._call(row["id"], now)

    def _call(self, incident: int, now: float) -> None:
        (step,) = self._base.execute("SELECT escalated FROM incidents WHERE id = ?", (incident,)).fetchone()
        bodies = self._base.execute("SELECT body FROM alerts WHERE incident = ? ORDER BY id", (incident,))
        alerts = [msgspec.json.decode(row["body"], type=Alert) for row in bodies]
        worst = max(alerts, key=lambda alert: -alert.respond_within_seconds)
        deliver(self._base, self._chain[step], incident, worst, "escalation", now, now)
        self._base.execute("UPDATE incidents SET escalated = escalated + 1 WHERE id = ?", (incident,))
        audit.add(self._base, now, incident, "tapir", "escalated", f"to {self._chain[step]}")
