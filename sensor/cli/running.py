"""One run of `tapir run`: in: the options; out: outputs and alerts until it is stopped, an exit code.

The one law: it says that it is ready only when every kernel is compiled, every socket is open and packets are captured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sensor import privileges
from sensor.alert import Kind, State
from sensor.cli.compiling import compile_patterns, told_when_compiling
from sensor.cli.exit_codes import ExitCode
from sensor.cli.outputs import Outputs, check_outputs
from sensor.cli.pulling import Pulled
from sensor.cli.reading import Options, effective_settings, failed, say, show, stopped_by_signals
from sensor.cli.reloading import Reload, asked_by_hangup
from sensor.cli.saying import Level
from sensor.cli.sensors import control_path
from sensor.cli.starting import made_to_stay
from sensor.control import ControlSocket
from sensor.errors import SettingError, TapirError
from sensor.service import Notifier
from sensor.vitals import Snapshot, Vitals

if TYPE_CHECKING:
    from sensor.alert import Alert
    from sensor.cli.summary import Summary
    from sensor.config import Settings
    from sensor.pipeline import Pipeline

_STATUS_SECONDS = 10.0


class Service(NamedTuple):
    """Whom to tell how it goes, from where packets come, who takes over changed settings and what is allowed."""

    notifier: Notifier
    source: str
    reload: Reload
    pulled: Pulled


@dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """What the command line says; `inputs` are captures to replay instead of capturing."""

    interfaces: tuple[str, ...] = ()
    filter: str = ""
    pace: float | None = None
    user: str | None = None


def run(options: RunOptions) -> ExitCode:
    """Capture until SIGINT or SIGTERM; every error is said on standard error, in one line."""
    notifier = Notifier()
    try:
        rights = [] if options.inputs else privileges.settle(options.user)
        settings = _settings(options)
        check_outputs(options)
        with made_to_stay():
            pipeline, outputs = _opened(options, settings, rights, notifier)
    except TapirError as error:
        return failed(options, error)
    except KeyboardInterrupt:
        return ExitCode.OK
    source = ",".join(options.inputs or settings.capture.interfaces)
    for note in pipeline.notes:
        say(options, note)
    vitals = Vitals(pipeline, source)
    with ExitStack() as offered:
        _offer(options, settings, vitals, source, offered)
        if not options.quiet:
            say(options, f"captures from {source}; ends with Ctrl-C or SIGTERM", Level.INFO)
        pulled = Pulled(settings, partial(say, options))
        pulled.begin(pipeline)
        offered.callback(pulled.end)
        reload = Reload(settings, partial(_settings, options), pipeline, outputs, notifier, partial(say, options))
        return _capture(options, pipeline, outputs, vitals, Service(notifier, source, reload, pulled))


def _opened(
    options: RunOptions, settings: Settings, rights: list[str], notifier: Notifier
) -> tuple[Pipeline, Outputs]:
    """Open the sockets, then let go of all rights. `rights`: what is to be said of those that it had."""
    with told_when_compiling(options.quiet, notifier.starting):
        from sensor.capture.opening import open_live
        from sensor.pipeline import Pipeline
    if settings.detection.injection.enabled:
        compile_patterns(options.quiet, notifier.starting)
    live = open_live(settings.capture)  # before anything starts a thread: rights are each thread's own
    for line in [*rights, *privileges.drop()] if live else ():
        say(options, line)
    outputs = Outputs(options, settings, partial(say, options), ordered=False, live=True)
    try:
        inputs = list(options.inputs)
        pipeline = Pipeline(settings, inputs, loop=bool(inputs), epoch=outputs.epoch, live=live)
    except BaseException:
        outputs.close()
        raise
    return pipeline, outputs


def _offer(options: RunOptions, settings: Settings, vitals: Vitals, source: str, offered: ExitStack) -> None:
    """Open the control socket and the page of metrics; a sensor captures all the same when one of them is taken."""

    def newest() -> Snapshot:
        return vitals.snapshot

    try:
        path = control_path(settings.service.control, Path(source).name if options.inputs else source)
        offered.callback(ControlSocket(path, newest).close)
    except (SettingError, OSError) as error:
        say(options, f"no control socket: {error}", Level.WARNING)
    if settings.service.metrics:
        try:
            from sensor.metrics import serve

            offered.callback(serve(settings.service.metrics, newest))
        except (SettingError, OSError, ImportError) as error:
            say(options, f"no metrics: {error}", Level.WARNING)


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
    options: RunOptions, pipeline: Pipeline, outputs: Outputs, vitals: Vitals, service: Service
) -> ExitCode:
    from sensor.cli.summary import Summary

    summary = None if options.quiet else Summary()
    code = ExitCode.OK
    with stopped_by_signals(pipeline, options) as stop, asked_by_hangup(service.reload, stop):
        try:
            _copy(options, pipeline, outputs, summary, vitals, service)
        except TapirError as error:
            code = failed(options, error)
        except KeyboardInterrupt:
            pass  # the second signal: what is held back is still written
        service.notifier.stopping()
        for failure in outputs.close():
            code = code or failed(options, failure)
    for fault in pipeline.faults:
        code = code or failed(options, fault)
    if summary:
        show(options, summary, {**pipeline.counters(), **outputs.counters()}, pipeline.unknown_links)
    service.notifier.close()
    return code


def _copy(
    options: RunOptions, pipeline: Pipeline, outputs: Outputs, summary: Summary | None, vitals: Vitals, service: Service
) -> None:
    show_alert = _alert_view(options)
    ready = False
    due = 0.0
    began, waited = time.perf_counter(), 0.0
    for batch in pipeline:
        if not ready:
            ready = True
            service.notifier.ready(f"captures from {service.source}")
        outputs.write(batch, pipeline.pool)
        pipeline.report([*outputs.observe(pipeline, batch.now), *service.reload.step(batch.now)])
        service.pulled.step(pipeline)
        if summary:
            summary.add(batch, pipeline.pool)
        for alert in batch.alerts:
            show_alert(alert)
            if alert.kind == Kind.HEALTH and alert.state != State.CLOSED:
                said = ", ".join(f"{name} {value}" for name, value in alert.details.items())
                say(options, f"{alert.title}: {said}")
        worked = time.perf_counter() - began - (pipeline.waited_seconds - waited)
        vitals.note(batch, outputs.counters(), worked, outputs.subscribers())
        service.notifier.beat()
        now = time.monotonic()
        if now >= due:
            due = now + _STATUS_SECONDS
            service.notifier.status(_status(vitals.snapshot))
        began, waited = time.perf_counter(), pipeline.waited_seconds


def _status(snapshot: Snapshot) -> str:
    """One line for `systemctl status`."""
    counters = snapshot["counters"]
    frames, live = counters["capture"]["frames"], counters.get("live", {})
    lost = live.get("dropped", 0) + live.get("card_dropped", 0)
    raised = sum(row["count"] for row in snapshot["alerts"] if row["state"] == "raised")
    return f"{frames} packets, {lost} dropped by card or system, {raised} alerts raised"


def _alert_view(options: RunOptions) -> Callable[[Alert], None]:
    """On a terminal whose alerts go nowhere else they are shown as they come."""
    if options.quiet or options.json or options.alerts or not sys.stdout.isatty():
        return lambda alert: None
    from sensor.collector.views.table import AlertTable

    return AlertTable().show_alert
