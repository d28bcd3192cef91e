"""What is told about an incident: its alert goes in; the fields of templates, a title and a text come out.

Law: values come from the alert, where secrets are replaced already; nothing of a channel's settings is among them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from sensor.alert import Alert
from sensor.collector.incidents import actor_of
from sensor.errors import SettingError

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
FIELDS = (
    "incident", "kind", "severity", "title", "message", "timestamp", "endpoint", "actor", "entity", "rule", "category",
    "count", "sensor", "respond_within", "client_ip", "server_ip", "alert_id",
)  # fmt: skip


class Notice(msgspec.Struct, frozen=True):
    """One notification: fields by name, all of FIELDS."""

    fields: dict[str, str]

    @property
    def title(self) -> str:
        return f"[{self.fields['severity']}] {self.fields['title']}: {self.fields['actor']}"

    @property
    def text(self) -> str:
        return self.fields["message"]


def notice_of(alert: Alert, incident: int, kind: str) -> Notice:
    """`kind`: opened, raised or escalation."""
    numbers, http = alert.numbers, alert.http
    endpoint = (http.endpoint or http.uri or "") if http else ""
    message = (
        f"Incident {incident}: {alert.title}. {numbers.observed:g} {numbers.unit}, limit {numbers.threshold:g}."
        f" Respond: {alert.respond_within}. tapir incidents show {incident}"
    )
    if kind == "escalation":
        message = f"Nobody has acknowledged this in time. {message}"
    fields = {
        "incident": str(incident), "kind": kind, "severity": str(alert.severity), "title": alert.title,
        "message": message, "timestamp": datetime.fromtimestamp(alert.ts, UTC).isoformat().replace("+00:00", "Z"),
        "endpoint": f"{http.method or ''} {endpoint}".strip() if http else "", "actor": actor_of(alert),
        "entity": f"{alert.entity.kind} {alert.entity.value}", "rule": alert.rule_id, "category": alert.category,
        "count": str(alert.count), "sensor": alert.sensor, "respond_within": alert.respond_within,
        "client_ip": alert.client_ip or "", "server_ip": alert.server_ip or "", "alert_id": alert.alert_id,
    }  # fmt: skip
    return Notice(fields)


def digest_of(notices: Sequence[Notice]) -> Notice:
    """Several as one: the fields of the first, a title that counts, a line each."""
    if len(notices) == 1:
        return notices[0]
    lines = [f"{one.fields['incident']}  {one.title}" for one in notices]
    several = {"kind": "digest", "title": f"{len(notices)} incidents", "message": "\n".join(lines), "actor": "several"}
    return Notice({**notices[0].fields, **several})


def filled(template: str, notice: Notice, as_json: bool) -> str:
    """The template with its places filled; `as_json` escapes values for use within a JSON string."""

    def value(match: re.Match[str]) -> str:
        text = notice.fields[match[1]]
        return json.dumps(text)[1:-1] if as_json else text

    return _PLACE.sub(value, template)


def check_places(template: str, key: str) -> None:
    """Raises SettingError, naming the setting `key`, for a place that notices do not have."""
    for name in _PLACE.findall(template):
        if name not in FIELDS:
            raise SettingError(f"{key}: no such place: {{{{{name}}}}}; expected one of {', '.join(FIELDS)}")
