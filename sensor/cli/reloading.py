"""Taking over changed settings while packets are captured: in: SIGHUP; out: settings in effect, or why not.

Files are read and detectors made in a thread beside the capture; between two batches the made ones take over. Outputs
whose files were renamed meanwhile begin new ones. The one law: settings with a fault change nothing, and whatever does
not change without a restart is named.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from sensor.cli.saying import Level
from sensor.errors import TapirError

if TYPE_CHECKING:
    from sensor.alert import Detection
    from sensor.cli.outputs import Outputs
    from sensor.config import Settings
    from sensor.pipeline import Pipeline, Prepared
    from sensor.service import Notifier

Say = Callable[[str, Level], None]


class _Read(NamedTuple):
    """What a thread found: `prepared` with the keys it changes, and those that wait for a restart; or `problem`."""

    problem: str
    prepared: Prepared | None
    changed: list[str]
    waiting: list[str]


class Reload:
    """`settings` are those in effect. `load` reads those on disk and raises TapirError for what is wrong with them."""

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], pipeline: Pipeline, outputs: Outputs,
        notifier: Notifier, say: Say,
    ) -> None:  # fmt: skip
        self.settings = settings
        self._outputs = outputs
        self._load, self._pipeline, self._notifier, self._say = load, pipeline, notifier, say
        self._asked = False
        self._thread: threading.Thread | None = None
        self._found: list[_Read] = []

    def ask(self) -> None:
        """From a signal handler: begin with the next `step`."""
        self._asked = True

    def step(self, now: int) -> list[Detection]:
        """Between two batches, `now` being packet time (ns): go on with what was asked for. What is to be told comes
        back.
        """
        if self._thread is not None:
            if self._thread.is_alive():
                return []
            self._thread = None
            return self._finish(self._found.pop(), now)
        if self._asked:
            self._asked = False
            self._notifier.reloading()
            self._outputs.reopen()
            self._thread = threading.Thread(target=self._read, name="settings", daemon=True)
            self._thread.start()
        return []

    def _read(self) -> None:
        from sensor.config.reload import differences, is_live, taken_over

        try:
            loaded = self._load()
            keys = [key for key, _ in differences(self.settings, loaded)]
            prepared = self._pipeline.prepare(taken_over(self.settings, loaded))
            self._found.append(
                _Read("", prepared, list(filter(is_live, keys)), [key for key in keys if not is_live(key)])
            )
        except TapirError as error:
            self._found.append(_Read(str(error), None, [], []))
        except Exception as error:
            self._found.append(_Read(f"{type(error).__name__}: {error}", None, [], []))

    def _finish(self, read: _Read, now: int) -> list[Detection]:
        from sensor.alerting.own_health import not_reloaded

        detections = []
        if read.prepared is None:
            self._say(f"settings not reloaded, the old ones stay: {read.problem}", Level.ERROR)
            detections = [not_reloaded(now, read.problem)]
        else:
            anew = self._pipeline.take_over(read.prepared)
            self.settings = read.prepared.settings
            self._outputs.take_over(self.settings)
            self._say(f"settings reloaded; changed: {', '.join(read.changed) or 'nothing'}", Level.NOTICE)
            if anew:
                self._say(f"begin anew, because what they knew does not fit: {', '.join(anew)}", Level.WARNING)
            if read.waiting:
                self._say(f"need a restart to change: {', '.join(read.waiting)}", Level.WARNING)
        self._notifier.ready("settings not reloaded" if read.problem else "settings reloaded")
        return detections


@contextmanager
def asked_by_hangup(reload: Reload, stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """While it lasts SIGHUP asks for a reload; on a terminal that has gone away it ends the run, as SIGTERM does."""
    of_terminal = sys.stdin is not None and sys.stdin.isatty()

    def hung_up(number: int, frame: FrameType | None) -> None:
        if of_terminal and not _has_terminal():
            stop(number, frame)
        else:
            reload.ask()

    before = signal.signal(signal.SIGHUP, hung_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _has_terminal() -> bool:
    try:
        os.tcgetpgrp(0)
    except OSError:
        return False
    return True
