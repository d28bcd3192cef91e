"""Everything a run writes to: in: batches; out: files, standard output and the alert stream.

The one law: all outputs are checked and opened before anything is read, and every one of them is closed even when
another fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sensor.errors import SettingError, TapirError

if TYPE_CHECKING:
    from sensor.alert import Detection
    from sensor.alerting.journal import Journal
    from sensor.batch import Batch
    from sensor.cli.alert_output import AlertOutput
    from sensor.cli.reading import Options
    from sensor.config import OutputSettings, Settings
    from sensor.export.alerts import AlertWriter
    from sensor.export.connections import ConnectionWriter, Row
    from sensor.export.held import Pool
    from sensor.export.lookups import LookupWriter
    from sensor.export.rotating import Closing, Rotating
    from sensor.export.writers import Writer
    from sensor.pipeline import Pipeline

W = TypeVar("W", bound="Closing")


def check_outputs(options: Options) -> None:
    """SettingError or OutputError when the outputs cannot go together or have an unknown ending."""
    from sensor.export.files import format_of

    paths = [path for path in options.outputs if path]
    for path in paths:
        format_of(path)
    repeated = next((path for path in paths if paths.count(path) > 1), None)
    if repeated:
        name = "standard output (-)" if repeated == "-" else repeated
        options_named = "--transactions, --flows, --tls, --websockets, --dns and --alerts"
        raise SettingError(f"{name} is named more than once: {options_named} need different files")


class Outputs:
    """The writers, the journal and the alert stream that the options and settings ask for.

    `report` gets a line about what the operator should know. `live`: traffic does not wait. `epoch`: the run's,
    where the journal or the stream says it.
    """

    def __init__(
        self, options: Options, settings: Settings, report: Callable[[str], None], ordered: bool, live: bool = False
    ) -> None:
        self._report = report
        self.transactions: Rotating[Writer] | None = None
        self.flows: Rotating[Writer] | None = None
        self.tls: Rotating[ConnectionWriter] | None = None
        self.websockets: Rotating[ConnectionWriter] | None = None
        self.dns: Rotating[LookupWriter] | None = None
        self.alerts: Rotating[AlertWriter] | None = None
        self.stream: AlertOutput | None = None
        self.epoch: int | None = None
        self._problems: list[str] = []
        try:
            self._open(options, settings.outputs, ordered, live)
            self._open_stream(options, settings, live)
        except BaseException:
            self.close()
            raise

    def _open(self, options: Options, settings: OutputSettings, ordered: bool, live: bool) -> None:
        if not any(options.outputs):
            return
        from sensor.export.alerts import open_alert_writer
        from sensor.export.connections import open_connection_writer
        from sensor.export.lookups import open_lookup_writer
        from sensor.export.rotating import Rotating
        from sensor.export.writers import open_writer
        from sensor.tls import TlsConnection
        from sensor.websocket import WebSocketConnection

        def of_table(name: str) -> Callable[[str, bool], Writer]:
            return lambda path, append: open_writer(path, name, ordered=ordered, append=append)

        def of_connections(kind: type[Row]) -> Callable[[str, bool], ConnectionWriter]:
            return lambda path, append: open_connection_writer(path, kind, append)

        if options.transactions:
            self.transactions = Rotating(options.transactions, of_table("transactions"), settings, live)
        if options.flows:
            self.flows = Rotating(options.flows, of_table("flows"), settings, live)
        if options.tls:
            self.tls = Rotating(options.tls, of_connections(TlsConnection), settings, live)
        if options.websockets:
            self.websockets = Rotating(options.websockets, of_connections(WebSocketConnection), settings, live)
        if options.dns:
            self.dns = Rotating(options.dns, open_lookup_writer, settings, live)
        if options.alerts:
            self.alerts = Rotating(options.alerts, open_alert_writer, settings, live)

    def reopen(self) -> None:
        """Begin new files where others have renamed or removed them."""
        for output in self._files():
            output.reopen()

    def take_over(self, settings: Settings) -> None:
        """From the next rows on: when files are rotated, how many are kept, and what the stream can change."""
        for output in self._files():
            output.settings = settings.outputs
        if self.stream:
            self.stream.take_over(settings.bus)

    def _files(self) -> list[Rotating[Any]]:
        outputs = (self.transactions, self.flows, self.tls, self.websockets, self.dns, self.alerts)
        return [output for output in outputs if output]

    def _open_stream(self, options: Options, settings: Settings, live: bool) -> None:
        from sensor.cli.alert_output import AlertOutput, open_journal

        if options.wait_subscribers and not settings.bus.publish:
            raise SettingError("--wait-subscribers needs --publish ADDRESS")
        journal = open_journal(settings, service=live)
        if journal is not None:
            self._say_repairs(journal)
        if journal is not None or settings.bus.publish:
            self.stream = AlertOutput(
                settings, journal, live=live, wait_subscribers=options.wait_subscribers,
                report=self._report,
            )  # fmt: skip
            self.epoch = self.stream.epoch

    def _say_repairs(self, journal: Journal) -> None:
        counts = journal.counters.as_dict()
        if counts["torn_bytes"]:
            self._report(f"{journal.directory}: removed {counts['torn_bytes']} bytes of a record that was cut")
        if counts["damaged"]:
            self._report(f"{journal.directory}: {counts['damaged']} records are damaged: tapir journal verify")

    def write(self, batch: Batch, pool: Pool) -> None:
        """Write what one batch brought."""
        now = batch.now
        if self.transactions and len(batch.transactions):
            from sensor.export.writers import NO_STREAMS

            rows = batch.transactions
            self._put(self.transactions, now, len(rows), lambda to: to.write(rows, NO_STREAMS, pool))
        if self.flows and len(batch.flows):
            flows = batch.flows
            self._put(self.flows, now, len(flows), lambda to: to.write(flows, batch.streams, pool, batch.tls))
        if self.tls and batch.tls:
            self._put(self.tls, now, len(batch.tls), lambda to: to.write(batch.tls))
        if self.websockets and batch.websockets:
            self._put(self.websockets, now, len(batch.websockets), lambda to: to.write(batch.websockets))
        if self.dns and len(batch.dns.rows):
            self._put(self.dns, now, len(batch.dns.rows), lambda to: to.write(batch.dns))
        if self.stream:
            self.stream.send_tables(batch, pool)
        if self.alerts and batch.alerts:
            self._put(self.alerts, now, len(batch.alerts), lambda to: to.write(batch.alerts))
        if self.stream:
            self.stream.send(batch.alerts)

    def _put(self, output: Rotating[W], now: int, rows: int, write: Callable[[W], object]) -> None:
        if problem := output.put(now, rows, write):
            self._problems.append(problem)
            self._report(f"{problem}; rows are left out, and counted, until it can be written again")

    def observe(self, pipeline: Pipeline, now: int) -> list[Detection]:
        """Let subscribers know how the sensor does; what is wrong with the outputs themselves comes back."""
        from sensor.alerting.own_health import OUTPUTS_FAILING, failing

        problems, self._problems = self._problems, []
        told = [failing(OUTPUTS_FAILING, now, "outputs", problem) for problem in problems]
        return [*told, *(self.stream.observe(pipeline, now) if self.stream else [])]

    def subscribers(self) -> dict[str, int]:
        """How many subscribe to the stream, and how far the slowest of them is behind."""
        return self.stream.stream() if self.stream else {}

    def counters(self) -> dict[str, dict[str, int]]:
        """What the outputs counted."""
        found: dict[str, dict[str, int]] = {}
        for name, writer in (("transactions", self.transactions), ("flows", self.flows)):
            if writer:
                figures = {"rows": writer.rows, "rows_late": writer.rows_late, "rows_lost": writer.rows_lost}
                found[f"{name}_output"] = figures
        if self.stream:
            found.update(self.stream.counters())
        return found

    def close(self) -> list[TapirError]:
        """Close all; returns what went wrong."""
        failures: list[TapirError] = []
        for close in self._closers():
            try:
                close()
            except TapirError as error:
                failures.append(error)
        return failures

    def _closers(self) -> list[Callable[[], object]]:
        return [output.close for output in (*self._files(), self.stream) if output]
