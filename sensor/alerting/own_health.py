"""Alerts of a sensor about itself: in: packet time, figures; out: detections like any other, of kind health.

The one law: what the sensor did not see or did not do is said by the sensor, before anyone trusts its silence.
"""

from __future__ import annotations

from typing import Any

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity


def _rule(name: str, title: str, severity: Severity) -> Rule:
    return Rule(id=name, version=1, title=title, category="health", kind=Kind.HEALTH, severity=severity)


OVERLOADED = _rule("sensor-overloaded", "The sensor leaves work undone to keep up with the traffic", Severity.MEDIUM)
BLIND = _rule("sensor-blind", "Packets were lost before the sensor saw them", Severity.HIGH)
NO_EVIDENCE = _rule("evidence-failing", "Packets of alerts cannot be written", Severity.LOW)
STATE_FAILING = _rule("state-failing", "What the sensor learns cannot be saved", Severity.MEDIUM)
STATE_DAMAGED = _rule("state-damaged", "What the sensor had learned was damaged: it begins anew", Severity.MEDIUM)
OUTPUTS_FAILING = _rule("outputs-failing", "Rows of an output cannot be written", Severity.MEDIUM)
SILENT = _rule("capture-silent", "The sensor gets no packets", Severity.HIGH)
WAS_AWAY = _rule("sensor-was-away", "Nobody watched between two runs of the sensor", Severity.LOW)
NOT_RELOADED = _rule("settings-not-reloaded", "Changed settings have faults: the old ones stay", Severity.MEDIUM)


def own_health(
    rule: Rule, now: int, about: str, numbers: Numbers, details: dict[str, Any],
    *, since: int | None = None, severity: Severity | None = None, count: int = 1,
) -> Detection:  # fmt: skip
    """A verdict at packet time `now` (ns) on the part of the sensor that `about` names; `since`: where it began."""
    return Detection(
        now=now,
        rule=rule,
        entity=Entity("sensor", about),
        numbers=numbers,
        count=count,
        run=str(since or now),
        first_ts=since or now,
        last_ts=now,
        severity=severity,
        details=details,
    )


def failing(rule: Rule, now: int, about: str, why: str) -> Detection:
    """A part of the sensor fails at packet time `now` (ns); `why` is what the system says of it."""
    numbers = Numbers(observed=1, threshold=0, unit="failures", window_seconds=0)
    return own_health(rule, now, about, numbers, {"reason": why})


def not_reloaded(now: int, problem: str) -> Detection:
    """The settings on disk cannot be used, for this reason."""
    numbers = Numbers(observed=1, threshold=0, unit="faults", window_seconds=0)
    return own_health(NOT_RELOADED, now, "settings", numbers, {"problem": problem})
