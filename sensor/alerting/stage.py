"""Detections into alerts: in: detections and packet time; out: revisions of alerts, in the order of their sequence
numbers.

The one law: the same capture gives the same revisions whatever the batches. Detections come in batch order, so those of
the present packet time wait until it has passed, and the rest is taken in the order of (packet time, rule, entity).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from enum import IntEnum

import msgspec

from sensor.alert import (
    RESPOND_WITHIN,
    RESPOND_WITHIN_SECONDS,
    SCHEMA_VERSION,
    Alert,
    Detection,
    State,
    alert_id_of,
    seconds,
)
from sensor.alerting.policy import Case, Policy
from sensor.config import AlertingSettings
from sensor.counters import Counters


class Count(IntEnum):
    DETECTIONS = 0
    LATE = 1      # detections older than packet time that had passed: taken as if they were made then
    RAISED = 2
    UPDATED = 3
    CLOSED = 4
    EVICTED = 5   # alerts closed early because too many were open


_STATES = {State.RAISED: Count.RAISED, State.UPDATED: Count.UPDATED, State.CLOSED: Count.CLOSED}


class AlertingStage:
    """One run of one sensor: its epoch begins when this is made."""

    def __init__(self, settings: AlertingSettings) -> None:
        self.sensor = settings.sensor or socket.gethostname()
        self.epoch = time.time_ns() // 1000
        self.sequence = 0
        self.counters = Counters(Count)
        self._policy = Policy(settings, self._tell)
        self._waiting: list[Detection] = []
        self._alerts: list[Alert] = []
        self._degraded: dict[str, int] = {}
        self._passed = 0

    def process(
        self, detections: list[Detection], now: int, degraded: Mapping[str, int] | None = None
    ) -> list[Alert]:
        """Alerts up to packet time `now` (ns), that of the batch's end.

        `degraded` names what was lost so far (evicted, shed, faults since the start); alerts made from here on carry
        what is not 0.
        """
        self._degraded = {name: count for name, count in (degraded or {}).items() if count}
        ready = [detection for detection in [*self._waiting, *detections] if detection.now < now]
        self._waiting = [detection for detection in [*self._waiting, *detections] if detection.now >= now]
        self.counters.values[Count.DETECTIONS] += len(detections)
        self._take(ready)
        self._policy.close_until(now)
        self._passed = max(self._passed, now)
        return self._given()

    def finish(self, now: int) -> list[Alert]:
        """The last alerts: the capture or the sensor ends at packet time `now` (ns), and every alert closes."""
        self._take(self._waiting)
        self._waiting = []
        self._policy.close_all(now)
        return self._given()

    def _take(self, detections: list[Detection]) -> None:
        for detection in sorted(detections, key=lambda one: (one.now, one.rule.id, one.entity)):
            late = detection.now < self._passed
            self.counters.values[Count.LATE] += late
            self._policy.add(msgspec.structs.replace(detection, now=self._passed) if late else detection)

    def _given(self) -> list[Alert]:
        alerts, self._alerts = self._alerts, []
        self.counters.values[Count.EVICTED] = self._policy.evicted
        return alerts

    def _tell(self, case: Case, state: State, now: int) -> None:
        latest, rule = case.latest, case.latest.rule
        self.sequence += 1
        self.counters.values[_STATES[state]] += 1
        self._alerts.append(
            Alert(
                schema_version=SCHEMA_VERSION,
                sensor=self.sensor,
                epoch=self.epoch,
                sequence=self.sequence,
                alert_id=alert_id_of(self.sensor, rule.id, latest.entity, case.opened_ts),
                revision=case.revision,
                state=state,
                kind=rule.kind,
                ts=seconds(now),
                detection_ts=seconds(time.time_ns()),
                rule_id=rule.id,
                rule_version=rule.version,
                title=rule.title,
                category=rule.category,
                owasp=rule.owasp,
                attack=rule.attack,
                severity=case.severity,
                respond_within=RESPOND_WITHIN[case.severity],
                respond_within_seconds=RESPOND_WITHIN_SECONDS[case.severity],
                confidence=case.confidence,
                entity=latest.entity,
                client_ip=latest.client_ip,
                client_port=latest.client_port,
                server_ip=latest.server_ip,
                server_port=latest.server_port,
                community_id=latest.community_id,
                http=latest.http,
                numbers=case.numbers,
                first_seen=seconds(case.first_ts),
                last_seen=seconds(case.last_ts),
                count=case.count,
                details=latest.details,
                degraded=self._degraded,
            )
        )
