"""Tables to files: in: batches of rows; out: `.jsonl`, `.parquet`, or JSON lines on standard output (`-`).

    writer = open_writer("out.jsonl", "transactions", ordered=True)
    writer.write(batch.transactions, streams, pool)
    writer.close()

The one law: the file's bytes depend on the rows and nothing else. Files hold personal data and are created with mode
0600.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from sensor import schema
from sensor.export.cells import Cells
from sensor.export.files import Output, format_of
from sensor.export.held import HeldRows, Pool, Released
from sensor.export.json_lines import CELL_BYTES, KEY_BYTES, SPARE_BYTES, json_lines
from sensor.export.tables import Flows, Rows, Table, Transactions
from sensor.tls import TlsConnection

_OUT_BYTES = 1 << 18
"""Bytes written at a time: few enough to stay in the second-level cache."""
NO_STREAMS = np.empty(0, schema.STREAM)
"""What transactions have for streams."""


class Sink(Protocol):
    """Takes slices of cells."""

    def put(self, cells: Cells, released: Released) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class JsonSink:
    """Writes slices as JSON lines."""

    def __init__(self, output: Output, table: Table) -> None:
        self._output = output
        keys = [f'{{"{table.columns[0].name}":', *(f',"{column.name}":' for column in table.columns[1:])]
        self._key_lengths = np.array([len(key) for key in keys])
        packed = b"".join(key.encode("ascii").ljust(KEY_BYTES) for key in keys)
        self._keys = np.frombuffer(packed, np.uint8).copy()
        self._line_bytes = len(keys) * (KEY_BYTES + CELL_BYTES) + table.names_bytes + SPARE_BYTES
        self._out = np.zeros(_OUT_BYTES, np.uint8)

    def put(self, cells: Cells, released: Released) -> None:
        progress = np.zeros(2, np.int64)
        while progress[0] < cells.n:
            before = int(progress[0])
            progress[1] = 0
            json_lines(
                cells.matrix.reshape(-1), cells.n, cells.kinds, cells.digits, self._key_lengths, self._keys,
                self._line_bytes, cells.offsets, cells.data, released.offsets, released.texts, self._out, progress,
            )  # fmt: skip
            self._output.write(self._out[: progress[1]].data)
            if progress[0] == before:
                self._out = np.zeros(2 * len(self._out), np.uint8)

    def flush(self) -> None:
        self._output.flush()

    def close(self) -> None:
        self._output.close()


class Writer:
    """Rows of one table into one sink. `rows` counts those written, `rows_late` those that came out of order."""

    def __init__(self, sink: Sink, held: HeldRows) -> None:
        self._sink, self._held = sink, held
        self.rows = 0

    @property
    def rows_late(self) -> int:
        return self._held.rows_late

    def write(self, rows: Rows, streams: Rows, pool: Pool, tls: Sequence[TlsConnection] = ()) -> None:
        """Take the rows of a batch; `streams` are their STREAM rows, two a flow, and `tls` what some of them spoke;
        both empty for transactions.
        """
        for released in self._held.add(rows, streams, pool, tls):
            self._put(released)
        if not self._held.ordered:
            self._sink.flush()

    def close(self) -> None:
        """Write what was held back and close the output."""
        self._put(self._held.drain())
        self._sink.close()

    def _put(self, released: Released) -> None:
        for cells in released.slices():
            self._sink.put(cells, released)
        self.rows += len(released.order)


def table_of(name: str) -> Table:
    """`transactions` or `flows`."""
    return Transactions() if name == "transactions" else Flows()


def open_writer(path: str, name: str, *, ordered: bool, append: bool = False) -> Writer:
    """A writer of `transactions` or `flows` to `path`; OutputError when it cannot be written or its ending is unknown.

    `ordered`: rows are sorted by (ts, flow, depth), for captures in files; otherwise each batch is written out at once.
    `append`: JSON lines that are there stay.
    """
    table = table_of(name)
    if format_of(path) == "parquet":
        from sensor.export.parquet import ParquetSink

        return Writer(ParquetSink(path, table), HeldRows(table, escape=False, ordered=ordered))
    return Writer(JsonSink(Output(path, append), table), HeldRows(table, escape=True, ordered=ordered))
