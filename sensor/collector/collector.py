"""The collector: addresses of sensors go in, their alerts come out on the terminal, on standard output or in a file.

Law: it imports no stage of the sensor, and whatever it had to skip or never got is said before it ends.
"""

from __future__ import annotations

import io
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from socket import socket
from typing import Literal

from sensor.bus.message import Message
from sensor.bus.subscriber import HasFileno, Subscriber
from sensor.bus.wire import RULES
from sensor.collector.coverage import keeper
from sensor.collector.databases import Away
from sensor.collector.signals import hung_up, stop_signals
from sensor.collector.store import Store
from sensor.collector.views.json_lines import JsonLines
from sensor.collector.views.table import AlertTable
from sensor.collector.views.view import View
from sensor.collector.wiring import Sensors, kept
from sensor.config import CollectorSettings
from sensor.errors import BusError, OutputError, SettingError
from sensor.export.formats import FORMATS

Report = Callable[[str], None]
_COMMIT_ALERTS = 200  # at most so many go into one transaction of the store
_AWAY_SECONDS = 1.0   # between two tries to reach the store's database


class Ending(IntEnum):
    """How a collector ended, as the exit code that says so; errors have others (sensor/cli/exit_codes.py)."""

    DONE = 0        # count reached, time over without a count, SIGINT or SIGTERM, or the reader of our output left
    UNREADABLE = 1  # a sensor spoke another version of the schema
    TOO_FEW = 4     # time over before `count` alerts came


class Collector:
    """Stores what `subscriber` receives, shows it in each view, and says through `report` what is wrong with the
    stream. `wake`: as of the subscriber.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        views: Sequence[View],
        report: Report,
        store: Store | None = None,
        wake: HasFileno | None = None,
    ) -> None:
        self.shown = 0
        self._subscriber, self._views, self._report, self._store = subscriber, views, report, store
        self._wake: tuple[HasFileno, ...] = () if wake is None else (wake,)
        self._refused = False

    def run(self, count: int | None = None, timeout_seconds: float | None = None) -> Ending:
        """Until `count` alerts were shown, `timeout_seconds` passed, or the subscriber was woken."""
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while count is None or self.shown < count:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return self._ended(Ending.DONE if count is None else Ending.TOO_FEW)
            most = _COMMIT_ALERTS if count is None else min(_COMMIT_ALERTS, count - self.shown)
            if not self._show_next(left, most) and (end is None or time.monotonic() < end):
                break  # woken
        return self._ended(Ending.DONE)

    def _ended(self, code: Ending) -> Ending:
        return Ending.UNREADABLE if self._refused else code

    def _show_next(self, timeout_seconds: float | None, most: int) -> bool:
        """False when none came in time, or the subscriber was woken."""
        try:
            message = self._subscriber.receive(timeout_seconds)
        except BusError as error:
            self._refuse(error)
            return True
        if message is None:
            return False
        messages = [message] if self._store is None else [message, *self._there_already(most - 1)]
        if self._store is not None and not self._committed(self._store, messages, timeout_seconds):
            return False
        for one in messages:
            self._show(one)
        return True

    def _committed(self, store: Store, messages: Sequence[Message], timeout_seconds: float | None) -> bool:
        """False when the database did not come back in time: what was not committed comes again, in the next run."""
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        said = False
        while True:
            try:
                store.commit(messages)
                return True
            except Away as error:
                if not said:
                    self._report(f"{error}; it is tried again")
                said = True
            wait = _AWAY_SECONDS if end is None else min(_AWAY_SECONDS, end - time.monotonic())
            if wait <= 0 or select.select(self._wake, (), (), wait)[0]:
                return False

    def _there_already(self, most: int) -> Iterator[Message]:
        """What can be had without waiting, to be committed together."""
        for _ in range(most):
            try:
                message = self._subscriber.receive(0)
            except BusError as error:
                self._refuse(error)
                continue
            if message is None:
                return
            yield message

    def _refuse(self, error: BusError) -> None:
        self._refused = True
        self._report(str(error))

    def _show(self, message: Message) -> None:
        if message.gap is not None:
            self._report(str(message.gap))
        for view in self._views:
            view.show(message)
        self.shown += 1

    @property
    def faults(self) -> list[str]:
        """What came and could not be shown, or did not come: "3 missed"."""
        sub = self._subscriber
        counted = {
            "missed": sub.missed or 0,
            "repeated": sub.repeated,
            "malformed": sub.malformed,
            "of another schema": sub.other_schema,
            "connections broken by the peer": sub.broken,
        }
        return [f"{number} {what}" for what, number in counted.items() if number]


def collect(
    addresses: Sequence[str],
    topics: Sequence[str] = (),
    count: int | None = None,
    timeout_seconds: float | None = None,
    output: str | None = None,
    format_: str = "native",
    keys: str = "",
    plaintext: bool = False,
    start: Literal["now", "first"] = "now",
    store: str = "",
    settings: CollectorSettings | None = None,
    load: Callable[[], CollectorSettings] | None = None,
) -> Ending:
    """Run a collector on this process's standard output and error, until done or told to end by a signal.

    `output`: a file to append lines to, "-" for lines on standard output even on a terminal. `format_`: of the lines, a
    name of sensor/export/formats. `keys`, `plaintext`, `start`: of Subscriber. `store`: where alerts are kept, each
    once; it goes on where it ended. `settings`: what follows from alerts that are stored; with `load` SIGHUP reads them
    again and opens files anew. Raises SettingError for an unknown format or settings that cannot work, BusError for a
    bad address and OutputError for an output or a store that cannot be written.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(stop_signals(hangup=load is not None))
        sensors = Sensors(addresses, keys, plaintext)

        def until_woken(chosen: CollectorSettings) -> Ending:
            return _collect(sensors, topics, count, timeout_seconds, start, store, chosen, output, format_, stop)

        chosen = settings or CollectorSettings()
        try:
            code = until_woken(chosen)
            while load is not None and hung_up(stop):
                chosen, code = _again(until_woken, chosen, load)
        except BrokenPipeError:
            return Ending.DONE  # whoever read our output wants no more
        except OSError as error:
            raise OutputError(f"{output or 'standard output'}: cannot be written: {error.strerror}") from None
        return code


