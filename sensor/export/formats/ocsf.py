"""An alert as an OCSF Detection Finding (class 2004): https://schema.ocsf.io/classes/detection_finding.

Law: the class's required attributes are always there, with values its enumerations know; the rest of what explains an
alert stands in `unmapped`.
"""

from __future__ import annotations

from typing import Any

from sensor.alert import Alert, Severity, State
from sensor.export.moments import milliseconds

OCSF_VERSION = "1.4.0"
CLASS_UID, CATEGORY_UID = 2004, 2
_ACTIVITIES = {State.RAISED: (1, "Create"), State.UPDATED: (2, "Update"), State.CLOSED: (3, "Close")}
_SEVERITIES = {Severity.LOW: (2, "Low"), Severity.MEDIUM: (3, "Medium"), Severity.HIGH: (4, "High"),
               Severity.CRITICAL: (5, "Critical")}  # fmt: skip
_STATUSES = {State.RAISED: (1, "New"), State.UPDATED: (2, "In Progress"), State.CLOSED: (4, "Resolved")}


def ocsf(alert: Alert) -> dict[str, Any]:
    """`finding_info.uid` is the alert's: its revisions update one finding."""
    activity_id, activity = _ACTIVITIES[alert.state]
    severity_id, severity = _SEVERITIES[alert.severity]
    status_id, status = _STATUSES[alert.state]
    return {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": CATEGORY_UID,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "time": milliseconds(alert.ts),
        "start_time": milliseconds(alert.first_seen),
        "end_time": milliseconds(alert.last_seen),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "confidence_score": round(alert.confidence * 100),
        "count": alert.count,
        "is_alert": True,
        "message": alert.title,
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": "Tapir", "vendor_name": "Tapir", "feature": {"name": alert.rule_id}},
            "profiles": ["security_control"],
            "uid": f"{alert.alert_id}-{alert.revision}",
            "sequence": alert.sequence,
            "logged_time": milliseconds(alert.detection_ts),
            "log_provider": alert.sensor,
        },
        "finding_info": {
            "uid": alert.alert_id,
            "title": alert.title,
            "types": [alert.category, *alert.owasp],
            "created_time": milliseconds(alert.detection_ts),
            "first_seen_time": milliseconds(alert.first_seen),
            "last_seen_time": milliseconds(alert.last_seen),
            "analytic": {"uid": alert.rule_id, "name": alert.title, "version": str(alert.rule_version),
                         "type_id": 1, "type": "Rule"},
            "attacks": [{"technique": {"uid": technique}} for technique in alert.attack],
        },
        "evidences": [_evidence(alert)],
        "unmapped": {
            "entity": {"kind": alert.entity.kind, "value": alert.entity.value},
            "observed": alert.numbers.observed,
            "threshold": alert.numbers.threshold,
            "unit": alert.numbers.unit,
            "window_seconds": alert.numbers.window_seconds,
            "baseline": alert.numbers.baseline,
            "respond_within_seconds": alert.respond_within_seconds,
            "epoch": alert.epoch,
            "revision": alert.revision,
            "details": alert.details,
            "degraded": alert.degraded,
        },
    }  # fmt: skip


def _evidence(alert: Alert) -> dict[str, Any]:
    found: dict[str, Any] = {
        "data": {"numbers": {"observed": alert.numbers.observed, "threshold": alert.numbers.threshold}},
    }
    if alert.client_ip:
        found["src_endpoint"] = _present({"ip": alert.client_ip, "port": alert.client_port})
    if alert.server_ip:
        found["dst_endpoint"] = _present({"ip": alert.server_ip, "port": alert.server_port})
    if alert.community_id:
        found["connection_info"] = {"community_uid": alert.community_id, "direction_id": 0}
    if alert.http:
        http = alert.http
        url = _present({"hostname": http.host, "path": http.uri})
        request = {"http_method": http.method, "user_agent": http.user_agent, "url": url or None}
        found["http_request"] = _present(request)
        if http.status_code is not None:
            found["http_response"] = {"code": http.status_code}
    return found


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
