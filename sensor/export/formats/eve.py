"""An alert as Suricata's EVE JSON (event_type alert): https://docs.suricata.io/en/latest/output/eve/eve-json-format.html.

Law: fields that Suricata's readers know have its meaning (severity 1 is the worst); the rest stands under `tapir`.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from sensor.alert import Alert, Severity

_SEVERITIES = {Severity.CRITICAL: 1, Severity.HIGH: 1, Severity.MEDIUM: 2, Severity.LOW: 3}
_GENERATOR = 7_000  # far from those that Suricata and Snort use


def eve(alert: Alert) -> dict[str, Any]:
    """`signature_id` is CRC-32 of the rule's name: the same on every sensor."""
    found: dict[str, Any] = {
        "timestamp": _moment(alert.ts),
        "event_type": "alert",
        "host": alert.sensor,
        "src_ip": alert.client_ip,
        "src_port": alert.client_port,
        "dest_ip": alert.server_ip,
        "dest_port": alert.server_port,
        "proto": "TCP" if alert.http else None,
        "app_proto": "http" if alert.http else None,
        "community_id": alert.community_id,
        "alert": {
            "action": "allowed",
            "gid": _GENERATOR,
            "signature_id": zlib.crc32(alert.rule_id.encode()),
            "rev": alert.rule_version,
            "signature": alert.title,
            "category": alert.category,
            "severity": _SEVERITIES[alert.severity],
            "metadata": {
                "signature_severity": [alert.severity.capitalize()],
                "rule": [alert.rule_id],
                "owasp": list(alert.owasp),
                "mitre_technique_id": list(alert.attack),
            },
        },
        "tapir": {
            "alert_id": alert.alert_id,
            "revision": alert.revision,
            "state": alert.state,
            "epoch": alert.epoch,
            "sequence": alert.sequence,
            "entity": {"kind": alert.entity.kind, "value": alert.entity.value},
            "observed": alert.numbers.observed,
            "threshold": alert.numbers.threshold,
            "unit": alert.numbers.unit,
            "count": alert.count,
            "details": alert.details,
        },
    }
    if alert.http:
        named = {
            "hostname": alert.http.host,
            "url": alert.http.uri,
            "http_method": alert.http.method,
            "http_user_agent": alert.http.user_agent,
            "status": alert.http.status_code,
        }
        found["http"] = {name: value for name, value in named.items() if value is not None}
    return {name: value for name, value in found.items() if value is not None}


def _moment(seconds: float) -> str:
    """2026-11-21T10:22:30.500000+0000, as Suricata writes it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(seconds * 1e6))
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f%z}"