def _again(
    until_woken: Callable[[CollectorSettings], Ending], before: CollectorSettings, load: Callable[[], CollectorSettings]
) -> tuple[CollectorSettings, Ending]:
    """Go on with the settings as they are now, from where the store ended; with those before when they do not work."""
    try:
        chosen = load()
        _report("settings reloaded")
        return chosen, until_woken(chosen)
    except (SettingError, BusError) as error:
        _report(f"settings not reloaded, the old ones stay: {error}")
        return before, until_woken(before)


def _collect(
    sensors: Sensors, topics: Sequence[str], count: int | None, timeout_seconds: float | None,
    start: Literal["now", "first"], store: str, settings: CollectorSettings, output: str | None, format_: str,
    stop: socket,
) -> Ending:  # fmt: skip
    """Receive until done or woken; what follows from alerts ends with it, and files are closed."""
    with ExitStack() as stack:
        views = stack.enter_context(_views(output, format_))
        at = stack.enter_context(kept(store, settings, _report, sensors)) if store else None
        subscriber = stack.enter_context(
            Subscriber(
                sensors.addresses,
                (*(topics or ("alert.",)), *((RULES,) if at else ())),
                told=keeper(at.base) if at else _nothing,
                wake=stop,
                cursors=at.cursors if at else None,
                start="first" if at else start,
                keys=sensors.keys,
                plaintext=sensors.plaintext,
            )
        )
        collector = Collector(subscriber, views, _report, at, stop)
        code = collector.run(count, timeout_seconds)
        if collector.faults or sys.stdout.isatty():
            _report(", ".join([f"{collector.shown} alerts", *collector.faults]))
        return code


def _nothing(topic: str, body: bytes) -> None:
    """Without a store, other topics are for nobody."""


def _report(line: str) -> None:
    print(f"tapir collect: {line}", file=sys.stderr, flush=True)


@contextmanager
def _views(output: str | None, format_: str) -> Iterator[list[View]]:
    """A table when standard output is a terminal, JSON lines otherwise; a file gets JSON lines besides the table."""
    on_terminal = sys.stdout.isatty()
    if format_ not in FORMATS:
        raise SettingError(f"--format {format_}: expected one of {', '.join(FORMATS)}")
    written = None if format_ == "native" else FORMATS[format_]
    with ExitStack() as stack:
        views: list[View] = []
        if output is not None and output != "-":
            try:
                views.append(JsonLines.appending(output, written))
            except OSError as error:
                raise OutputError(f"{output}: cannot be written: {error.strerror}") from None
        if on_terminal and output != "-":
            views.append(AlertTable())
        elif output in (None, "-"):
            views.append(JsonLines(io.FileIO(sys.stdout.fileno(), "w", closefd=False), written))
        for view in views:
            stack.callback(view.close)
        yield views
