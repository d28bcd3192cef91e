"""What the store knows about an incident: its number goes in; its worst alert and the entity's other alerts come out.

Law: it looks at a bounded number of alerts, the newest ones.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sensor.alert import Alert, Severity
from sensor.collector.databases import Database
from sensor.collector.incidents import actor_of
from sensor.collector.investigation.places import Place
from sensor.collector.notice import Notice, filled

_LOOKED_AT_MAX = 5_000
_OTHERS_MAX = 50
_RANK = list(Severity)


class OtherAlerts(msgspec.Struct):
    """Alerts of one rule about the same entity or actor, in other incidents."""

    rule_id: str
    severity: Severity
    alerts: int
    first_seen: float
    last_seen: float
    incidents: list[int]


class Investigation(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found out, as it is kept; `at` in seconds since 1970."""

    at: float
    playbook: str
    title: str
    check: tuple[str, ...]
    contain: tuple[str, ...]
    afterwards: tuple[str, ...]
    others: tuple[OtherAlerts, ...] = ()
    place: Place | None = None
    transactions: tuple[dict[str, Any], ...] = ()
    intelligence: tuple[str, ...] = ()


def worst_alert(base: Database, incident: int) -> Alert:
    """The most severe of an incident, its last revision."""
    bodies = base.execute("SELECT body FROM alerts WHERE incident = ? ORDER BY id DESC LIMIT 200", (incident,))
    alerts = [msgspec.json.decode(row["body"], type=Alert) for row in bodies]
    return min(alerts, key=lambda alert: _RANK.index(alert.severity))


def other_alerts(base: Database, incident: int, alert: Alert) -> tuple[OtherAlerts, ...]:
    """By rule, the newest first; each alert counts once, however often it was revised."""
    query = "SELECT incident, alert_id, body FROM alerts WHERE incident != ? ORDER BY id DESC LIMIT ?"
    found: dict[str, OtherAlerts] = {}
    seen: set[str] = set()
    for row in base.execute(query, (incident, _LOOKED_AT_MAX)):
        other = msgspec.json.decode(row["body"], type=Alert)
        if row["alert_id"] in seen or not (other.entity == alert.entity or actor_of(other) == actor_of(alert)):
            continue
        seen.add(row["alert_id"])
        new = OtherAlerts(other.rule_id, other.severity, 0, other.first_seen, other.last_seen, [])
        one = found.setdefault(other.rule_id, new)
        one.alerts += 1
        one.severity = min(one.severity, other.severity, key=_RANK.index)
        one.first_seen = min(one.first_seen, other.first_seen)
        one.last_seen = max(one.last_seen, other.last_seen)
        if row["incident"] not in one.incidents and len(one.incidents) < _OTHERS_MAX:
            one.incidents.append(row["incident"])
    return tuple(found.values())[:_OTHERS_MAX]


def steps(lines: tuple[str, ...], notice: Notice) -> tuple[str, ...]:
    """Lines of a playbook with the alert's own names in them."""
    named = {"client_ip": notice.fields["actor"], "endpoint": "the endpoint", "server_ip": "the server"}
    fields = {name: value or named.get(name, "") for name, value in notice.fields.items()}
    return tuple(filled(line, Notice(fields), as_json=False) for line in lines)


def kept(base: Database, incident: int) -> Investigation | None:
    """What was found out about an incident; None as long as nothing was."""
    row = base.execute("SELECT body FROM investigations WHERE incident = ?", (incident,)).fetchone()
    return msgspec.json.decode(row["body"], type=Investigation) if row else None
