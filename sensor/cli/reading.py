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
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from sensor.cli.compiling import told_when_compiling
from sensor.cli.exit_codes import ExitCode, code_of
from sensor.cli.outputs import Outputs, check_outputs
from sensor.errors import TapirError

if TYPE_CHECKING:
    from sensor.alert import Alert
    from sensor.cli.summary import Summary
    from sensor.config import Settings
    from sensor.export.tables import Rows
    from sensor.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says."""

    inputs: Sequence[str]
    transactions: str | None = None
    flows: str | None = None
    alerts: str | None = None
    publish: str | None = None
    wait_subscribers: int = 0
    show_secrets: bool = False
    batch_frames: int | None = None
    json: bool = False
    quiet: bool = False
    sensor: str = ""


class Batch(Protocol):
    """What the pipeline gives for a block of frames."""

    transactions: Rows
    flows: Rows
    streams: Rows
    alerts: list[Alert]
    now: int


class Stop:
    """Set by the first SIGINT or SIGTERM; the second ends the run where it stands."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def _signals() -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_stream(name: str) -> bool:
    """Whether an input has no end that is known: standard input or a network source."""
    return name == "-" or "://" in name


def run(options: Options) -> ExitCode:
    """Read the inputs; every error is said on standard error, in one line."""
    try:
        check_outputs(options)
        with told_when_compiling(options.quiet):
            from sensor.pipeline import Pipeline
        outputs = Outputs(options, ordered=not any(map(is_stream, options.inputs)))
    except TapirError as error:
        return _failed(error)
    with _signals() as stop:
        try:
            pipeline = Pipeline(_settings(options), list(options.inputs))
        except TapirError as error:
            outputs.close()
            return _failed(error)
        return _read(options, pipeline, outputs, stop)


def _settings(options: Options) -> Settings:
    from sensor.config import AlertingSettings, CaptureSettings, ProtocolSettings, Settings

    capture = CaptureSettings(batch_frames=options.batch_frames) if options.batch_frames else CaptureSettings()
    return Settings(
        capture=capture,
        protocols=ProtocolSettings(show_secrets=options.show_secrets),
        alerting=AlertingSettings(sensor=options.sensor),
    )


def _read(options: Options, pipeline: Pipeline, outputs: Outputs, stop: Stop) -> ExitCode:
    from sensor.cli.progress import progress
    from sensor.cli.summary import Summary

    summary = None if options.quiet else Summary()
    code = ExitCode.OK
    try:
        with progress(pipeline, options.quiet) as advance:
            for batch in pipeline:
                outputs.write(batch, pipeline.pool)
                if summary:
                    summary.add(batch, pipeline.pool)
                advance()
                if stop.asked:
                    break
    except TapirError as error:
        code = _failed(error)
    except KeyboardInterrupt:
        stop.asked = True
    for failure in outputs.close():
        code = code or _failed(failure)
    for fault in pipeline.faults:
        code = code or _failed(fault)
    if stop.asked:
        _say("interrupted; what was read until then is complete")
        code = ExitCode.INTERRUPTED
    if summary:
        _show(options, summary, {**pipeline.counters(), **outputs.counters()})
    return code


def _show(options: Options, summary: Summary, counters: dict[str, dict[str, int]]) -> None:
    """To standard output, or to standard error when standard output is one of the outputs."""
    from sensor.cli.report import show, show_json

    stream = sys.stderr if "-" in (options.transactions, options.flows, options.alerts) else sys.stdout
    try:
        (show_json if options.json else show)(summary, counters, stream)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # nobody reads on: let the interpreter flush there


def _failed(error: TapirError) -> ExitCode:
    _say(str(error))
    return code_of(error)


def _say(line: str) -> None:
    print(f"tapir read: {line}", file=sys.stderr, flush=True)
