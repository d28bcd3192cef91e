"""Alerts as JSON lines, every revision, and in columns, the last revision."""

import json
from typing import Any

import msgspec
import polars as pl

from sensor.alert import Alert, Entity, Http, Kind, Numbers, Severity, State
from sensor.export.alerts import alert_frame, open_alert_writer


def an_alert(alert_id: str, revision: int, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "schema_version": 1, "sensor": "tap", "epoch": 1, "sequence": revision, "alert_id": alert_id,
        "revision": revision, "state": State.RAISED, "kind": Kind.ATTACK, "ts": 1.5, "detection_ts": 2.5,
        "rule_id": "port-scan-vertical", "rule_version": 1, "title": "Port scan", "category": "scanning",
        "owasp": (), "attack": ("T1046",), "severity": Severity.MEDIUM, "respond_within": "1 h",
        "respond_within_seconds": 3600, "confidence": 1.0, "entity": Entity("client", "10.0.0.1"),
        "client_ip": "10.0.0.1", "client_port": None, "server_ip": None, "server_port": None, "community_id": None,
        "http": None, "numbers": Numbers(observed=30, threshold=15, unit="ports", window_seconds=300),
        "first_seen": 1.0, "last_seen": 1.5, "count": 30, "details": {"ports": [22, 80]}, "degraded": {},
    }  # fmt: skip
    return Alert(**(fields | changes))


def test_json_lines_have_every_revision_as_the_bus_carries_it(tmp_path):
    alerts = [an_alert("a", 1), an_alert("b", 1), an_alert("a", 2)]
    writer = open_alert_writer(str(tmp_path / "a.jsonl"))
    writer.write(alerts[:2])
    writer.write([])
    writer.write(alerts[2:])
    writer.close()
    assert (tmp_path / "a.jsonl").read_bytes() == b"".join(msgspec.json.encode(alert) + b"\n" for alert in alerts)


def test_parquet_has_the_last_revision(tmp_path):
    writer = open_alert_writer(str(tmp_path / "a.parquet"))
    writer.write([an_alert("a", 1), an_alert("b", 1)])
    writer.write([an_alert("a", 2, http=Http(method="GET", status_code=401))])
    writer.close()
    found = pl.read_parquet(tmp_path / "a.parquet")
    assert found.select("alert_id", "revision", "http.method", "http.status_code").rows() == [
        ("a", 2, "GET", 401),
        ("b", 1, None, None),
    ]


def test_nested_fields_are_columns_of_their_own():
    row = alert_frame([an_alert("a", 1)]).row(0, named=True)
    assert (row["entity.kind"], row["entity.value"]) == ("client", "10.0.0.1")
    assert (row["numbers.observed"], row["numbers.baseline"]) == (30.0, None)
    assert row["attack"] == ["T1046"]
    assert json.loads(row["details"]) == {"ports": [22, 80]}
    assert json.loads(row["degraded"]) == {}


def test_no_alerts_have_the_same_columns():
    assert alert_frame([]).schema == alert_frame([an_alert("a", 1), an_alert("b", 2, http=Http())]).schema
