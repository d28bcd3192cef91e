"""The alert that says that alerts cannot be kept: in: packet time, why; out: a detection like any other.

Law: it is raised once, stays open while the journal fails, and closes by itself.
"""

from __future__ import annotations

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity

JOURNAL_FAILING = Rule(
    id="journal-failing",
    version=1,
    title="The sensor cannot write its journal",
    category="health",
    kind=Kind.HEALTH,
    severity=Severity.HIGH,
)


def journal_failing(now: int, reason: str) -> Detection:
    """`reason` is the system's own, as "No space left on device"."""
    return Detection(
        now=now,
        rule=JOURNAL_FAILING,
        entity=Entity("sensor", "journal"),
        numbers=Numbers(observed=1, threshold=0, unit="failing journals", window_seconds=1),
        count=1,
        run=str(now // 1_000_000_000),
        first_ts=now,
        last_ts=now,
        details={"reason": reason},
    )
