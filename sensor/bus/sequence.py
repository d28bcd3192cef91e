"""Which alerts are missing: (sensor, epoch, sequence) of each alert goes in, gaps come out.

A sensor numbers what it publishes 1, 2, 3 ... within an epoch (one run of the sensor). Law: nothing is called missing
that was published before the subscriber first heard of that sensor; of a new epoch of a known sensor even the first
number counts.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from sensor.limits import GAPS_MAX, STREAMS_MAX


@dataclass(frozen=True, slots=True)
class Gap:
    """Alerts `first` to `last` (both included) of this sensor and epoch that never arrived."""

    sensor: str
    epoch: int
    first: int
    last: int

    @property
    def missed(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"{self.sensor!r}: {self.missed} alerts never arrived: {self.first} to {self.last} of epoch {self.epoch}"


class SequenceTracker:
    """Follows each (sensor, epoch). `gaps` holds the last limits.GAPS_MAX gaps, `missed` counts the alerts of all of
    them.

    `repeated` counts alerts whose number was not above the last one seen: sent twice, or by two ways.
    """

    def __init__(self) -> None:
        self.gaps: deque[Gap] = deque(maxlen=GAPS_MAX)
        self.missed = 0
        self.repeated = 0
        self._last: OrderedDict[tuple[str, int], int] = OrderedDict()  # the one heard longest ago first
        self._sensors: OrderedDict[str, None] = OrderedDict()

    def observe(self, sensor: str, epoch: int, sequence: int) -> Gap | None:
        """Take in one alert's place; returns the gap just before it, if there is one."""
        expected = self._expected(sensor, epoch, sequence)
        self._remember(sensor, epoch, max(sequence, expected - 1))
        if sequence < expected:
            self.repeated += 1
        if sequence <= expected:
            return None
        gap = Gap(sensor, epoch, expected, sequence - 1)
        self.gaps.append(gap)
        self.missed += gap.missed
        return gap

    def prime(self, sensor: str, epoch: int, sequence: int) -> None:
        """This alert is had already: what follows it is expected."""
        self._remember(sensor, epoch, sequence)

    def knows(self, sensor: str, epoch: int, sequence: int) -> bool:
        """Whether this is the alert that is expected next in its epoch."""
        return self._last.get((sensor, epoch)) == sequence - 1

    def lost(self, sensor: str, epoch: int, first: int, last: int) -> None:
        """These never will arrive: the sensor has said so."""
        gap = Gap(sensor, epoch, first, last)
        self.gaps.append(gap)
        self.missed += gap.missed
        self._remember(sensor, epoch, last)

    def forget(self, sensor: str) -> None:
        """The sensor's log was made anew: its numbers so far say nothing about those that come."""
        self._sensors.pop(sensor, None)
        for known in [key for key in self._last if key[0] == sensor]:
            del self._last[known]

    def _expected(self, sensor: str, epoch: int, sequence: int) -> int:
        last = self._last.get((sensor, epoch))
        if last is not None:
            return last + 1
        return 1 if sensor in self._sensors else sequence

    def _remember(self, sensor: str, epoch: int, last: int) -> None:
        self._last[sensor, epoch] = last
        self._last.move_to_end((sensor, epoch))
        self._sensors[sensor] = None
        self._sensors.move_to_end(sensor)
        for known in (self._last, self._sensors):
            if len(known) > STREAMS_MAX:
                known.popitem(last=False)
