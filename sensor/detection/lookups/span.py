"""Figures over a sliding window: in: figures with their packet time; out: their sums, and whether they are to be told.

The one law: what is remembered is ten steps, whatever comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sensor.detection.detector import REPORT_SECONDS, nanoseconds

STEPS = 10
Kept = tuple[list[tuple[int, list[int | float]]], int, int, float, int]


@dataclass(slots=True)
class Span:
    """Sums of one entity over STEPS steps of `step_ns` each; `run_now` is when the present case began, 0 without."""

    steps: dict[int, list[int | float]] = field(default_factory=dict)
    run_now: int = 0
    first_ts: int = 0
    told: float = 0.0
    told_now: int = 0

    def add(self, now: int, ts: int, figures: Sequence[int | float], step_ns: int) -> list[int | float]:
        """The sums of the window, with these figures."""
        step = now // step_ns
        for gone in [each for each in self.steps if each <= step - STEPS]:
            del self.steps[gone]
        cell = self.steps.get(step)
        if cell is None:
            self.steps[step] = [ts, *figures]
        else:
            cell[:] = [min(cell[0], ts), *map(sum, zip(cell[1:], figures, strict=True))]
        return [sum(each) for each in zip(*self.steps.values(), strict=True)][1:]

    def is_due(self, now: int, observed: float, least: float) -> bool:
        """Whether so much is too much, and worth saying now: at first, when it has doubled, and from time to time."""
        if observed < least:
            self.run_now = 0
            return False
        if not self.run_now:
            self.run_now, self.told, self.first_ts = now, 0.0, int(min(each[0] for each in self.steps.values()))
        if observed < 2 * self.told and now - self.told_now < nanoseconds(REPORT_SECONDS):
            return False
        self.told, self.told_now = observed, now
        return True

    def kept(self) -> Kept:
        """What a restart must bring back."""
        return list(self.steps.items()), self.run_now, self.first_ts, self.told, self.told_now

    @classmethod
    def resumed(cls, kept: Kept) -> Span:
        return cls(dict(kept[0]), *kept[1:])
