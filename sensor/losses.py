"""What a run has lost so far: in: the counters of all stages, what the system dropped; out: what alerts made from here
on carry, and how far they can be trusted.

The one law: whatever was lost in here is counted by a stage, and every counter that says so is among these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from sensor.counters import Counters
from sensor.limits import NS

_LOSING = (
    "card_dropped", "dropped", "flows_evicted", "pages_exhausted", "holds_exhausted", "open_exhausted",
    "extents_exhausted", "evicted", "kernel_fault", "transactions_uninspected", "detectors_skipped", "flows_unread",
)  # fmt: skip
"""Counters that say that something was lost in here."""
_JUDGING = ("features.", "detection.")
_LATELY_NS = 60 * NS


class Losses:
    """`counters`: those of all stages, by stage."""

    def __init__(self, counters: Mapping[str, Counters]) -> None:
        self._counters = [
            (f"{stage}.{member.name.lower()}", own, member)
            for stage, own in counters.items()
            for member in own.names
            if member.name.lower() in _LOSING
        ]
        self._marks: deque[tuple[int, int, int]] = deque()
        self.seen = 1.0
        """Share of the packets of the last minute (packet time) that the system did not drop."""

    def note(self, dropped: int, received: int, now: int) -> None:
        """So many packets the system had dropped at packet time `now` (ns), of so many that it had received."""
        marks = self._marks
        if not marks or now - marks[-1][0] >= NS:
            marks.append((now, dropped, received))
        while now - marks[0][0] > _LATELY_NS and len(marks) > 1:
            marks.popleft()
        lost, of = dropped - marks[0][1], received - marks[0][2]
        self.seen = 1 - min(lost / of, 1) if of > 0 else 1.0

    def at_verdict(self, before: Mapping[str, int]) -> dict[str, int]:
        """`before` with what was lost by those who judge, who came to an end since."""
        return {
            name: count
            for name, counters, member in self._counters
            if (count := counters[member] if name.startswith(_JUDGING) else before.get(name, 0))
        }

    @property
    def so_far(self) -> dict[str, int]:
        """Counts since the start, by stage and name, that are not 0."""
        return {name: count for name, counters, member in self._counters if (count := counters[member])}
