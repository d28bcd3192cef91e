"""One run of `tapir run`: in: the options; out: outputs and alerts until it is stopped, an exit code.

The one law: it says that it is ready only when every kernel is compiled, every socket is open and packets are captured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensor.cli.compiling import told_when_compiling
from sensor.cli.exit_codes import ExitCode
from sensor.cli.outputs import Outputs, check_outputs
from sensor.cli.reading import Options, effective_settings, failed, say, show, stopped_by_signals
from sensor.errors import SettingError, TapirError
from sensor.service import Notifier

if TYPE_CHECKING:
    from sensor.alert import Alert
    from sensor.cli.summary import Summary
    from sensor.config import Settings
    from sensor.pipeline import Batch, Pipeline

_STATUS_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """What the command line says; `inputs` are captures to replay instead of capturing."""

    interfaces: tuple[str, ...] = ()
    filter: str = ""
    pace: float | None = None


def run(options: RunOptions) -> ExitCode:
    """Capture until SIGINT or SIGTERM; every error is said on standard error, in one line."""
    notifier = Notifier()
    try:
        settings = _settings(options)
        check_outputs(options)
        with told_when_compiling(options.quiet):
            from sensor.pipeline import Pipeline
        outputs = Outputs(options, ordered=False)
        try:
            pipeline = Pipeline(settings, list(options.inputs), loop=bool(options.inputs))
        except BaseException:
            outputs.close()
            raise
    except TapirError as error:
        return failed(options, error)
    except KeyboardInterrupt:
        return ExitCode.OK
    source = ", ".join(options.inputs or settings.capture.interfaces)
    for note in pipeline.notes:
        say(options, note)
    if not options.quiet:
        say(options, f"captures from {source}; ends with Ctrl-C or SIGTERM")
    return _capture(options, pipeline, outputs, notifier, source)


def _settings(options: RunOptions) -> Settings:
    from msgspec.structs import replace

    settings = effective_settings(options)
    capture = settings.capture
    interfaces = () if options.inputs else options.interfaces or capture.interfaces
    if not interfaces and not options.inputs:
        raise SettingError("nothing to capture from: name an interface (tapir run eth1), or set capture.interfaces")
    pace = capture.replay_pace if options.pace is None else options.pace
    capture = replace(capture, interfaces=interfaces, filter=options.filter or capture.filter, replay_pace=pace)
    return replace(settings, capture=capture)


def _capture(
    options: RunOptions, pipeline: Pipeline, outputs: Outputs, notifier: Notifier, source: str
) -> ExitCode:
    from sensor.cli.summary import Summary

    summary = None if options.quiet else Summary()
    code = ExitCode.OK
    with stopped_by_signals(pipeline, options):
        try:
            _copy(options, pipeline, outputs, summary, notifier, source)
        except TapirError as error:
            code = failed(options, error)
        except KeyboardInterrupt:
            pass  # the second signal: what is held back is still written
        notifier.stopping()
        for failure in outputs.close():
            code = code or failed(options, failure)
    for fault in pipeline.faults:
        code = code or failed(options, fault)
    if summary:
        show(options, summary, {**pipeline.counters(), **outputs.counters()}, pipeline.unknown_links)
    notifier.close()
    return code


def _copy(
    options: RunOptions, pipeline: Pipeline, outputs: Outputs, summary: Summary | None, notifier: Notifier, source: str
) -> None:
    show_alert = _alert_view(options)
    due = 0.0
    for batch in pipeline:
        if not due:
            notifier.ready(f"captures from {source}")
        outputs.write(batch, pipeline.pool)
        if summary:
            summary.add(batch, pipeline.pool)
        for alert in batch.alerts:
            show_alert(alert)
        notifier.beat()
        now = time.monotonic()
        if now >= due:
            due = now + _STATUS_SECONDS
            notifier.status(_status(pipeline, batch))


def _status(pipeline: Pipeline, batch: Batch) -> str:
    counters = pipeline.counters()
    frames, alerts = counters["capture"]["frames"], sum(counters["alerting"].values())
    lost = counters.get("live", {}).get("dropped", 0)
    return f"{frames} packets, {lost} dropped by the system, {alerts} alert revisions, packet time {batch.now // 10**9}"


def _alert_view(options: RunOptions) -> Callable[[Alert], None]:
    """On a terminal whose alerts go nowhere else they are shown as they come."""
    if options.quiet or options.json or options.alerts or not sys.stdout.isatty():
        return lambda alert: None
    from sensor.collector.views.table import AlertTable

    return AlertTable().show_alert
