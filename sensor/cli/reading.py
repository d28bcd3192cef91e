"""One run of `tapir read`: in: the options; out: outputs, a summary, an exit code.

The one law: whatever was read before a fault or an interruption is written out, and the exit code tells of the fault.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from sensor.cli.compiling import told_when_compiling
from sensor.cli.exit_codes import ExitCode, code_of
from sensor.cli.outputs import Outputs, check_outputs
from sensor.cli.pulling import Pulled
from sensor.cli.saying import Level, say_line
from sensor.cli.starting import made_to_stay
from sensor.errors import TapirError

if TYPE_CHECKING:
    from sensor.cli.summary import Summary
    from sensor.config import Settings
    from sensor.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says."""

    inputs: Sequence[str]
    transactions: str | None = None
    flows: str | None = None
    tls: str | None = None
    websockets: str | None = None
    dns: str | None = None
    alerts: str | None = None
    publish: str | None = None
    replay: str | None = None
    journal: str | None = None
    keys: str | None = None
    plaintext: bool = False
    publish_tables: bool = False
    wait_subscribers: int = 0
    show_secrets: bool = False
    batch_frames: int | None = None
    workers: int | None = None
    json: bool = False
    quiet: bool = False
    sensor: str = ""
    state: str = ""
    settings: Path | None = None
    overrides: Sequence[str] = ()
    command: str = "tapir read"
    doctor: bool = False
    """Show how well the mirror delivers, and nothing of what is in the traffic."""

    @property
    def outputs(self) -> tuple[str | None, ...]:
        """Where the tables and alerts go."""
        return self.transactions, self.flows, self.tls, self.websockets, self.dns, self.alerts


def is_stream(name: str) -> bool:
    """Whether an input has no end that is known: standard input or a network source."""
    return name == "-" or "://" in name


def run(options: Options) -> ExitCode:
    """Read the inputs; every error is said on standard error, in one line."""
    try:
        check_outputs(options)
        settings = effective_settings(options)
        with made_to_stay():
            pipeline, outputs = _opened(options, settings)
    except TapirError as error:
        return failed(options, error)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    for note in () if options.quiet else pipeline.notes:
        say(options, note)
    Pulled(settings, partial(say, options)).once(pipeline)
    return _read(options, pipeline, outputs)


def _opened(options: Options, settings: Settings) -> tuple[Pipeline, Outputs]:
    with told_when_compiling(options.quiet):
        from sensor.pipeline import Pipeline
    outputs = Outputs(options, settings, partial(say, options), ordered=not any(map(is_stream, options.inputs)))
    try:
        pipeline = Pipeline(settings, list(options.inputs), epoch=outputs.epoch)
    except BaseException:
        outputs.close()
        raise
    return pipeline, outputs


def effective_settings(options: Options) -> Settings:
    """The file's, then `--set`, then the options that have a name of their own."""
    from sensor.settings_file import load_settings

    return with_options(options, load_settings(options.settings, options.overrides))


def with_options(options: Options, settings: Settings) -> Settings:
    """The settings with the options that have a name of their own on top."""
    from msgspec.structs import replace

    if options.batch_frames:
        settings = replace(settings, capture=replace(settings.capture, batch_frames=options.batch_frames))
    if options.workers:
        settings = replace(settings, workers=replace(settings.workers, count=options.workers))
    if options.show_secrets:
        settings = replace(settings, protocols=replace(settings.protocols, show_secrets=True))
    if options.state:
        settings = replace(settings, state=replace(settings.state, folder=options.state))
    if options.sensor:
        settings = replace(settings, alerting=replace(settings.alerting, sensor=options.sensor))
    if options.journal:
        settings = replace(settings, journal=replace(settings.journal, folder=options.journal))
    named = {name: getattr(options, name) for name in ("publish", "replay", "keys", "plaintext", "publish_tables")}
    return replace(settings, bus=replace(settings.bus, **{name: value for name, value in named.items() if value}))


def _read(options: Options, pipeline: Pipeline, outputs: Outputs) -> ExitCode:
    from sensor.cli.health import examine, is_healthy
    from sensor.cli.summary import Summary

    summary = None if options.quiet else Summary()
    code = ExitCode.OK
    with stopped_by_signals(pipeline, options) as stop:
        try:
            _copy(options, pipeline, outputs, summary)
        except TapirError as error:
            code = failed(options, error)
        except KeyboardInterrupt:
            pass  # the second one: what is held back is still written
        for failure in outputs.close():
            code = code or failed(options, failure)
    for fault in pipeline.faults:
        if not (stop.asked and is_stream(fault.source)):
            code = code or failed(options, fault)
    if summary and (summary.transactions or summary.flows or not pipeline.faults):
        counters = {**pipeline.counters(), **outputs.counters()}
        show(options, summary, counters, pipeline.unknown_links)
        if options.doctor and not is_healthy(examine(summary, counters)):
            code = code or ExitCode.UNHEALTHY
    if stop.asked:
        say(options, "interrupted; what was read until then is in the outputs")
        return ExitCode.INTERRUPTED
    return code


def _copy(options: Options, pipeline: Pipeline, outputs: Outputs, summary: Summary | None) -> None:
    from sensor.cli.progress import progress

    with progress(pipeline, options.quiet) as advance:
        for batch in pipeline:
            outputs.write(batch, pipeline.pool)
            pipeline.report(outputs.observe(pipeline, batch.now))
            if summary:
                summary.add(batch, pipeline.pool)
            advance()


class _Stop:
    """The first SIGINT or SIGTERM ends reading: what is open is finished and written. The second one does not wait."""

    def __init__(self, pipeline: Pipeline, options: Options) -> None:
        self.asked = False
        self._pipeline, self._options = pipeline, options

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._pipeline.stop()
        if "-" in self._options.inputs:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a read that waits for more finds the end
        elif any(map(is_stream, self._options.inputs)):
            say(self._options, "stops with the next packet; once more to stop at once")


@contextmanager
def stopped_by_signals(pipeline: Pipeline, options: Options) -> Iterator[_Stop]:
    """While it lasts, the first SIGINT or SIGTERM asks the pipeline to stop; the second raises KeyboardInterrupt."""
    stop = _Stop(pipeline, options)
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show(options: Options, summary: Summary, counters: dict[str, dict[str, int]], unknown_links: list[str]) -> None:
    """To standard output, or to standard error when standard output is one of the outputs."""
    from sensor.cli.health import examine
    from sensor.cli.report import show as show_text
    from sensor.cli.report import show_json
    from sensor.cli.report_health import show_health, show_health_json


    stream = sys.stderr if "-" in options.outputs else sys.stdout
    try:
        if options.doctor and options.json:
            show_health_json(examine(summary, counters), stream)
        elif options.doctor:
            show_health(examine(summary, counters), unknown_links, stream)
        elif options.json:
            show_json(summary, counters, stream)
        else:
            show_text(summary, counters, unknown_links, stream)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # nobody reads on: let the interpreter flush there


def failed(options: Options, error: TapirError) -> ExitCode:
    """Say what went wrong; the exit code for it."""
    say(options, str(error), Level.ERROR)
    return code_of(error)


def say(options: Options, line: str, level: Level = Level.NOTICE) -> None:
    """A line on standard error, with the command's name."""
    say_line(options.command, line, level)
