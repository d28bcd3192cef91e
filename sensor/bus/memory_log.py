"""The last alerts of a run without a journal, to be asked for again while it lasts: records in, chunks out.

Law: bounded by limits.MEMORY_LOG_ALERTS and MEMORY_LOG_BYTES; the oldest give way.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from enum import IntEnum

from sensor.alert_log import START, Chunk, Hole, Position, Record
from sensor.counters import Counters
from sensor.limits import MEMORY_LOG_ALERTS, MEMORY_LOG_BYTES


class MemoryLogCount(IntEnum):
    """What it counts."""

    FORGOTTEN = 0  # records that gave way


class MemoryLog:
    """An AlertLog that ends with the process."""

    failing = ""
    hash = ""
    unwritten = 0

    def __init__(self) -> None:
        self.counters = Counters(MemoryLogCount)
        self.epoch = time.time_ns() // 1000
        self.size_bytes = 0
        self._records: deque[Record] = deque()
        self._gone: Position = START
        self._last: Position = START

    @property
    def first(self) -> Position:
        return self._records[0].position if self._records else self._last

    @property
    def last(self) -> Position:
        return self._last

    def append(self, records: Iterable[Record]) -> None:
        for record in records:
            self._records.append(record)
            self._last = record.position
            self.size_bytes += len(record.body)
        while len(self._records) > MEMORY_LOG_ALERTS or self.size_bytes > MEMORY_LOG_BYTES:
            gone = self._records.popleft()
            self._gone = gone.position
            self.size_bytes -= len(gone.body)
            self.counters.values[MemoryLogCount.FORGOTTEN] += 1

    def read(self, after: Position, topics: Sequence[bytes], records_max: int, bytes_max: int) -> Chunk:
        """What follows `after`: see sensor/alert_log.py. A position of an earlier run is one before this run."""
        reset = after[0] > self.epoch
        chunk = Chunk(START if reset else after, reset=reset)
        if START < chunk.upto < self._gone:
            begin = chunk.upto[1] + 1 if chunk.upto[0] == self._gone[0] else 1
            chunk.holes.append(Hole(self._gone[0], begin, self._gone[1]))
            chunk.upto = self._gone
        for at in range(self._place(chunk.upto), len(self._records)):
            chunk.more = len(chunk.records) >= records_max or chunk.body_bytes >= bytes_max
            if chunk.more:
                break
            chunk.take(self._records[at], tuple(topics))
        return chunk

    def _place(self, after: Position) -> int:
        """Index of the first record behind `after`."""
        low, high = 0, len(self._records)
        while low < high:
            middle = (low + high) // 2
            if self._records[middle].position > after:
                high = middle
            else:
                low = middle + 1
        return low

    def tail(self) -> list[Record]:
        return []

    def tend(self) -> None:
        """Nothing comes due."""

    def close(self) -> None:
        """Nothing is held open."""
