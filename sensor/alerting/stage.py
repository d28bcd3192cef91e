"""Detections into alerts: in: detections and packet time; out: revisions of alerts, in the order of their sequence
numbers.

The one law: the same capture gives the same revisions whatever the batches. Detections come in batch order, so those of
the present packet time wait until it has passed, and the rest is taken in the order of (packet time, rule, entity).
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import (
    RESPOND_WITHIN,
    RESPOND_WITHIN_SECONDS,
    SCHEMA_VERSION,
    Alert,
    Detection,
    Kind,
    State,
    alert_id_of,
    seconds,
)
from sensor.alerting.allowed import Allowance, allowances_of
from sensor.alerting.budget import Budget, Past
from sensor.alerting.policy import Case, Policy
from sensor.config import AlertingSettings
from sensor.counters import Counters
from sensor.limits import ALERTS_TOLD_BYTES_MAX


class Count(IntEnum):
    DETECTIONS = 0
    LATE = 1      # detections older than packet time that had passed: taken as if they were made then
    RAISED = 2
    UPDATED = 3
    CLOSED = 4
    EVICTED = 5   # alerts closed early because too many were open
    ALLOWED = 6   # detections of what the file of allowances allows
    HELD_BACK = 7 # detections that the budget of false alerts holds back


_STATES = {State.RAISED: Count.RAISED, State.UPDATED: Count.UPDATED, State.CLOSED: Count.CLOSED}


class _Open(msgspec.Struct, array_like=True):
    """What a restart must not forget: open cases, detections whose time has not passed, packet time."""

    cases: list[Case]
    waiting: list[Detection]
    passed: int
    sequence: int
    counters: list[int]
    budget_began: int | None = None
    budget: dict[str, Past] = {}


class AlertingStage:
    """One run of one sensor: its epoch begins when this is made, unless a journal says it.

    With `keeps_told` the alerts told so far are part of the state, so that a resumed run can tell them again.
    """

    def __init__(self, settings: AlertingSettings, keeps_told: bool = False, epoch: int | None = None) -> None:
        self.sensor = settings.sensor or socket.gethostname()
        self.epoch = epoch or time.time_ns() // 1000
        self.sequence = 0
        self.counters = Counters(Count)
        self._policy = Policy(settings, self._tell)
        self._allowances = allowances_of(settings)
        self.pulled: list[Allowance] = []  # what a collector allows besides
        self._budget = Budget(settings.false_alerts_per_day_max, round(settings.quiet_seconds * 1e9))
        self._waiting: list[Detection] = []
        self._alerts: list[Alert] = []
        self._degraded: dict[str, int] = {}
        self._passed = 0
        self._keeps_told = keeps_told
        self._told: deque[bytes] = deque()
        self._told_bytes = 0

    def take_over(self, settings: AlertingSettings, allowances: list[Allowance]) -> None:
        """From now on: quiet times, the number of open alerts, the budget, and what is allowed."""
        self._policy.set(settings)
        self._budget.per_day, self._budget.quiet_ns = settings.false_alerts_per_day_max, self._policy.quiet_ns
        self._allowances = allowances

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Open alerts, and those told so far (MessagePack)."""
        cases = list(self._policy.cases.values())
        counts = self.counters.values.tolist()
        opened = _Open(cases, self._waiting, self._passed, self.sequence, counts, *self._budget.state())
        return {
            "open": np.frombuffer(msgspec.msgpack.encode(opened), np.uint8),
            "told": np.frombuffer(b"".join(self._told), np.uint8),
            "told_sizes": np.array([len(alert) for alert in self._told], np.uint32),
        }

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        """Take over what `state` gave; False, and nothing is open, when its alerts are of another schema."""
        try:
            opened = msgspec.msgpack.decode(saved["open"].tobytes(), type=_Open)
        except (KeyError, msgspec.DecodeError):
            return False
        self._waiting, self._passed = opened.waiting, opened.passed
        self._budget.restore(opened.budget_began, opened.budget)
        self._policy.go_on_with({(case.latest.rule.id, case.latest.entity): case for case in opened.cases})
        return True

    def resume(self, saved: Mapping[str, npt.NDArray[Any]]) -> list[Alert]:
        """After `restore`: go on counting where the killed run stopped; returns the alerts that it told."""
        opened = msgspec.msgpack.decode(saved["open"].tobytes(), type=_Open)
        self.sequence = opened.sequence
        self.counters.values[: len(opened.counters)] = opened.counters
        packed, ends = saved["told"].tobytes(), np.cumsum(saved["told_sizes"].astype(np.int64)).tolist()
        parts = [packed[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        told = [msgspec.structs.replace(msgspec.msgpack.decode(part, type=Alert), epoch=self.epoch) for part in parts]
        self._keep(told)
        return told

    def process(
        self, detections: list[Detection], now: int, degraded: Mapping[str, int] | None = None, seen: float = 1.0
    ) -> list[Alert]:
        """Alerts up to packet time `now` (ns), that of the batch's end.

        `degraded` names what was lost so far (evicted, shed, faults since the start); alerts made from here on carry
        what is not 0. `seen` is the share of packets that were not dropped lately: verdicts, but those of the sensor on
        itself, are as much less certain.
        """
        if seen < 1:
            detections = [_less_certain(detection, seen) for detection in detections]
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
            if any(allowance.covers(detection) for allowance in (*self._allowances, *self.pulled)):
                self.counters.values[Count.ALLOWED] += 1
                continue
            if (detection.rule.id, detection.entity) not in self._policy.cases and not self._budget.admits(detection):
                self.counters.values[Count.HELD_BACK] += 1
                continue
            late = detection.now < self._passed
            self.counters.values[Count.LATE] += late
            self._policy.add(msgspec.structs.replace(detection, now=self._passed) if late else detection)

    def _given(self) -> list[Alert]:
        alerts, self._alerts = self._alerts, []
        self.counters.values[Count.EVICTED] = self._policy.evicted
        if self._keeps_told:
            self._keep(alerts)
        return alerts

    def _keep(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._told.append(msgspec.msgpack.encode(alert))
            self._told_bytes += len(self._told[-1])
        while self._told_bytes > ALERTS_TOLD_BYTES_MAX:
            self._told_bytes -= len(self._told.popleft())

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


def _less_certain(detection: Detection, seen: float) -> Detection:
    """The verdict on what was seen in part."""
    if detection.rule.kind == Kind.HEALTH:
        return detection
    return msgspec.structs.replace(detection, confidence=round(detection.confidence * seen, 4))
