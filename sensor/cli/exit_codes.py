"""How a command ends: in: an error; out: the code that `tapir --help` promises."""

from __future__ import annotations

from enum import IntEnum

from sensor.errors import BusError, InputError, OutputError, TapirError, WorkerError


class ExitCode(IntEnum):
    OK = 0
    INPUT = 1          # an input could not be read, or not to its end
    USAGE = 2          # a wrong option or setting
    OUTPUT = 3         # an output or the alert stream failed
    UNHEALTHY = 4      # tapir doctor found trouble
    WORKER = 5         # a worker process ended
    INTERRUPTED = 130  # SIGINT or SIGTERM


def code_of(error: TapirError) -> ExitCode:
    """The code for an error that ended the run."""
    if isinstance(error, InputError):
        return ExitCode.INPUT
    if isinstance(error, WorkerError):
        return ExitCode.WORKER
    return ExitCode.OUTPUT if isinstance(error, OutputError | BusError) else ExitCode.USAGE
