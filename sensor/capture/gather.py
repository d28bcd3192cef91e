"""How long a live capture lets packets gather: in: what each look at the ring found; out: seconds to rest.

Waking up and working on a batch costs a millisecond or two whatever is in it. The one law: what gathers takes neither
more than a small part of the ring, nor more than a batch.
"""

from __future__ import annotations

_RING_SHARE = 1 / 16


class Gather:
    """Lets packets gather for at most `seconds`, for a ring of so many `blocks` and batches of so many `rows`."""

    def __init__(self, seconds: float, blocks: int, rows: int) -> None:
        self.seconds, self._blocks, self._rows = seconds, blocks * _RING_SHARE, rows
        self._until = 0.0

    def took(self, now: float, blocks: int, rows: int, span: float) -> None:
        """At `now` (seconds) so many blocks and rows were taken from the ring, which came within `span` seconds."""
        filled = max(blocks / self._blocks, rows / self._rows)  # of what may gather
        self._until = now + (min(self.seconds, span / filled) if span else self.seconds)

    def left(self, now: float) -> float:
        """Seconds to rest from `now` on."""
        return max(self._until - now, 0.0)
