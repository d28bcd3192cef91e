"""Everything a run writes to: in: batches; out: files, standard output and the alert stream.

The one law: all outputs are checked and opened before anything is read, and every one of them is closed even when
another fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sensor.errors import SettingError, TapirError

if TYPE_CHECKING:
    from sensor.alert import Alert
    from sensor.bus.publisher import Publisher
    from sensor.cli.reading import Options
    from sensor.export.alerts import AlertWriter
    from sensor.export.held import Pool
    from sensor.export.writers import Writer
    from sensor.pipeline import Batch


def check_outputs(options: Options) -> None:
    """SettingError or OutputError when the outputs cannot go together or have an unknown ending."""
    from sensor.export.files import format_of

    paths = [path for path in (options.transactions, options.flows, options.alerts) if path]
    for path in paths:
        format_of(path)
    repeated = next((path for path in paths if paths.count(path) > 1), None)
    if repeated:
        name = "standard output (-)" if repeated == "-" else repeated
        raise SettingError(f"{name} is named more than once: --transactions, --flows and --alerts need different files")
    if options.wait_subscribers and not options.publish:
        raise SettingError("--wait-subscribers needs --publish ADDRESS")


class Outputs:
    """The writers and the publisher that the options ask for."""

    def __init__(self, options: Options, ordered: bool) -> None:
        self.transactions: Writer | None = None
        self.flows: Writer | None = None
        self.alerts: AlertWriter | None = None
        self.publisher: Publisher | None = None
        try:
            self._open(options, ordered)
        except BaseException:
            self.close()
            raise

    def _open(self, options: Options, ordered: bool) -> None:
        if options.transactions or options.flows:
            from sensor.export.writers import open_writer

            if options.transactions:
                self.transactions = open_writer(options.transactions, "transactions", ordered=ordered)
            if options.flows:
                self.flows = open_writer(options.flows, "flows", ordered=ordered)
        if options.alerts:
            from sensor.export.alerts import open_alert_writer

            self.alerts = open_alert_writer(options.alerts)
        if options.publish:
            from sensor.bus.publisher import Publisher

            self.publisher = Publisher(options.publish, wait_subscribers=options.wait_subscribers)

    def write(self, batch: Batch, pool: Pool) -> None:
        """Write what one batch brought."""
        if self.transactions:
            from sensor.export.writers import NO_STREAMS

            self.transactions.write(batch.transactions, NO_STREAMS, pool)
        if self.flows:
            self.flows.write(batch.flows, batch.streams, pool)
        self._send(batch.alerts)

    def _send(self, alerts: Sequence[Alert]) -> None:
        if self.alerts:
            self.alerts.write(alerts)
        if self.publisher:
            for alert in alerts:
                self.publisher.publish(alert)

    def counters(self) -> dict[str, dict[str, int]]:
        """What the outputs counted."""
        found: dict[str, dict[str, int]] = {}
        for name, writer in (("transactions", self.transactions), ("flows", self.flows)):
            if writer:
                found[f"{name}_output"] = {"rows": writer.rows, "rows_late": writer.rows_late}
        if self.publisher:
            found["bus"] = self.publisher.counters.as_dict()
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
        return [output.close for output in (self.transactions, self.flows, self.alerts, self.publisher) if output]
