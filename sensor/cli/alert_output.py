"""Where a run's alerts go besides files: in: settings, alerts, batches; out: the journal, and the alert stream.

The one law: an alert is in the journal, where there is one, before anyone gets it.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.limits import ALERT_BYTES_MAX

if TYPE_CHECKING:
    import polars as pl

    from sensor.alert import Alert, Detection
    from sensor.alert_log import AlertLog
    from sensor.alerting.journal import Journal
    from sensor.batch import Batch
    from sensor.bus.stream import AlertStream
    from sensor.config import BusSettings, Settings
    from sensor.export.held import HeldRows, Pool, Released
    from sensor.pipeline import Pipeline

_OBSERVE_SECONDS = 0.5
_TOPICS = {"transactions": "tx.arrow", "flows": "flow.arrow"}


def open_journal(settings: Settings, *, service: bool = False) -> Journal | None:
    """The journal that the settings name, or the one in the state folder; a service has one in systemd's as well."""
    systemd = os.environ.get("STATE_DIRECTORY", "") if service else ""
    state = settings.state.folder or systemd
    folder = settings.journal.folder or (str(Path(state) / "journal") if state else "")
    if not folder:
        return None
    from sensor.alerting.journal import Journal

    return Journal(folder, settings.journal)


class AlertOutput:
    """Takes alerts to the journal and the stream. `live`: traffic does not wait, so a disk that does not keep up makes
    alerts give way.
    """

    def __init__(
        self, settings: Settings, journal: Journal | None, *, live: bool, wait_subscribers: int,
        report: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._journal, self._live, self._report = journal, live, report
        self._stream: AlertStream | None = None
        self._tables: dict[str, HeldRows] = {}
        self._observe_at = 0.0
        self._failing = ""
        if settings.bus.publish:
            self._stream = _stream(settings, journal, report)
            if settings.bus.publish_tables:
                self._tables = _held_rows()
            try:
                self._stream.wait_for_subscribers(wait_subscribers)
            except BaseException:
                self._stream.close()
                raise

    def take_over(self, settings: BusSettings) -> None:
        """What of the settings can change while it listens."""
        if self._stream:
            self._stream.take_over(settings)
            if settings.publish_tables != bool(self._tables):
                self._tables = _held_rows() if settings.publish_tables else {}

    @property
    def epoch(self) -> int:
        """Of this run: its alerts must carry it."""
        if self._stream:
            return self._stream.epoch
        assert self._journal is not None
        return self._journal.epoch

    def send(self, alerts: Sequence[Alert]) -> None:
        """Alerts in the order of their numbers."""
        if self._stream:
            self._stream.put(alerts, wait=not self._live)
        elif self._journal:
            from sensor.bus.topics import record_of

            if alerts:
                self._journal.append(map(record_of, alerts))
            self._journal.tend()
            self._failing = self._journal.failing

    def send_tables(self, batch: Batch, pool: Pool) -> None:
        """Transactions and flows of a batch, to those who subscribed to them."""
        for name, held in self._tables.items():
            from sensor.export.writers import NO_STREAMS

            rows, streams = (batch.transactions, NO_STREAMS) if name == "transactions" else (batch.flows, batch.streams)
            if self._stream and len(rows) and self._stream.wants(_TOPICS[name]):
                for body in _messages(held.add(rows, streams, pool, () if name == "transactions" else batch.tls)):
                    self._stream.put_table(_TOPICS[name], body)

    def observe(self, pipeline: Pipeline, now: int) -> list[Detection]:
        """Let heartbeats tell how capture does; what is to be said about the journal itself comes back."""
        if self._stream and time.monotonic() >= self._observe_at:
            self._observe_at = time.monotonic() + _OBSERVE_SECONDS
            counters = pipeline.counters()
            self._stream.observe({**counters["capture"], **counters.get("live", {}), "now": now}, counters)
            self._stream.tell_rules(pipeline.rules)
        failing = self._stream.failing if self._stream else self._failing
        if not failing:
            return []
        from sensor.alerting.journal_alert import journal_failing

        return [journal_failing(now, failing)]

    def stream(self) -> dict[str, int]:
        """How many subscribe, and how far the slowest of them is behind; nothing without a stream."""
        return {"subscribers": self._stream.subscribers, "lag_alerts": self._stream.lag_max} if self._stream else {}

    def counters(self) -> dict[str, dict[str, int]]:
        if self._stream:
            return self._stream.all_counters()
        return {"log": self._journal.counters.as_dict()} if self._journal else {}

    def close(self) -> None:
        """Raises BusError when subscribers had not taken all in time."""
        if self._stream:
            self._stream.close()
        elif self._journal:
            self._journal.close()


def _stream(settings: Settings, journal: Journal | None, report: Callable[[str], None]) -> AlertStream:
    import socket

    from sensor.bus.memory_log import MemoryLog
    from sensor.bus.stream import AlertStream

    log: AlertLog = journal or MemoryLog()
    try:
        return AlertStream(settings.bus, log, settings.alerting.sensor or socket.gethostname(), report)
    except BaseException:
        log.close()
        raise


def _held_rows() -> dict[str, HeldRows]:
    from sensor.export.held import HeldRows
    from sensor.export.writers import table_of

    return {name: HeldRows(table_of(name), escape=False, ordered=False) for name in _TOPICS}


def _messages(runs: Iterable[Released]) -> Iterator[bytes]:
    """Arrow IPC streams, each under limits.ALERT_BYTES_MAX."""
    from sensor.export.frames import frame

    for released in runs:
        for cells in released.slices():
            yield from _packed(frame(cells, released.offsets, released.texts))


def _packed(table: pl.DataFrame) -> Iterator[bytes]:
    body = io.BytesIO()
    table.write_ipc_stream(body)
    if body.tell() < ALERT_BYTES_MAX:
        yield body.getvalue()
    elif len(table) > 1:
        half = len(table) // 2
        yield from _packed(table[:half])
        yield from _packed(table[half:])
