"""The duty that investigates: incidents that opened, or got more severe, go in; what is known about each comes out.

Law: alerts are stored and told first and never wait for it; each incident is looked into once for each severity.
"""

from __future__ import annotations

import msgspec

from sensor.alert import Alert
from sensor.collector.databases import Database, transaction
from sensor.collector.investigation.ask import asked
from sensor.collector.investigation.gather import Investigation, kept, other_alerts, steps, worst_alert
from sensor.collector.investigation.places import Places
from sensor.collector.investigation.playbooks import playbook_for
from sensor.collector.investigation.recent import Recent
from sensor.collector.notice import notice_of
from sensor.config import InvestigationSettings

_AT_ONCE = 20
_TRANSACTIONS = 20
_AWAITED_SECONDS = 60.0  # a sensor that reads a file publishes transactions in their order, later than alerts
_AWAITED_MAX = 1_000


class Investigator:
    """Looks into what waits in the store, over a connection of its own. `recent`: where transactions come from."""

    def __init__(self, base: Database, settings: InvestigationSettings, recent: Recent | None = None) -> None:
        self._base, self._settings, self._recent = base, settings, recent
        self._places = Places(settings.location_tables)
        self._awaited: dict[int, tuple[Alert, float]] = {}  # incidents whose transactions did not come yet, until when

    def step(self, now: float) -> None:
        """Look into some of those that nobody has closed; `now` in seconds since 1970."""
        if self._recent is not None:
            self._recent.take()
            self._add_transactions(self._recent, now)
        query = (
            "SELECT incidents.id, incidents.severity FROM incidents"
            " LEFT JOIN investigations ON investigations.incident = incidents.id"
            " WHERE incidents.closed IS NULL"
            " AND (investigations.incident IS NULL OR investigations.severity != incidents.severity)"
            " ORDER BY incidents.id LIMIT ?"
        )
        for row in self._base.execute(query, (_AT_ONCE,)):
            alert = worst_alert(self._base, row["id"])
            found = self._found(row["id"], alert, now)
            with transaction(self._base):
                self._base.execute(
                    "INSERT INTO investigations VALUES (?, ?, ?, ?) ON CONFLICT (incident) DO UPDATE SET"
                    " at = excluded.at, severity = excluded.severity, body = excluded.body",
                    (row["id"], now, row["severity"], msgspec.json.encode(found)),
                )
            if self._recent is not None and alert.client_ip and len(self._awaited) < _AWAITED_MAX:
                self._awaited[row["id"]] = alert, now + _AWAITED_SECONDS

    def _found(self, incident: int, alert: Alert, now: float) -> Investigation:
        notice = notice_of(alert, incident, "opened")
        playbook = playbook_for(alert.rule_id, alert.category)
        settings = self._settings
        return Investigation(
            at=now,
            playbook=playbook.name,
            title=playbook.title,
            check=steps(playbook.check, notice),
            contain=steps(playbook.contain, notice),
            afterwards=steps(playbook.afterwards, notice),
            others=other_alerts(self._base, incident, alert),
            place=self._places.of(alert.client_ip),
            intelligence=asked(settings.command, notice, settings.command_seconds) if settings.command else (),
        )

    def _add_transactions(self, recent: Recent, now: float) -> None:
        """To what was found out about incidents that opened lately, as soon as there are any."""
        for incident, (alert, until) in list(self._awaited.items()):
            rows = recent.of(alert.client_ip or "", alert.last_seen, _TRANSACTIONS)
            known = kept(self._base, incident) if rows else None
            if known is not None:
                with transaction(self._base):
                    body = msgspec.json.encode(msgspec.structs.replace(known, transactions=rows))
                    self._base.execute("UPDATE investigations SET body = ? WHERE incident = ?", (body, incident))
            if rows or now > until:
                del self._awaited[incident]
