"""Detections for the tests of alerting: what a test does not name is ordinary."""

from __future__ import annotations

from typing import Any

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity

SECOND = 1_000_000_000


def rule(name: str = "rule", severity: Severity = Severity.MEDIUM) -> Rule:
    return Rule(id=name, version=1, title=name, category="testing", kind=Kind.ATTACK, severity=severity)


def detection(at_seconds: float, name: str = "rule", who: str = "10.0.0.1", count: int = 1, **given: Any) -> Detection:
    """One verdict `at_seconds` after 1970, about the second before it."""
    now = round(at_seconds * SECOND)
    values = {
        "run": "run",
        "numbers": Numbers(observed=float(count), threshold=1.0, unit="things", window_seconds=60.0),
        "first_ts": now - SECOND,
        "last_ts": now,
    } | given
    return Detection(now=now, rule=rule(name), entity=Entity("client", who), count=count, **values)
