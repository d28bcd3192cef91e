"""How many false alerts a day are bearable: in: detections; out: which of them may raise an alert.

Each rule gets an equal share of the budget. A detection may raise an alert when one as far above its threshold would,
by what the rule said in the past four weeks, come at most as often as the share allows. The past is taken for benign:
what is rare in it, and far above the threshold, is told; what fires every day is not. Critical ones are always told.
The one law: what is admitted depends on earlier detections and on packet time alone.
"""

from __future__ import annotations

import bisect
from collections import deque

import msgspec

from sensor.alert import Detection, Entity, Severity

DAY_NS = 86_400_000_000_000
DAYS = 28
WORSE = 1.5
"""Times the score that was held back at which a repeat is looked at anew."""
SCORES_MAX = 10_000
"""Remembered per rule; a rule that says more than that in four weeks is far over any budget."""


class Past(msgspec.Struct, array_like=True):
    """Scores of one rule, in order of time; `since` is when the first of all rules was seen, or four weeks ago."""

    times: list[int]
    scores: list[float]


def score_of(detection: Detection) -> float:
    """How far a detection is above its threshold, weighted by how sure it is."""
    numbers = detection.numbers
    excess = numbers.observed / numbers.threshold if numbers.threshold > 0 else numbers.observed
    return float(excess * detection.confidence)


class Budget:
    """`per_day` false alerts of all rules together; 0 is no budget: everything is admitted."""

    def __init__(self, per_day: float, quiet_ns: int) -> None:
        self.per_day, self.quiet_ns = per_day, quiet_ns
        self.began: int | None = None
        self._times: dict[str, deque[int]] = {}
        self._scores: dict[str, deque[float]] = {}
        self._sorted: dict[str, list[float]] = {}
        self._held: dict[tuple[str, Entity], tuple[int, float]] = {}

    def admits(self, detection: Detection) -> bool:
        """Whether this detection, which no open alert covers, may raise one; it is remembered either way."""
        if not self.per_day:
            return True
        self.began = detection.now if self.began is None else self.began
        rule, score = detection.rule.id, score_of(detection)
        if self._goes_on((rule, detection.entity), detection.now, score):
            return False
        past = self._past(rule, detection.now)
        days = min(max((detection.now - self.began) / DAY_NS, 1.0), DAYS)
        as_far = len(past) - bisect.bisect_left(past, score)
        self._remember(rule, detection.now, score)
        severity = detection.severity or detection.rule.severity
        admitted = severity == Severity.CRITICAL or (1 + as_far) / days <= self.per_day / len(self._sorted)
        if not admitted:
            self._held[rule, detection.entity] = detection.now, score
        return admitted

    def _goes_on(self, key: tuple[str, Entity], now: int, score: float) -> bool:
        """Whether this repeats what was held back lately, and is not much worse."""
        while self._held and next(iter(self._held.values()))[0] < now - self.quiet_ns:
            self._held.pop(next(iter(self._held)))
        before = self._held.pop(key, None)
        if before is None or score > WORSE * before[1]:
            return False
        self._held[key] = now, before[1]
        return True

    def _past(self, rule: str, now: int) -> list[float]:
        past = self._sorted.setdefault(rule, [])
        times, scores = self._times.setdefault(rule, deque()), self._scores.setdefault(rule, deque())
        while times and (times[0] < now - DAYS * DAY_NS or len(times) >= SCORES_MAX):
            times.popleft()
            past.pop(bisect.bisect_left(past, scores.popleft()))
        return past

    def _remember(self, rule: str, now: int, score: float) -> None:
        self._times[rule].append(now)
        self._scores[rule].append(score)
        bisect.insort(self._sorted[rule], score)

    def state(self) -> tuple[int | None, dict[str, Past]]:
        """When it began, and the past of each rule."""
        return self.began, {rule: Past(list(self._times[rule]), list(self._scores[rule])) for rule in self._times}

    def restore(self, began: int | None, pasts: dict[str, Past]) -> None:
        self.began = began
        for rule, past in pasts.items():
            self._times[rule], self._scores[rule] = deque(past.times), deque(past.scores)
            self._sorted[rule] = sorted(past.scores)
