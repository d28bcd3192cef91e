"""What gives way when packets come faster than they are worked on: in: how far behind the sensor is; out: which work
is left undone for a while, and alerts that say so.

    step 1   heads and bodies are not kept: nothing looks into them
    step 2   the detectors that cost most rest as well
    step 3   connections that begin now are accounted for, and not read
    beyond   the system drops packets: the sensor is blind to them

One step more whenever the pressure is high for `step_seconds` and does not fall, the first at once where three quarters
wait: a pause of the sensor alone costs no verdict. One less after every `recover_seconds` of low pressure. The one law:
flows, their packets and bytes are counted as long as they arrive at all, and everything left undone is counted.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Protocol

import numpy.typing as npt

from sensor.alert import Detection, Numbers, Severity
from sensor.alerting.own_health import BLIND, OVERLOADED, own_health
from sensor.config import OverloadSettings
from sensor.counters import Counters
from sensor.errors import SettingError
from sensor.limits import NS
from sensor.schema import ChunkKind

Rows = npt.NDArray[Any]
_TELL_AGAIN_NS = 60 * NS
_BLIND_NS = NS


class Step(IntEnum):
    NOTHING = 0
    CONTENTS = 1
    DETECTORS = 2
    NEW_FLOWS = 3


class Count(IntEnum):
    STEP = 0                      # what gives way at present: Step
    STEPPED_UP = 1
    STEPPED_DOWN = 2
    TRANSACTIONS_UNINSPECTED = 3  # finished while heads and bodies were not kept
    DETECTORS_SKIPPED = 4         # transactions that a detector did not get, times detectors
    FLOWS_UNREAD = 5              # begun while new ones were not read
    UNREAD_BYTES = 6              # of these flows


class Pressed(Protocol):
    """A capture that packets wait for. `ring_fill`: blocks that wait, and blocks; `let_wait`: blocks and seconds that
    they wait on purpose; `lost`: packets, and of how many.
    """

    @property
    def ring_fill(self) -> tuple[int, int]: ...
    @property
    def let_wait(self) -> tuple[int, float]: ...
    @property
    def lag_seconds(self) -> float: ...
    @property
    def lost(self) -> tuple[int, int]: ...


class Overload:
    """`keep_up` after every block; `step` says what is to be left undone until then.

    `detectors`: the names of those that there are; SettingError when the settings name another.
    """

    def __init__(self, settings: OverloadSettings, detectors: frozenset[str]) -> None:
        self._known = detectors
        self.check(settings)
        self.counters = Counters(Count)
        self.take_over(settings)
        self._high_since = self._low_since = 0
        self._high = 0.0  # the pressure when it was looked at last
        self._began = self._told = 0
        self._looked = self._dropped = self._received = 0
        self._unread_from = self._begun = 0  # flows when new ones were read last; flows so far

    def check(self, settings: OverloadSettings) -> None:
        """SettingError when they name a detector that there is not."""
        unknown = sorted(set(settings.detectors) - self._known)
        if unknown:
            known = ", ".join(sorted(self._known))
            raise SettingError(f"overload.detectors: there is no {unknown[0]!r}; there are {known}")

    def take_over(self, settings: OverloadSettings) -> None:
        """From now on."""
        self._settings = settings
        self._step_ns, self._recover_ns = round(settings.step_seconds * NS), round(settings.recover_seconds * NS)
        if not settings.enabled:
            self.counters.values[Count.STEP] = Step.NOTHING

    @property
    def step(self) -> Step:
        return Step(self.counters[Count.STEP])

    @property
    def resting(self) -> frozenset[str]:
        """Detectors that do not run at present."""
        return frozenset(self._settings.detectors) if self.step >= Step.DETECTORS else frozenset()

    def keep_up(self, capture: Pressed, now: int, *, last: bool = False) -> list[Detection]:
        """Packet time is `now` (ns), and this is how the capture does; what is to be told of it. `last`: nobody will
        look again.
        """
        lost = self.losses(*capture.lost, now, last=last)
        if last:
            return lost
        (used, size), (let, seconds), lag = capture.ring_fill, capture.let_wait, capture.lag_seconds
        pressure = max(used / size, lag / self._settings.lag_seconds_max)
        not_let = max((used - let) / size, (lag - seconds) / self._settings.lag_seconds_max, 0.0)
        return lost + self.observe(pressure, now, pressure - not_let)

    def observe(self, pressure: float, now: int, let: float = 0.0) -> list[Detection]:
        """The pressure at packet time `now` (ns), 1 when packets are lost or too late; what is to be told of it. `let`:
        how much of it is of packets that the sensor lets gather by itself.
        """
        if not self._settings.enabled or not now:
            return []
        before = self.step
        if pressure >= self._settings.pressure_high:
            self._low_since = 0
            if not self._high_since:
                self._high_since, self._high = now, pressure
            urgent = before == Step.NOTHING and pressure >= (1 + self._settings.pressure_high) / 2
            waited = now - self._high_since >= self._step_ns
            if urgent or (waited and pressure >= self._high):
                self._move(min(before + 1, Step.NEW_FLOWS), Count.STEPPED_UP)
            if waited or before != self.step:
                self._high_since, self._high = now, pressure
        else:
            self._high_since = 0
            self._low_since = (self._low_since or now) if pressure - let <= self._settings.pressure_low else 0
            if before and self._low_since and now - self._low_since >= self._recover_ns:
                self._move(before - 1, Count.STEPPED_DOWN)
                self._low_since = now
        if self.step > before or (self.step and now - self._told >= _TELL_AGAIN_NS):
            return [self._overloaded(pressure, now, before)]
        return []

    def _move(self, step: int, count: Count) -> None:
        self.counters.values[count] += step != self.step
        self.counters.values[Count.STEP] = step

    def _overloaded(self, pressure: float, now: int, before: Step) -> Detection:
        self._began = now if before == Step.NOTHING else self._began
        self._told = now
        numbers = Numbers(
            observed=round(pressure, 3), threshold=self._settings.pressure_high, unit="of what can wait",
            window_seconds=self._settings.step_seconds,
        )  # fmt: skip
        left_out = [step.name.lower() for step in Step if 0 < step <= self.step]
        severity = Severity.HIGH if self.step == Step.NEW_FLOWS else Severity.MEDIUM
        return own_health(
            OVERLOADED, now, "capture", numbers, {"not done": left_out}, since=self._began, severity=severity
        )

    def losses(self, dropped: int, received: int, now: int, *, last: bool = False) -> list[Detection]:
        """What the system dropped of what it received so far; told at most once in a second of packet time, and at the
        end.
        """
        if now - self._looked < _BLIND_NS and not last:
            return []
        lost, of = dropped - self._dropped, received - self._received
        seconds = (now - self._looked) / NS if self._looked else 1.0
        self._looked, self._dropped, self._received = now, dropped, received
        if not lost:
            return []
        numbers = Numbers(observed=lost, threshold=0, unit="packets lost", window_seconds=round(seconds, 3))
        details = {"lost": lost, "of": of, "lost since start": dropped}
        return [own_health(BLIND, now, "ring", numbers, details, count=lost)]

    def note_rows(self, transactions: int) -> None:
        """So many transactions were judged."""
        if self.step >= Step.CONTENTS:
            self.counters.values[Count.TRANSACTIONS_UNINSPECTED] += transactions
            self.counters.values[Count.DETECTORS_SKIPPED] += transactions * len(self.resting)

    def leave_unread(self, chunks: Rows, flows: Rows, begun: int) -> None:
        """What flows that began under overload carry is passed on as if it had not been seen. `begun`: flows so far."""
        if self.step < Step.NEW_FLOWS:
            self._unread_from = self._begun = begun
            return
        unread = (flows["serial"][chunks["stream"] >> 1] > self._unread_from) & (chunks["kind"] == ChunkKind.DATA)
        chunks["kind"][unread] = ChunkKind.GAP
        self.counters.values[Count.FLOWS_UNREAD] += begun - self._begun
        self.counters.values[Count.UNREAD_BYTES] += int(chunks["length"][unread].sum())
        self._begun = begun
