"""A program's end of the alert stream: addresses and topics go in, alerts come out one by one.

    for alert in Subscriber("tcp://127.0.0.1:5556"):
        print(alert.severity, alert.title)

Law: what a peer sends can be skipped and counted, or raise a BusError that says what to do; it never ends the stream
unseen.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import msgspec
import zmq

from sensor.alert import SCHEMA_VERSION, Alert
from sensor.bus.connection import Connection
from sensor.bus.sequence import Gap, SequenceTracker
from sensor.bus.topics import ALERTS, covers_all_alerts
from sensor.errors import BusError
from sensor.limits import RECEIVE_QUEUE_ALERTS, STREAMS_MAX


class HasFileno(Protocol):
    """A socket, a pipe's end: what `select` takes."""

    def fileno(self) -> int: ...


class _Head(msgspec.Struct):
    """What every version of the schema has."""

    schema_version: int
    sensor: str = "a sensor"


@dataclass(frozen=True, slots=True)
class Message:
    """One alert as it came: `body` is the JSON that was sent, newer fields included; `gap` what is missing before."""

    topic: str
    alert: Alert
    body: bytes
    gap: Gap | None


class Subscriber:
    """Receives the alerts of one or several sensors whose topic starts with one of `topics`.

    Publishers may come and go; each is connected again by itself. Iteration ends when no alert came for `timeout`
    seconds (None: never). Not for use by several threads at once.

    `gaps` and `missed`: alerts that never arrived; None unless `topics` covers all alerts, because a narrower choice
    leaves numbers out by itself. `received`, `repeated`, `malformed`, `other_topics` (not alerts), `other_schema`:
    messages so far.
    `wake`: when it becomes readable, waiting ends.
    """

    def __init__(
        self,
        addresses: str | Iterable[str],
        topics: str | Iterable[str] = (ALERTS,),
        timeout: float | None = None,
        receive_hwm: int = RECEIVE_QUEUE_ALERTS,
        wake: HasFileno | None = None,
    ) -> None:
        self.received = self.malformed = self.other_topics = self.other_schema = 0
        self._timeout = timeout
        self._topics = _as_tuple(topics)
        self._sequences = SequenceTracker()
        self._alerts = msgspec.json.Decoder(Alert)
        self._heads = msgspec.json.Decoder(_Head)
        self._refused: dict[str, None] = {}  # sensors whose schema was reported
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._wake = wake
        if wake is not None:
            self._poller.register(wake, zmq.POLLIN)
        try:
            self._connections = [
                Connection(self._context, address, self._topics, receive_hwm) for address in _as_tuple(addresses)
            ]
        except BaseException:
            self.close()
            raise
        for connection in self._connections:
            self._poller.register(connection.socket, zmq.POLLIN)
            self._poller.register(connection.monitor.socket, zmq.POLLIN)
        self._ready: deque[Connection] = deque()  # those with a message that was not fetched yet

    @property
    def gaps(self) -> Sequence[Gap] | None:
        return tuple(self._sequences.gaps) if covers_all_alerts(self._topics) else None

    @property
    def missed(self) -> int | None:
        return self._sequences.missed if covers_all_alerts(self._topics) else None

    @property
    def connected(self) -> tuple[str, ...]:
        """The addresses where a sensor is there, as of the last wait."""
        return tuple(connection.address for connection in self._connections if connection.connected)

    @property
    def broken(self) -> int:
        """Connections that ended because the peer broke the protocol or sent a message over limits.ALERT_BYTES_MAX."""
        return sum(connection.broken for connection in self._connections)

    @property
    def repeated(self) -> int:
        return self._sequences.repeated

    def receive(self, timeout: float | None = None) -> Message | None:
        """The next alert; None when `timeout` seconds passed, or `wake` became readable, before one came.

        Raises BusError once for each sensor that speaks another version of the schema; its alerts are skipped.
        """
        end = None if timeout is None else time.monotonic() + timeout
        last_look = False
        while True:
            while self._ready:
                message = self._decode(self._ready.popleft().socket.recv_multipart(zmq.DONTWAIT))
                if message is not None:
                    return message
            left = None if end is None else max(0.0, end - time.monotonic())
            if last_look or not self._wait(left):
                return None
            last_look = left == 0

    def _wait(self, seconds: float | None) -> bool:
        """Until a connection has a message, or its state changed; False when woken."""
        tended = [again for connection in self._connections if (again := connection.tend()) is not None]
        limits = tended if seconds is None else [seconds, *tended]
        ready = dict(self._poller.poll(math.ceil(min(limits) * 1000) if limits else None))
        self._ready.extend(connection for connection in self._connections if connection.socket in ready)
        return self._wake is None or self._wake.fileno() not in ready

    def _decode(self, parts: list[bytes]) -> Message | None:
        """None for what is not an alert that this version can read: counted."""
        if not parts[0].startswith(ALERTS.encode()):
            self.other_topics += 1
            return None
        if len(parts) != 2:
            self.malformed += 1
            return None
        try:
            head = self._heads.decode(parts[1])
            if head.schema_version != SCHEMA_VERSION:
                self._refuse(head)
                return None
            topic, alert = parts[0].decode(), self._alerts.decode(parts[1])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.malformed += 1
            return None
        self.received += 1
        gap = self._sequences.observe(alert.sensor, alert.epoch, alert.sequence)
        return Message(topic, alert, parts[1], gap if covers_all_alerts(self._topics) else None)

    def _refuse(self, head: _Head) -> None:
        self.other_schema += 1
        if head.sensor in self._refused or len(self._refused) >= STREAMS_MAX:
            return
        self._refused[head.sensor] = None
        raise BusError(
            f"{head.sensor!r} sends alerts of schema {head.schema_version}, this program reads schema {SCHEMA_VERSION}:"
            f" update the older of the two; its alerts are skipped"
        )

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Alert:
        message = self.receive(self._timeout)
        if message is None:
            raise StopIteration
        return message.alert

    def close(self) -> None:
        self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _as_tuple(one_or_more: str | Iterable[str]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)
