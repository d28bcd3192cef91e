"""How long a live capture lets packets gather: in: when packets were taken, what waits in the ring; out: a rest.

Waking up and judging a batch costs two milliseconds or three whatever is in it. The one law: what gathers takes neither
longer than it may nor, as fast as packets come just now, more of the ring than its share.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_PART = 4
"""The share of the ring in which packets gather is one of so many."""
_LOOK_SECONDS = 0.02
_SHORT_SECONDS = 0.001
"""How long the ring is left alone at most, at 10 Gbit/s 25 MB come meanwhile, and at least."""


class Gather:
    """Lets packets gather for at most `seconds` from when those before were taken, in a ring of so many `blocks`."""

    def __init__(self, seconds: float, blocks: int) -> None:
        self.seconds = seconds
        self._share = max(blocks // _PART, 1)
        self._took = self._until = 0.0

    def took(self) -> None:
        """Packets are taken from the ring just now."""
        self._took = time.monotonic()
        self._until = self._took + self.seconds

    def rest(self, waiting: Callable[[], int]) -> int:
        """Until the time has passed, or its share of the ring is full; `waiting` tells how many blocks are. How many of
        them wait because of it: none when there was no time left, and no more than its share.
        """
        before, looked, rested = 0, self._took, False
        while (left := self._until - (now := time.monotonic())) > 0 and (blocks := waiting()) < self._share:
            seconds_each = (now - looked) / max(blocks - before, 1)
            before, looked, rested = blocks, now, True
            time.sleep(min(left, until_full(self._share - blocks, seconds_each)))
        return min(waiting(), self._share) if rested else 0


def until_full(room: int, seconds_each: float) -> float:
    """How long the ring may be left alone, seconds, when so many blocks may still fill and each takes so long."""
    return min(max(room * seconds_each, _SHORT_SECONDS), _LOOK_SECONDS)
