"""How long a live capture lets packets gather: in: when packets were taken, whether enough wait; out: a rest.

Waking up and judging a batch costs two milliseconds or three whatever is in it. The one law: what gathers takes neither
longer than it may nor more of the ring than its share, however suddenly packets come.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_SECONDS = 0.04
"""How long the ring is left alone at most: at 10 Gbit/s 50 MB come meanwhile."""


class Gather:
    """Lets packets gather for at most `seconds`, from when those before were taken."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = 0.0

    def took(self) -> None:
        """Packets are taken from the ring just now."""
        self._until = time.monotonic() + self.seconds

    def rest(self, enough: Callable[[], bool]) -> None:
        """Until the time has passed, or `enough` wait."""
        while (left := self._until - time.monotonic()) > 0 and not enough():
            time.sleep(min(left, _LOOK_SECONDS))
