"""Slow twins of the sliding windows, the entity table and the log histogram: every past observation is kept and looked
at again.

The one law: plain Python over plain lists, so that anyone can see that it is right.
"""

from __future__ import annotations

import statistics
from collections import OrderedDict


def more_than(times: list[int], allowed: int, window: int) -> bool:
    """Whether more than `allowed` of the times lie within `window` of the last one."""
    return sum(times[-1] - time <= window for time in times) > allowed


def targets_within(seen: list[tuple[int, object]], window: int) -> set[object]:
    """The different targets seen within `window` of the last sight."""
    return {target for time, target in seen if seen[-1][0] - time <= window}


def sum_within(observed: list[tuple[int, int]], size: int, width: int) -> int:
    """What was observed in the last `size` stretches of `width`, the present one included."""
    present = observed[-1][0] // width
    return sum(amount for time, amount in observed if time // width > present - size)


class LeastRecentlyUsed:
    """Keys to rows, the least recently used giving way."""

    def __init__(self, rows: int) -> None:
        self.rows, self.used, self.evicted = rows, OrderedDict[object, int](), 0

    def touch(self, key: object) -> tuple[int, bool]:
        """The key's row, and whether it is new there."""
        if key in self.used:
            self.used.move_to_end(key)
            return self.used[key], False
        row = len(self.used)
        if row == self.rows:
            row = self.used.popitem(last=False)[1]
            self.evicted += 1
        self.used[key] = row
        return row, True


def median_and_mad(logs: list[float]) -> tuple[float, float]:
    """The upper median, and the smallest deviation from it within which at least half of the members lie."""
    median = statistics.median_high(logs)
    return median, sorted(abs(log - median) for log in logs)[(len(logs) - 1) // 2]
