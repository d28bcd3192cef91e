"""The alert that packets of alerts cannot be written: in: packet time, why; out: a detection. Law: one a failure."""

from __future__ import annotations

from sensor.alert import Detection, Numbers
from sensor.alerting.own_health import NO_EVIDENCE, own_health


def evidence_failing(now: int, why: str) -> Detection:
    """At packet time `now` (ns); `why` is the system's own, as "No space left on device"."""
    numbers = Numbers(observed=1, threshold=0, unit="failing folders", window_seconds=0)
    return own_health(NO_EVIDENCE, now, "evidence", numbers, {"reason": why})
