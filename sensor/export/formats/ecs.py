"""An alert in the Elastic Common Schema, nested as Elasticsearch takes it: https://www.elastic.co/guide/en/ecs/current/.

Law: every field outside `tapir` is ECS's own, with its type and allowed values.
"""

from __future__ import annotations

from typing import Any

from sensor.alert import Alert, Kind, Severity, State
from sensor.export.moments import iso

ECS_VERSION = "8.17.0"
_RISK = {Severity.CRITICAL: 99, Severity.HIGH: 73, Severity.MEDIUM: 47, Severity.LOW: 21}
_ACTIONS = {State.RAISED: "alert-raised", State.UPDATED: "alert-updated", State.CLOSED: "alert-closed"}


def ecs(alert: Alert) -> dict[str, Any]:
    """`event.id` is the alert's and its revision's, so that indexing one twice replaces it."""
    found: dict[str, Any] = {
        "@timestamp": iso(alert.ts),
        "ecs": {"version": ECS_VERSION},
        "message": alert.title,
        "event": {
            "kind": "alert",
            "category": ["host"] if alert.kind == Kind.HEALTH else ["intrusion_detection", "network"],
            "type": ["info"],
            "action": _ACTIONS[alert.state],
            "module": "tapir",
            "dataset": "tapir.alert",
            "provider": "tapir",
            "id": f"{alert.alert_id}-{alert.revision}",
            "sequence": alert.sequence,
            "severity": _RISK[alert.severity],
            "risk_score": float(_RISK[alert.severity]),
            "start": iso(alert.first_seen),
            "end": iso(alert.last_seen),
            "created": iso(alert.detection_ts),
            "reason": f"{alert.numbers.observed:g} {alert.numbers.unit}, limit {alert.numbers.threshold:g}",
        },
        "rule": {
            "id": alert.rule_id,
            "name": alert.title,
            "version": str(alert.rule_version),
            "category": alert.category,
            "ruleset": "tapir",
        },
        "observer": {"name": alert.sensor, "type": "sensor", "vendor": "Tapir", "product": "Tapir"},
        "source": _endpoint(alert.client_ip, alert.client_port),
        "destination": _endpoint(alert.server_ip, alert.server_port),
        "network": _present({"community_id": alert.community_id, "protocol": "http" if alert.http else None}),
        "related": {"ip": [address for address in (alert.client_ip, alert.server_ip) if address]},
        "threat": {"framework": "MITRE ATT&CK", "technique": {"id": list(alert.attack)}} if alert.attack else {},
        "tags": [*alert.owasp, alert.kind],
        "tapir": {
            "alert_id": alert.alert_id,
            "revision": alert.revision,
            "state": alert.state,
            "severity": alert.severity,
            "epoch": alert.epoch,
            "entity": {"kind": alert.entity.kind, "value": alert.entity.value},
            "confidence": alert.confidence,
            "count": alert.count,
            "details": alert.details,
        },
    }
    if alert.http:
        http = alert.http
        found["http"] = _present({
            "request": _present({"method": http.method}),
            "response": _present({"status_code": http.status_code}),
        })
        found["url"] = _present({"original": http.uri, "domain": http.host})
        found["user_agent"] = _present({"original": http.user_agent})
    return _present(found)


def _endpoint(address: str | None, port: int | None) -> dict[str, Any]:
    return _present({"ip": address, "address": address, "port": port})


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known."""
    return {name: value for name, value in fields.items() if value is not None and value != {} and value != []}
