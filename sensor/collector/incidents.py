"""Incidents: an alert goes in, the incident of its actor comes out; people acknowledge and close it.

    new -> acknowledged -> resolved | false_positive        (new may be closed at once)

Law: every change of state, its author and reason are in the audit trail, in the same transaction.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from sensor.alert import RESPOND_WITHIN_SECONDS, Alert, Severity
from sensor.collector import audit
from sensor.collector.databases import Database, transaction
from sensor.errors import SettingError

_RANK = {severity: rank for rank, severity in enumerate((Severity.LOW, Severity.MEDIUM, Severity.HIGH,
                                                         Severity.CRITICAL))}
KILL_CHAIN = {
    "scanning": "reconnaissance",
    "exposure": "weakness",
    "authentication": "credential access",
    "session": "credential access",
    "injection": "exploitation",
    "authorisation": "privilege escalation",
    "deception": "discovery",
    "exfiltration": "exfiltration",
    "health": "health",
}


class IncidentState(StrEnum):
    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


OPEN = (IncidentState.NEW, IncidentState.ACKNOWLEDGED)


class Change(StrEnum):
    """What an alert meant to its incident."""

    OPENED = "opened"
    RAISED = "raised"  # the incident is now more severe
    JOINED = "joined"  # another alert of the same actor
    REVISED = "revised"


class Assigned(NamedTuple):
    incident: int
    change: Change


def kill_chain_step(category: str) -> str:
    return KILL_CHAIN.get(category, "other")


def actor_of(alert: Alert) -> str:
    """Who is behind it: the client's address where one is named, else the entity."""
    return alert.client_ip or f"{alert.entity.kind} {alert.entity.value}"


def assign(base: Database, alert: Alert, now: float, idle_seconds: float) -> Assigned:
    """The incident of an alert: that of its earlier revisions, an open one of its actor, or a new one.

    An open one counts when the alert is at most `idle_seconds` of packet time away from what is in it.
    """
    row = None
    if alert.revision > 1:
        row = base.execute(
            "SELECT incidents.* FROM alerts JOIN incidents ON incidents.id = alerts.incident"
            " WHERE alerts.sensor = ? AND alerts.alert_id = ? LIMIT 1",
            (alert.sensor, alert.alert_id),
        ).fetchone()
    known = row is not None
    if not known:
        row = base.execute(
            "SELECT * FROM incidents WHERE actor = ? AND state IN (?, ?) AND last_seen >= ? AND first_seen <= ?"
            " ORDER BY id DESC LIMIT 1",
            (actor_of(alert), *OPEN, alert.first_seen - idle_seconds, alert.last_seen + idle_seconds),
        ).fetchone()
    if row is None:
        return Assigned(_open(base, alert, now), Change.OPENED)
    raised = row["state"] in OPEN and _RANK[alert.severity] > _RANK[Severity(row["severity"])]
    base.execute(
        "UPDATE incidents SET first_seen = least(first_seen, ?), last_seen = greatest(last_seen, ?),"
        " first_detected = least(first_detected, ?) WHERE id = ?",
        (alert.first_seen, alert.last_seen, alert.detection_ts, row["id"]),
    )
    if raised:
        base.execute(
            "UPDATE incidents SET severity = ?, title = ?, due = least(due, ?), escalated = 0 WHERE id = ?",
            (alert.severity, alert.title, now + RESPOND_WITHIN_SECONDS[alert.severity], row["id"]),
        )
        audit.add(base, now, row["id"], "tapir", "raised", f"{alert.severity}: {alert.rule_id}")
        return Assigned(row["id"], Change.RAISED)
    return Assigned(row["id"], Change.REVISED if known else Change.JOINED)


