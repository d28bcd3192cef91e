"""Slow twins of the sliding windows, the entity table and the log histogram: every past observation is kept and looked
at again.

The one law: plain Python over plain lists, so that anyone can see that it is right.
"""

from __future__ import annotations

import statistics


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


class SecondChance:
    """Keys to rows. When all are taken a hand goes round: those used again since it last came by are passed over, as is
    the one used last.
    """

    def __init__(self, rows: int) -> None:
        self.rows, self.evicted, self.hand, self.latest = rows, 0, 0, -1
        self.keys: list[object] = []
        self.again: list[bool] = []

    def touch(self, key: object) -> tuple[int, bool]:
        """The key's row, and whether it is new there."""
        new = key not in self.keys
        if not new:
            self.latest = self.keys.index(key)
            self.again[self.latest] = True
            return self.latest, False
        if len(self.keys) < self.rows:
            self.latest = len(self.keys)
            self.keys.append(key)
            self.again.append(False)
            return self.latest, True
        while self.again[self.hand] or (self.hand == self.latest and self.rows > 1):
            self.again[self.hand] = False
            self.hand = (self.hand + 1) % self.rows
        self.latest = self.hand
        self.hand = (self.hand + 1) % self.rows
        self.keys[self.latest] = key
        self.evicted += 1
        return self.latest, True

    def find(self, key: object) -> int:
        return self.keys.index(key) if key in self.keys else -1


def median_and_mad(logs: list[float]) -> tuple[float, float]:
    """The upper median, and the smallest deviation from it within which at least half of the members lie."""
    median = statistics.median_high(logs)
    return median, sorted(abs(log - median) for log in logs)[(len(logs) - 1) // 2]
