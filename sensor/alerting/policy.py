"""From repeated detections to alerts with few revisions: in: detections in order of packet time; out: revisions.

An alert is raised by the first detection of a (rule, entity), updated when its severity rises, or when its count has
doubled and some packet time has passed, and closed when nothing was added for a quiet time. The one law: what happens
depends on the detections and on packet time alone, so an update or a closing that falls between two detections is made
between them, at its own time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from sensor.alert import Detection, Entity, Numbers, Severity, State
from sensor.config import AlertingSettings

_RUNS_MAX = 64
_RANKS = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 3}


@dataclass(slots=True)
class Case:
    """One open alert: all that its revisions tell."""

    latest: Detection
    severity: Severity
    numbers: Numbers
    first_ts: int
    last_ts: int
    confidence: float
    opened_ts: int                                       # packet time at which it was raised: part of its id
    runs: dict[str, int] = field(default_factory=dict)   # count by run, the least recent first
    past: int = 0                                        # count of runs that are no longer told apart
    revision: int = 0
    told_now: int = 0                                    # packet time of the latest revision
    told_count: int = 0
    told_severity: Severity = Severity.LOW

    @property
    def count(self) -> int:
        return self.past + sum(self.runs.values())


Key = tuple[str, Entity]
Tell = Callable[[Case, State, int], None]


def open_case(detection: Detection) -> Case:
    return Case(
        latest=detection,
        severity=detection.severity or detection.rule.severity,
        numbers=detection.numbers,
        first_ts=detection.first_ts,
        last_ts=detection.last_ts,
        confidence=detection.confidence,
        opened_ts=detection.now,  # not its first packet: a detector may speak of that again after the quiet time
        runs={detection.run: detection.count},
    )


def _excess(numbers: Numbers) -> float:
    return numbers.observed / numbers.threshold if numbers.threshold > 0 else numbers.observed


def fold(case: Case, detection: Detection) -> None:
    """Add a repeat to an open case."""
    severity = detection.severity or detection.rule.severity
    case.latest = detection
    case.severity = max(case.severity, severity, key=_RANKS.__getitem__)
    case.numbers = max(case.numbers, detection.numbers, key=_excess)
    case.first_ts = min(case.first_ts, detection.first_ts)
    case.last_ts = max(case.last_ts, detection.last_ts)
    case.confidence = max(case.confidence, detection.confidence)
    case.runs.pop(detection.run, None)
    case.runs[detection.run] = detection.count
    if len(case.runs) > _RUNS_MAX:
        case.past += case.runs.pop(next(iter(case.runs)))


class Policy:
    """The open cases, the one quiet for longest first. `tell` gets a case whenever it is raised, updated or closed, and
    when (ns).
    """

    def __init__(self, settings: AlertingSettings, tell: Tell) -> None:
        self.cases: dict[Key, Case] = {}
        self.set(settings)
        self.tell = tell
        self.evicted = 0

    def set(self, settings: AlertingSettings) -> None:
        """From now on."""
        self.quiet_ns = round(settings.quiet_seconds * 1e9)
        self.update_ns = round(settings.update_seconds * 1e9)
        self.open_max = settings.open_max
        self.go_on_with(self.cases)

    def go_on_with(self, cases: dict[Key, Case]) -> None:
        """These are open, and no others."""
        self.cases = cases
        self._grown: list[tuple[int, Key]] = []  # when to tell of those that have grown, a heap
        self._due: dict[Key, int] = {}           # the same by case
        for key, case in cases.items():
            self._note_growth(key, case)

    def add(self, detection: Detection) -> None:
        """Take the next detection; none may be older than the one before, or than the last `close_until`."""
        self.close_until(detection.now)
        key = (detection.rule.id, detection.entity)
        case = self.cases.pop(key, None)
        if case is None:
            if len(self.cases) >= self.open_max:
                self.evicted += 1
                self._tell(self.cases.pop(next(iter(self.cases))), State.CLOSED, detection.now)
            case = open_case(detection)
            self._tell(case, State.RAISED, detection.now)
        else:
            fold(case, detection)
            if self._is_worth_telling(case, detection.now):
                self._tell(case, State.UPDATED, detection.now)
            else:
                self._note_growth(key, case)
        self.cases[key] = case

    def close_until(self, now: int) -> None:
        """Until `now`, each at its own time: tell of what has grown, and close what was quiet for long enough."""
        while True:
            key, case = next(iter(self.cases.items()), (None, None))
            end = case.latest.now + self.quiet_ns if case else now + 1
            if self._grown and self._grown[0][0] < min(end, now):
                self._tell_of_growth(*heappop(self._grown))
            elif key and case and end <= now:
                self._tell(self.cases.pop(key), State.CLOSED, end)
            else:
                return

    def _note_growth(self, key: Key, case: Case) -> None:
        due = case.told_now + self.update_ns
        if case.count >= 2 * case.told_count and self._due.get(key) != due:
            self._due[key] = due
            heappush(self._grown, (due, key))

    def _tell_of_growth(self, due: int, key: Key) -> None:
        """Unless it was told of meanwhile."""
        if self._due.get(key) == due:
            del self._due[key]
        case = self.cases.get(key)
        if case and case.told_now + self.update_ns == due and case.count >= 2 * case.told_count:
            self._tell(case, State.UPDATED, due)

    def close_all(self, now: int) -> None:
        """Close every case: the capture has ended."""
        self.close_until(now)
        for case in self.cases.values():
            self._tell(case, State.CLOSED, now)
        self.cases.clear()

    def _is_worth_telling(self, case: Case, now: int) -> bool:
        if case.severity != case.told_severity:
            return True
        return case.count >= 2 * case.told_count and now - case.told_now >= self.update_ns

    def _tell(self, case: Case, state: State, now: int) -> None:
        case.revision += 1
        case.told_now, case.told_count, case.told_severity = now, case.count, case.severity
        self.tell(case, state, now)
