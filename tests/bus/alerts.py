"""Alerts for the tests of the stream: whole ones, of which a test names only what it is about."""

from __future__ import annotations

from typing import Any

from sensor.alert import SCHEMA_VERSION, Alert, Entity, Http, Kind, Numbers, Severity, State


def an_alert(sequence: int = 1, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "sensor": "tap-1",
        "epoch": 1,
        "sequence": sequence,
        "alert_id": "0123456789abcdef0123456789abcdef",
        "revision": 1,
        "state": State.RAISED,
        "kind": Kind.ATTACK,
        "ts": 1763722950.5,
        "detection_ts": 1763722951.25,
        "rule_id": "brute-force-login",
        "rule_version": 1,
        "title": "Failed logins",
        "category": "authentication",
        "owasp": ("API2:2023",),
        "attack": ("T1110",),
        "severity": Severity.HIGH,
        "respond_within": "15 min",
        "respond_within_seconds": 900,
        "confidence": 0.9,
        "entity": Entity("client", "192.0.2.7"),
        "client_ip": "192.0.2.7",
        "client_port": 50123,
        "server_ip": "192.0.2.80",
        "server_port": 80,
        "community_id": None,
        "http": Http(method="POST", uri="/login", status_code=401),
        "numbers": Numbers(observed=6, threshold=5, unit="failed logins", window_seconds=120),
        "first_seen": 1763722900.0,
        "last_seen": 1763722950.5,
        "count": 6,
        "details": {},
        "degraded": {},
    }
    return Alert(**(fields | changes))
