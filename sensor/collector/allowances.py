"""What is allowed, as a collector keeps it: false positives and people's entries go in, a list in TOML comes out.

Law: each entry has a rule or an entity, an end and a reason, and who added or ended it is in the audit trail.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import msgspec

from sensor.alert import Alert
from sensor.collector import audit
from sensor.collector.databases import Database, transaction
from sensor.errors import SettingError


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One [[allow]] of sensor/alerting/allowed.py; `until` is the last day, YYYY-MM-DD."""

    rule: str = ""
    entity: str = ""
    endpoint: str = ""
    until: str
    reason: str


def of_incident(base: Database, id_: int, why: str, until: str) -> list[Entry]:
    """Entries that would have kept an incident away."""
    bodies = base.execute("SELECT body FROM alerts WHERE incident = ?", (id_,))
    alerts = (msgspec.json.decode(row["body"], type=Alert) for row in bodies)
    pairs = sorted({(alert.rule_id, f"{alert.entity.kind}:{alert.entity.value}") for alert in alerts})
    return [Entry(rule=rule, entity=entity, until=until, reason=why) for rule, entity in pairs]


def keep(base: Database, entries: list[Entry], incident: int | None, who: str, now: float) -> None:
    """From now on sensors that ask get them. Raises SettingError for an entry without a name or an end."""
    for entry in entries:
        _check(entry)
    with transaction(base):
        for entry in entries:
            base.execute(
                "INSERT INTO allowances (rule, entity, endpoint, until, reason, incident, added)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry.rule, entry.entity, entry.endpoint, entry.until, entry.reason, incident, now),
            )
            what = " ".join(part for part in (entry.rule, entry.entity, entry.endpoint) if part)
            audit.add(base, now, incident, who, "allowed", f"{what} until {entry.until}: {entry.reason}")


def listed(base: Database, now: float) -> list[dict[str, object]]:
    """Those that hold at `now`, seconds since 1970."""
    today = datetime.fromtimestamp(now, UTC).date().isoformat()
    query = "SELECT * FROM allowances WHERE ended IS NULL AND until >= ? ORDER BY id"
    return [dict(row) for row in base.execute(query, (today,))]


def withdraw(base: Database, id_: int, who: str, why: str, now: float) -> None:
    """End one. Raises SettingError when there is none of that number, or it has ended."""
    with transaction(base):
        if not any(row["id"] == id_ for row in listed(base, now)):
            raise SettingError(f"allowance {id_}: not one that holds; `tapir allowances list` shows them")
        base.execute("UPDATE allowances SET ended = ? WHERE id = ?", (now, id_))
        audit.add(base, now, None, who, "allowance ended", f"{id_}: {why}")


def offered(base: Database, now: float) -> str:
    """The list that sensors get."""
    fields = Entry.__struct_fields__
    return as_toml([Entry(**{name: row[name] for name in fields}) for row in listed(base, now)])  # type: ignore[arg-type]


def as_toml(entries: list[Entry]) -> str:
    """As alerting.allow_file has it."""
    return "\n".join(_block(entry) for entry in entries)


def _block(entry: Entry) -> str:
    named = {name: getattr(entry, name) for name in ("rule", "entity", "endpoint", "reason")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in named.items() if value]
    return "\n".join(["[[allow]]", *lines, f"until = {entry.until}"]) + "\n"


def _check(entry: Entry) -> None:
    if not (entry.rule or entry.entity or entry.endpoint):
        raise SettingError("an allowance: expected a rule, an entity or an endpoint: everything would be allowed")
    if entry.entity and ":" not in entry.entity:
        raise SettingError(f'an allowance: entity: expected "KIND:VALUE", as client:10.0.0.7; it is "{entry.entity}"')
    if not entry.reason.strip():
        raise SettingError("an allowance: expected a reason")
    try:
        date.fromisoformat(entry.until)
    except ValueError:
        raise SettingError(f"an allowance: until: expected a day, as 2027-06-30; it is {entry.until!r}") from None
