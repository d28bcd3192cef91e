"""The alert stream of one sensor: alerts go in by `put`, and are written, then published, then kept to be asked for.

One thread of its own does all of it: the log (sensor/alert_log.py), the publisher, the replay server, the gate, and
the heartbeats. Law: what is published is durable first, unless the log says that it fails; `put` costs the caller a
queue entry.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import Self

import msgspec
import zmq

from sensor.alert import Alert, Rule
from sensor.alert_log import AlertLog
from sensor.bus import addresses
from sensor.bus.gate import Gate
from sensor.bus.health import Health
from sensor.bus.keys import KeyFolder
from sensor.bus.publisher import BusCount, Publisher
from sensor.bus.replay import ReplayServer
from sensor.bus.topics import record_of
from sensor.bus.wire import COUNTERS, HEARTBEAT, RULES, SUBSCRIBERS, ToldRule, ToldRules
from sensor.config import BusSettings
from sensor.counters import Counters
from sensor.errors import BusError
from sensor.limits import ALERT_BYTES_MAX, COMMIT_ALERTS, STREAM_QUEUE_ALERTS, TABLES_QUEUED

_DETAILS_SECONDS = 5.0      # between two stats.counters and stats.subscribers
_RULES_SECONDS = 60.0       # between two stats.rules
_GREETING_SECONDS = 0.02    # between two heartbeats for subscribers that came
_TEND_SECONDS = 1.0
_CLOSING_SECONDS = 0.1      # between two heartbeats at the end


class StreamCount(IntEnum):
    """What the stream counts besides its parts."""

    SHED = 0        # alerts that a live sensor gave up because the disk did not keep up: their numbers are missing
    TABLES_SHED = 1 # batches of transactions or flows that gave way


class AlertStream:
    """Listens at `settings.publish`; `address` and `replay_address` then hold the ports that were chosen.

    `log` is closed with the stream. `report` gets one line about each thing that the operator should know. Raises
    BusError for an address that cannot be used, and SettingError for keys that cannot.
    """

    def __init__(
        self, settings: BusSettings, log: AlertLog, sensor: str, report: Callable[[str], None] = lambda line: None
    ) -> None:
        self.counters = Counters(StreamCount)
        self.sensor, self.epoch = sensor, log.epoch
        self._settings, self._log, self._report = settings, log, report
        self._queue: deque[Alert] = deque()
        self._tables: deque[tuple[bytes, bytes]] = deque()
        self._changed = threading.Condition()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._closing = False
        self._fault: BaseException | None = None
        self._failing = ""
        self._subscribers = self._lag_max = 0
        self._wanted: frozenset[bytes] = frozenset()
        self._rules: tuple[Rule, ...] = ()
        self._rules_at = 0.0
        self._heartbeat_at = self._details_at = self._tend_at = self._greeting_at = 0.0
        self._greeting = False
        self._encoder = msgspec.json.Encoder()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            keys = keys_for(settings)
            self._gate = Gate(self._context, keys, report) if keys else None
            self._publisher = Publisher(
                settings.publish, linger_seconds=settings.linger_seconds, send_hwm=settings.send_queue_alerts,
                context=self._context, gate=self._gate,
            )  # fmt: skip
            replay = settings.replay or addresses.beside(self._publisher.address, settings.publish)
            self._replay = ReplayServer(self._context, replay, log, sensor, self._gate)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self.address, self.replay_address = self._publisher.address, self._replay.address
        self.health = Health(self.sensor, settings.heartbeat_seconds, self.replay_address, log)
        self._poller = self._polled()
        self._thread = threading.Thread(target=self._run, name="alert stream", daemon=True)
        self._thread.start()

    # --- called by the pipeline's thread ---------------------------------------------------------------------------

    def put(self, alerts: Iterable[Alert], wait: bool = True) -> None:
        """Queue alerts in the order of their numbers. Where the queue is full: `wait`, or shed and count."""
        self._check()
        with self._changed:
            for alert in alerts:
                while len(self._queue) >= STREAM_QUEUE_ALERTS and wait and self._fault is None:
                    self._ring()
                    self._changed.wait(1.0)
                if len(self._queue) >= STREAM_QUEUE_ALERTS:
                    self.counters.values[StreamCount.SHED] += 1
                else:
                    self._queue.append(alert)
        self._ring()

    def put_table(self, topic: str, body: bytes) -> None:
        """Queue a batch of transactions or flows; the oldest gives way where nobody takes them."""
        with self._changed:
            self._tables.append((topic.encode(), body))
            if len(self._tables) > TABLES_QUEUED:
                self._tables.popleft()
                self.counters.values[StreamCount.TABLES_SHED] += 1
        self._ring()

    def wants(self, topic: str) -> bool:
        """Whether anyone subscribed to it: one of "tx.arrow" and "flow.arrow"."""
        return topic.encode() in self._wanted

    def take_over(self, settings: BusSettings) -> None:
        """From the next heartbeat on: how often there is one, and how long the end waits for those who lag."""
        self._settings = settings
        self.health.interval_seconds = settings.heartbeat_seconds

    def observe(self, capture: Mapping[str, int], counters: Mapping[str, Mapping[str, int]]) -> None:
        """What heartbeats tell of capture, and stats.counters of everything."""
        self.health.observe(capture, counters)

    def tell_rules(self, rules: Sequence[Rule]) -> None:
        """What stats.rules tells subscribers that the sensor looks for."""
        if rules != self._rules:
            self._rules = tuple(rules)
            self._rules_at = 0.0

    @property
    def failing(self) -> str:
        """Why the log cannot write at present; empty when it can."""
        return self._failing

    @property
    def subscribers(self) -> int:
        return self._subscribers

    @property
    def lag_max(self) -> int:
        """Alerts that the slowest subscriber has not taken."""
        return self._lag_max

    def wait_for_subscribers(self, count: int, limit_seconds: float | None = None) -> None:
        """Wait until `count` distinct subscribers are there. Raises BusError when `limit_seconds` pass first."""
        end = None if limit_seconds is None else time.monotonic() + limit_seconds
        with self._changed:
            while self._subscribers < count and self._fault is None:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    found = self._subscribers
                    raise BusError(f"{self.address}: {found} of {count} subscribers came within {limit_seconds:g} s")
                self._changed.wait(0.2 if left is None else min(left, 0.2))
        self._check()

    def all_counters(self) -> dict[str, dict[str, int]]:
        """What the stream, its log and its sockets counted."""
        subscriptions = self._publisher.subscriptions
        found = {
            "bus": {**self._publisher.counters.as_dict(), **self.counters.as_dict(),
                    "peers_broken": subscriptions.broken, "peers_hung_up": subscriptions.hung_up},
            "log": self._log.counters.as_dict(),
            "replay": self._replay.counters.as_dict(),
        }  # fmt: skip
        if self._gate:
            found["gate"] = self._gate.counters.as_dict()
        return found

    def close(self) -> None:
        """Write and publish what is queued, and wait for subscribers that lag, at most for the linger time.

        Raises BusError when one had not taken all by then, unless the log keeps it for the next run.
        """
        if self._thread.is_alive():
            self._closing = True
            self._ring()
            self._thread.join()
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _check(self) -> None:
        if isinstance(self._fault, BusError):
            raise self._fault
        if self._fault is not None:
            raise BusError(f"{self.address}: the alert stream ended: {self._fault!r}") from self._fault

    def _ring(self) -> None:
        with suppress(OSError):  # full: it rings already; closed: nobody listens
            self._wake.send(b"x")

    # --- the stream's own thread -----------------------------------------------------------------------------------

    def _polled(self) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self._woken, zmq.POLLIN)
        for readable in self._publisher.subscriptions.sockets:
            poller.register(readable, zmq.POLLIN)
        if self._gate:
            poller.register(self._gate.socket, zmq.POLLIN)
        return poller

    def _run(self) -> None:
        try:
            while not (self._closing and not self._queue):
                self._turn()
            self._end()
        except BaseException as fault:
            self._fault = fault
            self._context.destroy(linger=0)
        finally:
            self._log.close()
            with self._changed:
                self._changed.notify_all()

    def _turn(self) -> None:
        self._poller.register(self._replay.socket, 0 if self._replay.rests else zmq.POLLIN)
        due = min(self._heartbeat_at - time.monotonic(), self._replay.rests or 1.0)
        if self._queue or self._greeting:
            due = 0.0 if self._queue else min(due, _GREETING_SECONDS)
        self._poller.poll(max(0, round(due * 1000)))
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        self._publish()
        self._tend_peers()
        self._replay.serve()
        self._beat()

    def _publish(self) -> None:
        """Write what is queued with one wait for the disk, then publish it."""
        with self._changed:
            alerts = [self._queue.popleft() for _ in range(min(len(self._queue), COMMIT_ALERTS))]
            tables = list(self._tables)
            self._tables.clear()
            if alerts:
                self._changed.notify_all()
        records = []
        for alert in alerts:
            record = record_of(alert)
            if len(record.body) > ALERT_BYTES_MAX:
                self._publisher.counters.values[BusCount.TOO_LARGE] += 1
                continue
            records.append(record)
            self._replay.open_alerts.add(alert.alert_id, alert.state, record)
        if records:
            self._log.append(records)
            self._note_failure()
        for record in records:
            self._publisher.send(record.topic, record.body)
        self._publisher.counters.values[BusCount.PUBLISHED] += len(records)
        for topic, body in tables:
            self._publisher.send(topic, body)

    def _tend_peers(self) -> None:
        if self._gate:
            self._gate.answer()
            self._publisher.subscriptions.hang_up(self._gate.refresh())
        subscriptions = self._publisher.subscriptions
        self._greeting |= subscriptions.read()
        if subscriptions.subscribers != self._subscribers:
            with self._changed:
                self._subscribers = subscriptions.subscribers
                self._changed.notify_all()
        self._wanted = frozenset(topic for topic in (b"tx.arrow", b"flow.arrow") if subscriptions.wants(topic))

    def _note_failure(self) -> None:
        if self._log.failing != self._failing:
            self._failing = self._log.failing
            told = f"the journal cannot be written: {self._failing}; alerts are published and wait in memory"
            self._report(told if self._failing else "the journal is written again")

    def _beat(self, closing: bool = False) -> None:
        now = time.monotonic()
        if now >= self._tend_at:
            self._tend_at = now + _TEND_SECONDS
            self._log.tend()
            self._note_failure()
        greet = self._greeting and now >= self._greeting_at
        if now < self._heartbeat_at and not greet:
            return
        self._heartbeat_at = now + (_CLOSING_SECONDS if closing else self._settings.heartbeat_seconds)
        self._greeting_at = now + _GREETING_SECONDS
        self._greeting = False
        lags = self._replay.lags()
        self._lag_max = max((peer.lag for peer in lags), default=0)
        beat = self.health.heartbeat(len(self._queue), self._subscribers, self._lag_max, closing)
        self._publisher.send(HEARTBEAT.encode(), self._encoder.encode(beat))
        if self._rules and (greet or now >= self._rules_at):
            self._rules_at = now + _RULES_SECONDS
            told = tuple(ToldRule(one.id, one.category, one.severity, one.owasp, one.attack) for one in self._rules)
            all_ = ToldRules(sensor=self.sensor, epoch=self.epoch, ts=time.time(), rules=told)
            self._publisher.send(RULES.encode(), self._encoder.encode(all_))
        if now >= self._details_at:
            self._details_at = now + _DETAILS_SECONDS
            counters = {**self.health.counters, **self.all_counters()}
            shown = {"sensor": self.sensor, "ts": time.time(), "counters": counters}
            self._publisher.send(COUNTERS.encode(), self._encoder.encode(shown))
            shown = {"sensor": self.sensor, "ts": time.time(), "subscribers": lags}
            self._publisher.send(SUBSCRIBERS.encode(), self._encoder.encode(shown))

    def _end(self) -> None:
        """Wait for those who lag, at most for the linger time; then close, which waits for the queues."""
        end = time.monotonic() + self._settings.linger_seconds
        self._heartbeat_at = 0.0
        while True:
            self._tend_peers()
            self._replay.serve()
            self._beat(closing=True)
            behind = [peer for peer in self._replay.lags() if peer.lag]
            if not behind or time.monotonic() >= end:
                break
            self._poller.register(self._replay.socket, zmq.POLLIN)
            self._poller.poll(10)
        self._replay.close()
        if self._gate:
            self._gate.socket.close(linger=0)
        self._publisher.close()
        if behind and not self._log.hash and self._settings.linger_seconds:
            waited = f"{self._settings.linger_seconds:g} s"
            raise BusError(f"{self.address}: a subscriber had not taken all alerts after {waited}")


def keys_for(settings: BusSettings) -> KeyFolder | None:
    """The keys that a sensor listens with: those that are set, those that are needed, or none on this host alone."""
    local = addresses.is_local(settings.publish) and addresses.is_local(settings.replay or settings.publish)
    if settings.plaintext or (local and not settings.keys):
        return None
    keys = KeyFolder(settings.keys)
    if not keys.exists:
        option = f" --keys {settings.keys}" if settings.keys else ""
        raise BusError(
            f"{settings.publish}: other hosts can reach it, so subscribers need keys, and {keys.path} has none:"
            f" tapir keys make{option}; then for each collector: tapir keys allow NAME KEY{option}"
            f" (or --plaintext to let everyone read the alerts)"
        )
    return keys
