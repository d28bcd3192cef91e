"""One input, from end to end: in: an opened capture and a part of the read buffer; out: rows of FRAME with merge keys.

The part of the buffer is reused: what `advance` made is overwritten by the next `advance`. The one law: rows,
keys and flags do not depend on how many bytes each read brought, nor on the size of buffer and table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensor.capture.clock import judge_clock
from sensor.capture.layout import Clock, Count, Cursor
from sensor.capture.sources.source import Capture
from sensor.counters import Counters
from sensor.errors import InputError


class Table:
    """Room for the rows of one input: part [start, stop) of the read buffer, at least 4 FRAME rows, and their keys.

    The part holds three of the longest records: two whose verdict waits, and the one that brings it.
    """

    def __init__(
        self,
        data: npt.NDArray[np.uint8],
        start: int,
        stop: int,
        frames: npt.NDArray[np.void],
        keys: npt.NDArray[np.int64],
    ) -> None:
        self.data, self.start, self.stop, self.frames, self.keys = data, start, stop, frames, keys


class Reader:
    """`advance` fills the table with the next rows. `fault`: why the input ended early, None when it did not."""

    def __init__(self, capture: Capture, table: Table, clock_limit: int, counters: Counters) -> None:
        self.fault: InputError | None = None
        self._capture, self._table = capture, table
        self._view = table.data.data
        self._counts = counters.values
        self._rows = self._judged = 0
        self._ended = False
        self._cursor: npt.NDArray[np.int64] = np.zeros(len(Cursor), np.int64)
        self._clock: npt.NDArray[np.int64] = np.zeros(len(Clock), np.int64)
        self._clock[Clock.LIMIT] = clock_limit
        stop = table.start + len(capture.head)
        self._view[table.start : stop] = capture.head
        self._cursor[Cursor.POSITION] = table.start + capture.index.start
        self._cursor[Cursor.STOP] = stop
        self._origin = -table.start  # add it to a place in the buffer to have the place in the input
        self._counts[Count.INPUTS] += 1

    @property
    def position(self) -> int:
        """Bytes read of the source, compressed ones if it is compressed."""
        return self._capture.source.position

    def advance(self) -> int:
        """Put the next rows into the table; how many, 0 at the end of the input."""
        table = self._table
        waiting = self._rows - self._judged
        table.frames[:waiting] = table.frames[self._judged : self._rows]
        self._rows = waiting
        while True:
            if not self._ended:
                self._rows = self._capture.index.fill(table.data, self._cursor, table.frames, self._rows)
                if self._cursor[Cursor.FAULT]:
                    self._end(self._capture.index.explain(self._cursor), int(self._cursor[Cursor.POSITION]))
            self._judged = judge_clock(table.frames, self._rows, self._ended, self._clock, table.keys, self._counts)
            if self._judged or self._ended:
                return self._judged
            self._read_on()

    def close(self) -> None:
        self._capture.source.close()

    def _read_on(self) -> None:
        """Read behind what was read; what is needed of it moves to the front when the rest is done or room is out."""
        top = int(self._cursor[Cursor.STOP])
        if self._cursor[Cursor.POSITION] >= top or top == self._table.stop:
            top = self._make_room()
            self._cursor[Cursor.STOP] = top
        try:
            size = self._capture.source.readinto(self._view[top : self._table.stop])
        except InputError as fault:
            self.fault, self._ended = fault, True
            return
        self._cursor[Cursor.STOP] = top + size
        if size == 0:
            self._check_end()

    def _make_room(self) -> int:
        """Keep the frames that wait for their verdict, then the bytes not yet indexed; the end of both."""
        data, top = self._table.data, self._table.start
        for frame in self._table.frames[: self._rows]:  # two at most
            offset, size = int(frame["offset"]), int(frame["caplen"])
            data[top : top + size] = data[offset : offset + size]
            frame["offset"] = top
            top += size
        position, stop = int(self._cursor[Cursor.POSITION]), int(self._cursor[Cursor.STOP])
        rest = max(stop - position, 0)
        data[top : top + rest] = data[position : position + rest]
        moved = top + max(position - stop, 0)
        self._origin += position - moved
        self._cursor[Cursor.RECORD] -= position - moved
        self._cursor[Cursor.POSITION] = moved
        return top + rest

    def _check_end(self) -> None:
        """The source has no more bytes: a fault when it ends inside a record."""
        position, stop = int(self._cursor[Cursor.POSITION]), int(self._cursor[Cursor.STOP])
        self._ended = True
        if position > stop:
            self._end("the last block is cut off", int(self._cursor[Cursor.RECORD]))
        elif position < stop:
            self._end(f"the last record is cut off: {stop - position} bytes of it are there", position)

    def _end(self, problem: str, place: int) -> None:
        where = " (offset in the decompressed bytes)" if self._capture.compressed else ""
        self.fault = InputError(self._capture.source.name, problem + where, place + self._origin)
        self._ended = True
