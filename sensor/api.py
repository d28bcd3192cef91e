"""Tapir from Python: in: captures; out: transactions, flows and alerts as polars DataFrames (Arrow-compatible).

    import sensor
    capture = sensor.read("office.pcap")
    capture.transactions.filter(pl.col("status_code") == 401).group_by("client_ip").len()

The one law: the tables hold what `tapir read` writes to Parquet, rows in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING

import polars as pl
from msgspec.structs import replace

from sensor.alert import Alert
from sensor.config import Settings
from sensor.dns import NO_LOOKUPS
from sensor.errors import InputError
from sensor.tls import TlsConnection
from sensor.websocket import WebSocketConnection

if TYPE_CHECKING:
    from sensor.export.held import Pool
    from sensor.export.tables import Rows

Source = str | PathLike[str]


@dataclass(frozen=True)
class Capture:
    """What was read. The tables can be given to anything that takes Arrow streams (pyarrow, DuckDB, pandas)."""

    transactions: pl.DataFrame  # columns: `tapir schema transactions`
    flows: pl.DataFrame         # columns: `tapir schema flows`
    tls: pl.DataFrame           # TLS connections, columns: `tapir schema tls`
    websockets: pl.DataFrame    # WebSockets, columns: `tapir schema websockets`
    dns: pl.DataFrame           # DNS lookups, columns: `tapir schema dns`
    alerts: pl.DataFrame        # the last revision of each alert
    faults: list[InputError]    # inputs that could not be read to their end
    counters: dict[str, dict[str, int]]  # what each stage counted

    def __repr__(self) -> str:
        sizes = f"{len(self.transactions)} transactions, {len(self.flows)} flows, {len(self.alerts)} alerts"
        return f"Capture({sizes}{f', {len(self.faults)} faults' if self.faults else ''})"


def read(
    source: Source | Sequence[Source], settings: Settings | None = None, state: str | PathLike[str] | None = None
) -> Capture:
    """Read capture files or folders of them, merged in order of time; the tables are held in memory.

    An input that cannot be read, or not to its end, is told in `faults`, with what was read before it kept; when
    nothing at all could be read, its InputError is raised. Raises SettingError for a setting that cannot be used.
    `state` names a folder in which what is learned is kept from one call to the next; StateError when that cannot be.
    """
    from sensor.structures.heap import map_large_tables, trim_heap

    map_large_tables()
    settings = settings or Settings()
    if state is not None:
        settings = replace(settings, state=replace(settings.state, folder=fspath(state)))
    sources = [source] if isinstance(source, str | PathLike) else source
    try:
        return _read(settings, [fspath(each) for each in sources])
    finally:
        trim_heap()


def _read(settings: Settings, sources: Sequence[str]) -> Capture:
    from sensor.export.lookups import lookup_frame
    from sensor.pipeline import Pipeline

    pipeline = Pipeline(settings, sources)
    transactions, flows = _Collected("transactions"), _Collected("flows")
    tls: list[TlsConnection] = []
    websockets: list[WebSocketConnection] = []
    lookups: list[pl.DataFrame] = []
    alerts: dict[str, Alert] = {}
    for batch in pipeline:
        transactions.add(batch.transactions, None, pipeline.pool)
        flows.add(batch.flows, batch.streams, pipeline.pool, batch.tls)
        tls += batch.tls
        websockets += batch.websockets
        if len(batch.dns.rows):
            lookups.append(lookup_frame(batch.dns))
        alerts.update((alert.alert_id, alert) for alert in batch.alerts)
    if pipeline.faults and not len(flows):
        raise pipeline.faults[0]
    from sensor.export.alerts import alert_frame
    from sensor.export.connections import connection_frame

    alert_rows = alert_frame(list(alerts.values()))
    connections = connection_frame(tls, TlsConnection), connection_frame(websockets, WebSocketConnection)
    dns = pl.concat(lookups or [lookup_frame(NO_LOOKUPS)])
    tables = transactions.frame(), flows.frame(), *connections, dns, alert_rows
    return Capture(*tables, pipeline.faults, pipeline.counters())


class _Collected:
    """All rows of one table, turned into DataFrames as they come and brought into order at the end."""

    def __init__(self, name: str) -> None:
        from sensor.export.held import HeldRows
        from sensor.export.writers import table_of

        self._table = table_of(name)
        self._held = HeldRows(self._table, escape=False, ordered=False)
        self._frames: list[pl.DataFrame] = []
        self._keys: list[tuple[Rows, ...]] = []

    def __len__(self) -> int:
        return sum(map(len, self._frames))

    def add(self, rows: Rows, streams: Rows | None, pool: Pool, tls: Sequence[TlsConnection] = ()) -> None:
        from sensor.export.frames import frame
        from sensor.export.writers import NO_STREAMS

        for released in self._held.add(rows, NO_STREAMS if streams is None else streams, pool, tls):
            for cells in released.slices():
                self._frames.append(frame(cells, released.offsets, released.texts))
            self._keys.append(tuple(key.copy() for key in self._table.keys(rows)))

    def frame(self) -> pl.DataFrame:
        """All rows in order of (ts, flow, depth)."""
        import numpy as np

        from sensor.export.frames import empty_frame
        from sensor.export.held import in_order

        if not self._frames:
            return empty_frame(self._table.columns)
        keys = tuple(np.concatenate(parts) for parts in zip(*self._keys, strict=True))
        return pl.concat(self._frames, rechunk=True)[in_order(keys)]