def _open(base: Database, alert: Alert, now: float) -> int:
    id_ = base.added(
        "INSERT INTO incidents (actor, state, severity, title, opened, due, first_seen, last_seen, first_detected)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (actor_of(alert), IncidentState.NEW, alert.severity, alert.title, now,
         now + RESPOND_WITHIN_SECONDS[alert.severity], alert.first_seen, alert.last_seen, alert.detection_ts),
    )
    audit.add(base, now, id_, "tapir", "opened", f"{alert.severity}: {alert.rule_id}")
    return id_


# --- what people do ---------------------------------------------------------------------------------------------------


def acknowledge(base: Database, id_: int, who: str, why: str, now: float) -> None:
    """Raises SettingError when there is no such incident, or it is closed."""
    with transaction(base):
        _expect(base, id_, (IncidentState.NEW,), "acknowledged")
        base.execute(
            "UPDATE incidents SET state = ?, acknowledged = ?, owner = ? WHERE id = ?",
            (IncidentState.ACKNOWLEDGED, now, who, id_),
        )
        audit.add(base, now, id_, who, "acknowledged", why)


def close(base: Database, id_: int, state: IncidentState, who: str, why: str, now: float) -> None:
    """Into RESOLVED or FALSE_POSITIVE. Raises SettingError when there is no such incident, or it is closed."""
    with transaction(base):
        _expect(base, id_, OPEN, "closed")
        base.execute(
            "UPDATE incidents SET state = ?, closed = ?, acknowledged = coalesce(acknowledged, ?),"
            " owner = coalesce(owner, ?) WHERE id = ?",
            (state, now, now, who, id_),
        )
        audit.add(base, now, id_, who, state, why)


def note(base: Database, id_: int, who: str, text: str, now: float) -> None:
    """Add a remark, in whatever state it is."""
    with transaction(base):
        _expect(base, id_, tuple(IncidentState), "noted")
        audit.add(base, now, id_, who, "note", text)


def _expect(base: Database, id_: int, states: tuple[IncidentState, ...], what: str) -> None:
    row = base.execute("SELECT state FROM incidents WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise SettingError(f"incident {id_}: there is none of that number; `tapir incidents list --all` shows them")
    if row["state"] not in states:
        raise SettingError(f"incident {id_} is {row['state']} and cannot be {what}; expected {' or '.join(states)}")


# --- what they look at ------------------------------------------------------------------------------------------------


class TimelineEntry(msgspec.Struct, frozen=True):
    """The last revision of one alert of an incident."""

    first_seen: float
    last_seen: float
    step: str
    severity: str
    rule_id: str
    title: str
    count: int
    sensor: str
    alert_id: str


def listed(base: Database, closed_too: bool = False) -> list[dict[str, object]]:
    """Open incidents, the most severe and the first due first; all of them when `closed_too`."""
    rows = [dict(row) for row in base.execute("SELECT * FROM incidents ORDER BY id")]
    chosen = [row for row in rows if closed_too or row["state"] in OPEN]
    return sorted(chosen, key=lambda row: (-_RANK[Severity(row["severity"])], row["due"]))


def timeline(base: Database, id_: int) -> list[TimelineEntry]:
    """One entry an alert, by packet time."""
    last: dict[tuple[str, str], Alert] = {}
    query = "SELECT body FROM alerts WHERE incident = ? ORDER BY revision"
    for row in base.execute(query, (id_,)):
        alert = msgspec.json.decode(row["body"], type=Alert)
        last[alert.sensor, alert.alert_id] = alert
    entries = [
        TimelineEntry(
            one.first_seen, one.last_seen, kill_chain_step(one.category), one.severity, one.rule_id, one.title,
            one.count, one.sensor, one.alert_id,
        )
        for one in last.values()
    ]
    return sorted(entries, key=lambda entry: (entry.first_seen, entry.alert_id))


def history(base: Database, id_: int) -> list[dict[str, object]]:
    """Its entries of the audit trail."""
    query = "SELECT at, who, action, why FROM audit WHERE incident = ? ORDER BY id"
    return [dict(row) for row in base.execute(query, (id_,))]

