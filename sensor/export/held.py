"""Rows on their way out: in: the rows of each batch; out: runs of rows in order of (ts, flow, depth), cut at exact
row counts.

Rows are finished in the order in which their last packet came. Those of a file are held back until `rows_max` of them
(as many as have room in a budget of bytes, unless it is said), or `text_bytes_max` of their texts, wait, then sorted,
and the older half is released. Both bounds are checked row by row, so what is released together does not depend on how
packets came in batches. A row older than one already released is late: it leaves in the next run, and is counted.
Codes of the string pool do not outlive their batch, so the texts are kept here, each about once a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.export import held_kernels
from sensor.export.cells import SLICE_ROWS, Cells, Ints, Octets
from sensor.export.held_kernels import Held
from sensor.export.json_lines import SPARE_BYTES
from sensor.export.tables import Rows, Table
from sensor.schema import STREAM
from sensor.tls import TlsConnection

_KNOWN_CODES = 1 << 14
_ESCAPED_MAX = 2
Numbers = npt.NDArray[np.int32]


class Pool(Protocol):
    """The string pool, as far as it is needed here."""

    def gather(self, codes: npt.NDArray[np.uint32]) -> tuple[Ints, Octets]:
        """(offsets int64[n + 1], bytes) of the texts of n codes."""


class Released(NamedTuple):
    """Rows in order, with all they refer to. Good until the HeldRows they come from is called again."""

    table: Table
    order: Ints        # rows of the three below, in the order in which they leave
    held: Rows         # records of the table
    streams: Rows      # STREAM, as many for each record as the table has companions
    numbers: Numbers   # of their texts, one for each pooled column of each record
    offsets: Ints      # of the kept texts
    texts: Octets

    def rows(self, start: int, stop: int) -> Rows:
        """The rows `start` to `stop` of the run, as records."""
        return self.held[self.order[start:stop]]

    def streams_of(self, start: int, stop: int) -> Rows:
        """Their streams, two for each flow; none for transactions."""
        companions = self.table.companions
        return self.streams.reshape(-1, companions)[self.order[start:stop]].reshape(-1) if companions else self.streams

    def slices(self) -> Iterator[Cells]:
        """All rows as cells, SLICE_ROWS at a time; each slice is good until the next."""
        for start in range(0, len(self.order), SLICE_ROWS):
            yield self.table.cells(self, start, min(start + SLICE_ROWS, len(self.order)))

    def numbers_of(self, start: int, stop: int) -> Numbers:
        """The numbers of their texts, a row for each pooled column."""
        return self.numbers.reshape(-1, len(self.table.pooled))[self.order[start:stop]].T


class HeldRows:
    """Holds the rows of one table. `rows_late` counts the late ones.

    `escape`: keep texts as they stand in JSON. Without `ordered` every batch is released at once, in the order of
    completion.
    """

    def __init__(
        self,
        table: Table,
        *,
        escape: bool,
        ordered: bool = True,
        rows_max: int | None = None,
        text_bytes_max: int = limits.TEXT_BYTES_HELD_MAX,
    ) -> None:
        self.ordered = ordered
        self._table, self._escape = table, escape
        row_bytes = table.dtype.itemsize + table.companions * STREAM.itemsize
        self._rows_max = rows_max or limits.ROW_BYTES_HELD_MAX // row_bytes
        self._text_bytes_max = text_bytes_max
        places = {name: place[1] // 4 for name, place in (table.dtype.fields or {}).items()}
        self._fields = np.array([places[field] for field in table.pooled.values()], np.int64)
        room = self._rows_max if ordered else 0
        self._held = np.empty(room, table.dtype)
        self._streams = np.empty(room * table.companions, STREAM)
        self._numbers = np.empty(room * len(self._fields), np.int32)
        self._slots = np.arange(room)
        self._state = np.zeros(len(Held), np.int64)
        self._released_ts = np.iinfo(np.int64).min
        self.rows_late = 0
        self._known_codes = np.zeros(_KNOWN_CODES, np.uint32)
        self._known = np.zeros(_KNOWN_CODES, np.int64)
        self._offsets, self._texts = np.zeros(1024, np.int64), np.zeros(65_536, np.uint8)
        self._spare_offsets, self._spare_texts = self._offsets[:0], self._texts[:0]
        self._forget()

    def add(
        self, rows: Rows, streams: Rows, pool: Pool, tls: Sequence[TlsConnection] = ()
    ) -> Iterator[Released]:
        """Take the rows of a batch, and the TLS connections that ended with its flows; yields what is due for release
        meanwhile.
        """
        if not len(rows):
            return
        if tls and self._table.records:
            self._table.records.note(rows, tls)
        rows, streams = np.ascontiguousarray(rows), np.ascontiguousarray(streams)
        numbers = self._keep(rows, pool)
        if not self.ordered:
            yield Released(self._table, np.arange(len(rows)), rows, streams, numbers, self._offsets, self._texts)
            self._forget()
            return
        start = 0
        while start < len(rows):
            start = held_kernels.hold_rows(
                rows.view(np.uint8), streams.view(np.uint8), numbers, start, len(rows), self._offsets, self._slots,
                self._held.view(np.uint8), self._streams.view(np.uint8), self._numbers, self._rows_max,
                self._text_bytes_max, self._state,
            )  # fmt: skip
            count, text_bytes = self._state[Held.ROWS], self._state[Held.TEXT_BYTES]
            if count == self._rows_max or text_bytes >= self._text_bytes_max:
                order = self._order()
                half = max(len(order) // 2, 1)
                yield self._release(order[:half])
                self._retain(order, half, numbers, np.arange(start, len(rows)))

    def drain(self) -> Released:
        """Everything that is left, in order."""
        released = self._release(self._order())
        self._forget()
        return released

    def _keep(self, rows: Rows, pool: Pool) -> Numbers:
        """Copy the texts of the batch here; their numbers, one for each pooled column of each row."""
        numbers = np.empty(len(rows) * len(self._fields), np.int32)
        if not len(numbers):
            return numbers
        fresh = np.empty(len(numbers), np.uint32)
        self._known_codes[:] = 0  # a code may mean another string by now
        count = held_kernels.known_texts(
            rows.view(np.uint32), rows.itemsize // 4, len(rows), self._fields, self._known_codes, self._known, numbers,
            fresh, self._state[Held.TEXTS],
        )  # fmt: skip
        if count:
            self._append(*pool.gather(fresh[:count]))
        return numbers

    def _append(self, offsets: Ints, data: Octets) -> None:
        count, first = len(offsets) - 1, int(self._state[Held.TEXTS])
        end = int(self._offsets[first])
        self._offsets = _grown(self._offsets, first + count + 1)
        self._texts = _grown(self._texts, end + _ESCAPED_MAX * int(offsets[-1]) + SPARE_BYTES)
        held_kernels.append_texts(offsets, data, count, self._offsets, self._texts, first, end, self._escape)
        self._state[Held.TEXTS] += count

    def _order(self) -> Ints:
        """The slots of all rows, in the order of the rows."""
        taken = self._slots[: self._state[Held.ROWS]]
        return taken[in_order(tuple(key[taken] for key in self._table.keys(self._held)))]

    def _release(self, order: Ints) -> Released:
        """What leaves now; counts the late rows among it."""
        if len(order):
            ts = self._table.keys(self._held)[0][order]
            self.rows_late += int(np.count_nonzero(ts < self._released_ts))
            self._released_ts = max(self._released_ts, int(ts[-1]))
        return Released(self._table, order, self._held, self._streams, self._numbers, self._offsets, self._texts)

    def _retain(self, order: Ints, gone: int, later: Numbers, later_rows: Ints) -> None:
        """Free the first `gone` slots of `order`, and all texts but those of the others and of `later`, the batch's
        rest (renumbered).
        """
        kept = order[gone:].copy()
        self._slots[: len(order)] = np.concatenate([kept, order[:gone]])
        self._state[Held.ROWS] = len(kept)
        if not len(self._fields):
            return
        offsets, data, fields = self._offsets, self._texts, len(self._fields)
        self._offsets, self._texts = _grown(self._spare_offsets, len(offsets)), _grown(self._spare_texts, len(data))
        moved, count = np.zeros(self._state[Held.TEXTS], np.int64), 1
        self._offsets[:2] = 0
        for numbers, rows in ((self._numbers, kept), (later, later_rows)):
            count = held_kernels.keep_texts(
                numbers, fields, rows, offsets, data, moved, self._offsets, self._texts, count
            )
        self._spare_offsets, self._spare_texts = offsets, data
        self._state[Held.TEXTS] = count
        self._state[Held.TEXT_BYTES] = held_kernels.text_bytes(self._numbers, fields, kept, self._offsets)

    def _forget(self) -> None:
        """No rows, and no texts but number 0, the absent one."""
        self._state[Held.ROWS] = self._state[Held.TEXT_BYTES] = 0
        self._state[Held.TEXTS] = 1
        self._offsets[:2] = 0


def in_order(keys: tuple[npt.NDArray[Any], ...]) -> Ints:
    """Row numbers in order of the keys, the first one foremost. Only rows of equal time are compared by the others."""
    order = np.argsort(keys[0], kind="stable")
    ts = keys[0][order]
    same = ts[1:] == ts[:-1]
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        among = order[tied]
        order[tied] = among[np.lexsort([key[among] for key in reversed(keys)])]
    return order


def _grown(array: npt.NDArray[Any], size: int) -> Any:
    """The array, or a copy of at least double its length when it has less than `size` items."""
    if size <= len(array):
        return array
    larger = np.empty(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger
