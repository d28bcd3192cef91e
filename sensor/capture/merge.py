"""Several inputs in packet-time order: in: the inputs of a run; out: the read buffer, and rows of FRAME in time order.

Each open input has a slot: a part of one buffer and of one table, so that merging moves rows and never bytes. A
file is opened when packet time reaches its first frame: a rotating set of files takes one slot or two, whatever
their number. The one law: order by the running packet time within each input, ties by the order in which the
user named them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sensor.capture.clock import KEY_FIRST
from sensor.capture.inputs import Input, Inputs
from sensor.capture.interleave import interleave
from sensor.capture.reader import Reader, Table
from sensor.errors import InputError
from sensor.limits import INPUT_BUFFER_BYTES, INPUT_ROWS, INPUTS_OPEN_MAX
from sensor.schema import FRAME

_KEY_LAST = 2**63 - 1


class Merge:
    """`rows` gives the merged rows; their offsets refer to `data`. Memory that no input has used is not resident."""

    def __init__(self, inputs: Inputs, batch_frames: int) -> None:
        self._inputs = inputs
        slots = min(len(inputs.listed), INPUTS_OPEN_MAX)
        self.data: npt.NDArray[np.uint8] = np.empty(slots * INPUT_BUFFER_BYTES, np.uint8)
        self._frames: npt.NDArray[np.void] = np.empty(slots * INPUT_ROWS, FRAME)
        self._keys: npt.NDArray[np.int64] = np.empty(slots * INPUT_ROWS, np.int64)
        self._heads: npt.NDArray[np.int64] = np.zeros(slots, np.int64)
        self._tails: npt.NDArray[np.int64] = np.zeros(slots, np.int64)
        self._orders: npt.NDArray[np.int64] = np.zeros(slots, np.int64)
        self._heap: npt.NDArray[np.int64] = np.zeros(slots, np.int64)
        self._merged: npt.NDArray[np.void] = np.empty(min(batch_frames, INPUTS_OPEN_MAX * INPUT_ROWS), FRAME)
        self._free = list(range(slots))
        self._active: dict[int, tuple[Input, Reader]] = {}

    def rows(self) -> Iterator[npt.NDArray[np.void]]:
        """The next rows in order, at most batch_frames at a time; valid until the next are asked for."""
        waiting = self._starts()
        while waiting or self._active:
            count = self._interleave(waiting[-1][:2] if waiting else (_KEY_LAST, _KEY_LAST))
            if count:
                yield self._merged[:count]
                self._refill()
            else:
                self._open(waiting.pop()[2])

    def _starts(self) -> list[tuple[int, int, Input]]:
        """When and in what order to open the inputs, the first of them last. Streams are opened at once."""
        waiting = []
        look = self._table(0)
        for each in self._inputs.listed:
            start = KEY_FIRST if each.size is None else self._inputs.begins(each, look)
            if start is not None:
                waiting.append((start, each.order, each))
        return sorted(waiting, reverse=True)

    def _table(self, slot: int) -> Table:
        start, row = slot * INPUT_BUFFER_BYTES, slot * INPUT_ROWS
        rows = slice(row, row + INPUT_ROWS)
        return Table(self.data, start, start + INPUT_BUFFER_BYTES, self._frames[rows], self._keys[rows])

    def _interleave(self, horizon: tuple[int, int]) -> int:
        """Merge up to the horizon, the key and order of the next input to open; 0 when it must be opened first."""
        if not self._active:
            return 0
        self._heap[: len(self._active)] = list(self._active)
        return interleave(
            self._frames, self._keys, self._heads, self._tails, self._orders, self._heap, len(self._active),
            *horizon, self._merged,
        )

    def _open(self, each: Input) -> None:
        if not self._free:
            self._inputs.refuse(
                each, InputError(each.name, f"overlaps in time with {INPUTS_OPEN_MAX} other inputs: read fewer at once")
            )
            return
        slot = self._free.pop()
        reader = self._inputs.open(each, self._table(slot))
        if reader is None:
            self._free.append(slot)
            return
        self._orders[slot] = each.order
        self._active[slot] = each, reader
        self._advance(slot)

    def _refill(self) -> None:
        """Read on wherever all rows are merged."""
        for slot in list(self._active):
            if self._heads[slot] == self._tails[slot]:
                self._advance(slot)

    def _advance(self, slot: int) -> None:
        each, reader = self._active[slot]
        count = reader.advance()
        self._heads[slot] = slot * INPUT_ROWS
        self._tails[slot] = slot * INPUT_ROWS + count
        if count == 0:
            self._inputs.close(each)
            del self._active[slot]
            self._free.append(slot)
