"""Rows on their way out: in: the rows of each batch; out: runs of rows in order of (ts, flow, depth), cut at exact
row counts.

Rows are finished in the order in which their last packet came. Those of a file are held back until `rows_max` of them
(or `text_bytes_max` of their texts) wait, then sorted, and the older half is released. Both bounds are checked row by
row, so what is released together does not depend on how packets came in batches. A row older than one already
released is late: it leaves in the next run, and is counted. Codes of the string pool do not outlive their batch, so
the texts are kept here, each about once a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.export import texts
from sensor.export.cells import SLICE_ROWS, Cells, Ints, Octets
from sensor.export.json_lines import SPARE_BYTES
from sensor.export.tables import Rows, Table
from sensor.schema import STREAM

_KNOWN_CODES = 1 << 14
_ESCAPED_MAX = 2
_NO_STREAMS = np.empty(0, STREAM)
Words = npt.NDArray[np.uint64]


class Pool(Protocol):
    """The string pool, as far as it is needed here."""

    def gather(self, codes: npt.NDArray[np.uint32]) -> tuple[Ints, Octets]:
        """(offsets int64[n + 1], bytes) of the texts of n codes."""


class Released(NamedTuple):
    """Rows in order, with all they refer to. Good until the HeldRows they come from is called again."""

    table: Table
    order: Ints        # rows of the three below, in the order in which they leave
    words: Words       # (rows, words of a row)
    streams: Words     # (rows, words of its streams)
    numbers: Ints      # (rows, pooled columns): numbers of texts
    offsets: Ints      # of the kept texts
    texts: Octets

    def rows(self, start: int, stop: int) -> Rows:
        """The rows `start` to `stop` of the run, as records."""
        return self.words[self.order[start:stop]].view(self.table.dtype).reshape(-1)

    def streams_of(self, start: int, stop: int) -> Rows:
        """Their streams, two for each flow; none for transactions."""
        if not self.table.companions:
            return _NO_STREAMS
        return self.streams[self.order[start:stop]].reshape(-1).view(STREAM)

    def slices(self) -> Iterator[Cells]:
        """All rows as cells, SLICE_ROWS at a time; each slice is good until the next."""
        for start in range(0, len(self.order), SLICE_ROWS):
            part = start, start + SLICE_ROWS
            yield self.table.cells(self.rows(*part), self.streams_of(*part), self.numbers_of(*part))

    def numbers_of(self, start: int, stop: int) -> Ints:
        """The numbers of their texts, a row for each pooled column."""
        return self.numbers[self.order[start:stop]].T


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
        rows_max: int = limits.ROWS_HELD_MAX,
        text_bytes_max: int = limits.TEXT_BYTES_HELD_MAX,
    ) -> None:
        self.ordered = ordered
        self._table, self._escape = table, escape
        self._rows_max, self._text_bytes_max = rows_max, text_bytes_max
        self._fields = tuple(table.pooled.values())
        room = rows_max if ordered else 0
        self._words = np.empty((room, table.dtype.itemsize // 8), np.uint64)
        self._streams = np.empty((room, table.companions * STREAM.itemsize // 8), np.uint64)
        self._numbers = np.empty((room, len(self._fields)), np.int64)
        self._count = self._text_bytes = 0
        self._released_ts = np.iinfo(np.int64).min
        self.rows_late = 0
        self._known_codes = np.zeros(_KNOWN_CODES, np.uint32)
        self._known = np.zeros(_KNOWN_CODES, np.int64)
        self._offsets: Ints
        self._texts: Octets
        self._text_count: int
        self._forget()

    def add(self, rows: Rows, streams: Rows, pool: Pool) -> Iterator[Released]:
        """Take the rows of a batch; yields what is due for release meanwhile."""
        if not len(rows):
            return
        numbers = self._keep(rows, pool)
        words = np.ascontiguousarray(rows).view(np.uint64).reshape(len(rows), -1)
        pairs = np.ascontiguousarray(streams).view(np.uint64).reshape(len(rows), -1)
        if not self.ordered:
            yield Released(self._table, np.arange(len(rows)), words, pairs, numbers, self._offsets, self._texts)
            self._forget()
            return
        start = 0
        while start < len(rows):
            taken, full = self._cut(numbers[start:])
            here, there = slice(self._count, self._count + taken), slice(start, start + taken)
            self._words[here], self._streams[here], self._numbers[here] = words[there], pairs[there], numbers[there]
            self._count += taken
            start += taken
            if full:
                order = self._order()
                half = max(self._count // 2, 1)
                yield self._release(order[:half])
                self._retain(order[half:], numbers[start:])

    def drain(self) -> Released:
        """Everything that is left, in order."""
        released = self._release(self._order())
        self._count = 0
        self._forget()
        return released

    def _keep(self, rows: Rows, pool: Pool) -> Ints:
        """Copy the texts of the batch here; their numbers, a column per pooled column."""
        codes = np.empty((len(rows), len(self._fields)), np.uint32)
        for i, field in enumerate(self._fields):
            codes[:, i] = rows[field]
        numbers, fresh = np.empty(codes.shape, np.int64), np.empty(codes.size, np.uint32)
        self._known_codes[:] = 0  # a code may mean another string by now
        count = texts.known_texts(
            codes.reshape(-1), codes.size, self._known_codes, self._known, numbers.reshape(-1), fresh, self._text_count
        )
        if count:
            self._append(*pool.gather(fresh[:count]))
        return numbers

    def _append(self, offsets: Ints, data: Octets) -> None:
        count = len(offsets) - 1
        end = int(self._offsets[self._text_count])
        self._offsets = _grown(self._offsets, self._text_count + count + 1)
        self._texts = _grown(self._texts, end + _ESCAPED_MAX * int(offsets[-1]) + SPARE_BYTES)
        texts.append_texts(offsets, data, count, self._offsets, self._texts, self._text_count, end, self._escape)
        self._text_count += count

    def _cut(self, numbers: Ints) -> tuple[int, bool]:
        """How many rows can be taken until a bound is reached, and whether it is."""
        taken = min(len(numbers), self._rows_max - self._count)
        if self._fields:
            sums = self._text_bytes + np.cumsum(self._lengths(numbers[:taken]).sum(axis=1))
            taken = min(taken, int(np.searchsorted(sums, self._text_bytes_max)) + 1)
            self._text_bytes = int(sums[taken - 1])
        return taken, self._count + taken == self._rows_max or self._text_bytes >= self._text_bytes_max

    def _lengths(self, numbers: Ints) -> Ints:
        lengths: Ints = self._offsets[numbers + 1] - self._offsets[numbers]
        return lengths

    def _order(self) -> Ints:
        return in_order(self._table.keys(self._words[: self._count].view(self._table.dtype).reshape(-1)))

    def _release(self, order: Ints) -> Released:
        """What leaves now; counts the late rows among it."""
        if len(order):
            rows = self._words[: self._count].view(self._table.dtype).reshape(-1)
            ts = self._table.keys(rows)[0][order]
            self.rows_late += int(np.count_nonzero(ts < self._released_ts))
            self._released_ts = max(self._released_ts, int(ts[-1]))
        return Released(
            self._table, order, self._words, self._streams, self._numbers, self._offsets, self._texts
        )

    def _retain(self, kept: Ints, later: Ints) -> None:
        """Forget all rows but `kept`, and all texts but theirs and those of `later`, the batch's rest (renumbered)."""
        n = self._count = len(kept)
        for held in (self._words, self._streams, self._numbers):
            held[:n] = held[kept]
        if not self._fields:
            return
        numbers = np.concatenate([self._numbers[:n], later])
        offsets, data, count = self._offsets, self._texts, self._text_count
        self._offsets, self._texts = np.zeros(count + 1, np.int64), np.zeros(len(data), np.uint8)
        self._text_count = texts.keep_texts(
            numbers.reshape(-1), numbers.size, offsets, data, np.zeros(count, np.int64), self._offsets, self._texts
        )
        self._numbers[:n], later[:] = numbers[:n], numbers[n:]
        self._text_bytes = int(self._lengths(self._numbers[:n]).sum())

    def _forget(self) -> None:
        """Drop all texts but number 0, the absent one."""
        self._offsets, self._texts = np.zeros(1024, np.int64), np.zeros(65_536, np.uint8)
        self._text_count, self._text_bytes = 1, 0


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
    larger = np.zeros(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger
