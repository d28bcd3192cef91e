"""DataFrames to one Parquet file, piece by piece: in: slices of cells; out: row groups of exactly ROW_GROUP_ROWS rows.

polars writes Parquet from a source that it pulls from, so the file is written by a thread of its own that is fed
through a queue of one. The one law: at most two row groups are in memory, and an error of that thread is raised in
the one that writes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import polars as pl
from polars.io.plugins import register_io_source

from sensor.errors import OutputError
from sensor.export.cells import Cells
from sensor.export.files import open_private
from sensor.export.frames import empty_frame, frame
from sensor.export.held import Released
from sensor.export.tables import Table

ROW_GROUP_ROWS = 32_768
"""About 10 MB of transactions: small enough to hold two, large enough to compress well."""


class ParquetFile:
    """Writes DataFrames of one schema to `path` in row groups."""

    def __init__(self, path: str, schema: pl.Schema) -> None:
        open_private(path).close()
        self._path, self._schema = path, schema
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0
        self._groups: queue.Queue[pl.DataFrame | None] = queue.Queue(1)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="parquet", daemon=True)
        self._thread.start()

    def write(self, rows: pl.DataFrame) -> None:
        """Append rows; OutputError when an earlier row group could not be written."""
        self._waiting.append(rows)
        self._rows += len(rows)
        while self._rows >= ROW_GROUP_ROWS:
            waiting = pl.concat(self._waiting)
            self._pass_on(waiting[:ROW_GROUP_ROWS])
            self._waiting = [waiting[ROW_GROUP_ROWS:]]
            self._rows -= ROW_GROUP_ROWS

    def close(self) -> None:
        """Write what is left and the file's footer."""
        if self._rows:
            self._pass_on(pl.concat(self._waiting))
        self._groups.put(None)
        self._thread.join()
        self._check()

    def _pass_on(self, group: pl.DataFrame) -> None:
        self._check()
        self._groups.put(group.rechunk())

    def _check(self) -> None:
        if self._error is not None:
            raise OutputError(f"{self._path}: {self._error}") from self._error

    def _run(self) -> None:
        ended = False

        def groups(*_: object) -> Iterator[pl.DataFrame]:
            nonlocal ended
            while (group := self._groups.get()) is not None:
                yield group
            ended = True

        try:
            register_io_source(groups, schema=self._schema).sink_parquet(
                self._path, row_group_size=ROW_GROUP_ROWS, maintain_order=True
            )
        except BaseException as error:
            self._error = error
            while not ended and self._groups.get() is not None:
                pass  # so that the writing side never waits for a dead thread


class ParquetSink:
    """Writes slices of cells."""

    def __init__(self, path: str, table: Table) -> None:
        self._file = ParquetFile(path, empty_frame(table.columns).schema)

    def put(self, cells: Cells, released: Released) -> None:
        self._file.write(frame(cells, released.offsets, released.texts))

    def flush(self) -> None:
        """Nothing: a Parquet file can be read when it is closed, not before."""

    def close(self) -> None:
        self._file.close()
