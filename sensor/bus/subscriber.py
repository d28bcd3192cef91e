"""A program's end of the alert stream: addresses and topics go in, alerts come out one by one.

    for alert in Subscriber("tcp://127.0.0.1:5556"):
        print(alert.severity, alert.title)

Law: the alerts of one sensor come out in the order of (epoch, sequence), each once, and none is left out that the
sensor still has; what a peer sends can be skipped and counted, or raise a BusError that says what to do, but never ends
the stream unseen.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol, Self

import msgspec
import zmq

from sensor.alert import Alert
from sensor.alert_log import START, Position
from sensor.bus.connection import Connection, secured
from sensor.bus.follower import Answer, Follower
from sensor.bus.keys import KeyFolder
from sensor.bus.message import Message, Messages
from sensor.bus.sequence import Gap, SequenceTracker
from sensor.bus.topics import ALERTS, covers_all_alerts
from sensor.bus.wire import HEARTBEAT, Heartbeat
from sensor.errors import BusError
from sensor.limits import RECEIVE_QUEUE_ALERTS, STREAMS_MAX

_AHEAD_MAX = 2_000            # alerts fetched and not given out, from which on no more are asked for
_CONFLICT_SECONDS = 2.0
_NO_HEARTBEAT_SECONDS = 10.0


class HasFileno(Protocol):
    """A socket, a pipe's end: what `select` takes."""

    def fileno(self) -> int: ...


class Subscriber:
    """Receives the alerts of one or several sensors whose topic starts with one of `topics`.

    Publishers may come and go; each is connected again by itself, and what was missed is asked for. Iteration ends when
    no alert came for `timeout` seconds (None: never). Not for use by several threads at once.

    `cursors`: (epoch, sequence) of the last alert that the application has, by sensor; the next one comes first. Commit
    `message.position` in the same transaction as the alert, and each alert is in there exactly once.
    `start`: where to begin with sensors that are not in `cursors`: "now", or with the "first" alert they still have.
    `keys`: folder of keys (`tapir keys`), for sensors that are trusted there. `plaintext`: read from other hosts
    without. `wake`: when it becomes readable, waiting ends. `told` gets (topic, body) of what is no alert.

    `gaps` and `missed`: alerts that never arrived and cannot be asked for; None unless `topics` covers all alerts,
    because a narrower choice leaves numbers out by itself. `received`, `replayed`, `repeated`, `malformed`,
    `other_topics` (not alerts), `other_schema`: messages so far. `resets`: logs of sensors that were made anew.
    """

    def __init__(
        self,
        addresses: str | Iterable[str],
        topics: str | Iterable[str] = (ALERTS,),
        timeout: float | None = None,
        receive_hwm: int = RECEIVE_QUEUE_ALERTS,
        wake: HasFileno | None = None,
        cursors: Mapping[str, Position] | None = None,
        start: Literal["now", "first"] = "now",
        keys: str = "",
        plaintext: bool = False,
        told: Callable[[str, bytes], None] = lambda topic, body: None,
    ) -> None:
        self.received = self.replayed = self.other_topics = self.resets = self._malformed = 0
        self._timeout, self._start, self._wake, self._told = timeout, start, wake, told
        self._topics = _as_tuple(topics)
        self._sequences = SequenceTracker()
        self._given: dict[str, Position] = {sensor: (at[0], at[1]) for sensor, at in (cursors or {}).items()}
        self._resumed = frozenset(self._given)
        self._reached: dict[str, Position] = dict(self._given)  # also what waits to be given out
        for sensor, (epoch, sequence) in self._given.items():
            self._sequences.prime(sensor, epoch, sequence)
        self._messages = Messages(self._say_once)
        self._beats = msgspec.json.Decoder(Heartbeat)
        self._refused: dict[str, None] = {}  # what was said once already
        self._waiting: deque[Message | BusError] = deque()
        self._open_answers: list[tuple[Follower, Answer]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._followers: list[Follower] = []
        self._ready: deque[Follower] = deque()  # those with a message that was not fetched yet
        try:
            self._connect(_as_tuple(addresses), receive_hwm, KeyFolder(keys), plaintext)
        except BaseException:
            self.close()
            raise

    def _connect(self, addresses: tuple[str, ...], receive_hwm: int, keys: KeyFolder, plaintext: bool) -> None:
        asked = [topic for topic in self._topics if topic.startswith(ALERTS) or ALERTS.startswith(topic)]
        for address in addresses:
            topics = (*self._topics, HEARTBEAT)
            connection = Connection(self._context, address, topics, receive_hwm, secured(address, keys, plaintext))
            self._followers.append(Follower(self._context, connection, tuple(topic or ALERTS for topic in asked)))

    # --- what it tells ---------------------------------------------------------------------------------------------

    @property
    def cursors(self) -> dict[str, Position]:
        """(epoch, sequence) of the last alert given out, by sensor; with narrower topics also of what was left out."""
        return dict(self._given)

    @property
    def gaps(self) -> Sequence[Gap] | None:
        return tuple(self._sequences.gaps) if covers_all_alerts(self._topics) else None

    @property
    def missed(self) -> int | None:
        return self._sequences.missed if covers_all_alerts(self._topics) else None

    @property
    def connected(self) -> tuple[str, ...]:
        """The addresses where a sensor is there, as of the last wait."""
        return tuple(one.connection.address for one in self._followers if one.connection.connected)

    @property
    def behind(self) -> int:
        """Alerts that sensors are known to have published in their present runs, and that were not given out yet."""
        return sum(
            max(0, one.target[1] - (at[1] if at[0] == one.target[0] else 0))
            for one in self._followers
            if one.sensor is not None and (at := self._given.get(one.sensor)) is not None
        )

    @property
    def heartbeats(self) -> dict[str, tuple[Heartbeat, float]]:
        """The last heartbeat of each address that sent one, and its age in seconds."""
        return {
            one.connection.address: (one.heartbeat, one.silent_seconds) for one in self._followers if one.heartbeat
        }

    @property
    def malformed(self) -> int:
        """Messages that are none."""
        return self._malformed + self._messages.malformed + sum(one.malformed for one in self._followers)

    @property
    def other_schema(self) -> int:
        """Alerts of another version of the schema."""
        return self._messages.other_schema

    @property
    def broken(self) -> int:
        """Connections that ended because the peer broke the protocol or sent a message over limits.ALERT_BYTES_MAX."""
        return sum(one.connection.broken for one in self._followers)

    @property
    def repeated(self) -> int:
        """Alerts with a number that came before, of peers without heartbeats: those are given out all the same."""
        return self._sequences.repeated

    # --- receiving -------------------------------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> Message | None:
        """The next alert; None when `timeout` seconds passed, or `wake` became readable, before one came.

        Raises BusError once for each sensor that speaks another version of the schema (its alerts are skipped), that
        does not accept our key, or that has the name of another.
        """
        end = None if timeout is None else time.monotonic() + timeout
        last_look = False
        while True:
            while not self._waiting and self._ready:
                self._fetch(self._ready.popleft())
            if self._waiting:
                return self._give(self._waiting.popleft())
            left = None if end is None else max(0.0, end - time.monotonic())
            if last_look or not self._wait(left):
                return None
            last_look = left == 0

    def open_alerts(self, timeout: float = 10.0) -> list[Message]:
        """The last revision of each open alert, of all sensors that answer in time.

        Alerts that come meanwhile are given out by `receive` as always.
        """
        end = time.monotonic() + timeout
        found: list[Message] = []
        pending: dict[Follower, int] = {}
        done: set[Follower] = set()
        while len(done) < len(self._followers) and time.monotonic() < end:
            for follower in self._followers:
                if follower.replay is not None and follower not in pending and follower not in done:
                    pending[follower] = follower.ask_open("")
            self._wait(min(0.2, end - time.monotonic()))
            while self._ready:
                self._fetch(self._ready.popleft())
            for follower, answer in self._open_answers:
                if answer.reply.request != pending.get(follower):
                    continue  # to a question of an earlier call
                read = (self._messages.decode(*pair) for pair in answer.pairs)
                messages = [message for message in read if message is not None]
                found += messages
                del pending[follower]
                if answer.reply.more and messages:
                    pending[follower] = follower.ask_open(messages[-1].alert.alert_id)
                else:
                    done.add(follower)
            self._open_answers.clear()
        return found

    def _give(self, next_: Message | BusError) -> Message:
        if isinstance(next_, BusError):
            raise next_
        self._given[next_.alert.sensor] = next_.position
        self.received += 1
        self.replayed += next_.replayed
        return next_

    def _wait(self, seconds: float | None) -> bool:
        """Until a connection has a message, or its state changed; False when woken."""
        due = [] if seconds is None else [seconds]
        poller = zmq.Poller()
        if self._wake is not None:
            poller.register(self._wake, zmq.POLLIN)
        for one in self._followers:
            due += [again for again in (one.connection.tend(), self._tend(one)) if again is not None]
            poller.register(one.connection.socket, zmq.POLLIN)
            poller.register(one.connection.monitor.socket, zmq.POLLIN)
            if one.replay is not None:
                poller.register(one.replay, zmq.POLLIN)
        ready = dict(poller.poll(math.ceil(min(due) * 1000) if due else None))
        for one in self._followers:
            if one.replay is not None and one.replay in ready:
                self._take_answers(one)
            if one.connection.socket in ready:
                self._ready.append(one)
        return self._wake is None or self._wake.fileno() not in ready

    def _tend(self, follower: Follower) -> float | None:
        """Ask for what is missing, once what was fetched is given out."""
        if follower.connection.refused:
            self._say_once(
                f"key {follower.connection.address}",
                f"{follower.connection.address}: the sensor does not allow this program's key;"
                f" there: tapir keys allow NAME {follower.connection.public_key}",
            )
        again = follower.tend()
        if follower.sensor is None:
            if (self._resumed or self._start == "first") and follower.silent_seconds > _NO_HEARTBEAT_SECONDS:
                if follower.connection.connected:
                    self._say_once(
                        f"heartbeat {follower.connection.address}",
                        f"{follower.connection.address}: no heartbeat came, so where to go on cannot be told; does the"
                        f" key of this program allow stats. there, and is the sensor as new as this program?",
                    )
                return None
            return 1.0
        if len(self._waiting) < _AHEAD_MAX and follower.is_behind(self._reached.get(follower.sensor, START)):
            follower.ask(self._reached.get(follower.sensor, START))
        return 1.0 if again is None else again

    def _fetch(self, follower: Follower) -> None:
        """One message from the stream."""
        parts = follower.connection.socket.recv_multipart(zmq.DONTWAIT)
        if parts[0] == HEARTBEAT.encode() and len(parts) == 2:
            self._beat(follower, parts[1])
        elif not parts[0].startswith(ALERTS.encode()):
            self.other_topics += 1
            self._told(parts[0].decode(errors="replace"), parts[-1])
        elif len(parts) != 2:
            self._malformed += 1
        elif (message := self._messages.decode(parts[0], parts[1])) is not None:
            self._take(follower, message)

    def _take(self, follower: Follower, message: Message) -> None:
        """An alert from the stream: given out when it is the next, otherwise left for the replay to bring."""
        sensor, position = message.alert.sensor, message.position
        if any(one.sensor == sensor for one in self._followers):
            follower.saw(position)
            reached = self._reached.get(sensor)
            if reached is not None and position != (reached[0], reached[1] + 1):
                return
        elif follower.sensor is None and (sensor in self._resumed or self._start == "first"):
            return  # the heartbeat will tell what comes first
        self._deliver(message)

    def _deliver(self, message: Message) -> None:
        alert = message.alert
        gap = self._sequences.observe(alert.sensor, alert.epoch, alert.sequence)
        if gap is not None and covers_all_alerts(self._topics):
            message = Message(message.topic, alert, message.body, gap, message.replayed)
        self._reached[alert.sensor] = message.position
        self._waiting.append(message)

    def _beat(self, follower: Follower, body: bytes) -> None:
        try:
            heartbeat = self._beats.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            self._malformed += 1
            return
        follower.ignored = self._in_conflict(follower, heartbeat)
        if follower.ignored:
            return
        follower.beat(heartbeat)
        sensor = heartbeat.sensor
        if sensor not in self._reached:
            self._reached[sensor] = START if self._start == "first" else (heartbeat.epoch, heartbeat.sequence)
            if self._start == "now":
                self._given[sensor] = self._reached[sensor]
                self._sequences.prime(sensor, *self._reached[sensor])
        reached = self._reached[sensor]
        follower.tell(self._given.get(sensor, START) if self._waiting else reached)

    def _take_answers(self, follower: Follower) -> None:
        """Take in what was asked for; answers about open alerts wait for `open_alerts`."""
        for answer in follower.answers():
            if answer.reply.request < 0:
                self._open_answers = [*self._open_answers[-len(self._followers):], (follower, answer)]
            elif answer.reply.problem:
                self._say_once(
                    f"problem {follower.connection.address}", f"{follower.connection.address}: {answer.reply.problem}"
                )
            elif follower.sensor is not None:
                self._take_answer(follower, follower.sensor, answer)

    def _take_answer(self, follower: Follower, sensor: str, answer: Answer) -> None:
        reply = answer.reply
        if reply.reset and self._reached.get(sensor, START)[0] > reply.epoch:
            self.resets += 1
            self._reached[sensor] = START
            self._sequences.forget(sensor)
            if follower.heartbeat is not None:
                follower.target = (follower.heartbeat.epoch, follower.heartbeat.sequence)
        if reply.more and len(self._waiting) < _AHEAD_MAX:
            follower.ask(max(self._reached.get(sensor, START), (reply.upto[0], reply.upto[1])))  # it reads meanwhile
        read = (self._messages.decode(*pair, replayed=True) for pair in answer.pairs)
        messages = [message for message in read if message is not None]
        starts = {message.position for message in messages}
        for hole in reply.holes:
            epoch, first, last = hole
            begins_behind = self._reached.get(sensor, START) < (epoch, last)
            if begins_behind and (epoch, last + 1) not in starts:  # else the number of the next alert tells
                self._sequences.lost(sensor, epoch, first, last)
        for message in messages:
            if message.position > self._reached.get(message.alert.sensor, START):
                self._deliver(message)
        upto = (reply.upto[0], reply.upto[1])
        if upto > self._reached.get(sensor, START):
            self._reached[sensor] = upto
        if not self._waiting:
            self._given[sensor] = max(self._given.get(sensor, START), self._reached.get(sensor, START))
        if reply.more:
            follower.saw((upto[0], upto[1] + 1))
        elif upto >= follower.target:
            follower.tell(self._given.get(sensor, START) if self._waiting else upto)

    def _in_conflict(self, follower: Follower, heartbeat: Heartbeat) -> bool:
        """Whether a sensor that began later has the same name, and both go on: the earlier one is left out."""
        for other in self._followers:
            known = other.heartbeat
            if other is follower or known is None or known.sensor != heartbeat.sensor:
                continue
            if known.epoch > heartbeat.epoch and other.silent_seconds < _CONFLICT_SECONDS:
                if time.monotonic() - max(follower.epoch_since, other.epoch_since) > _CONFLICT_SECONDS:
                    self._say_once(
                        f"name {heartbeat.sensor}",
                        f"{follower.connection.address} and {other.connection.address}: two sensors are called"
                        f" {heartbeat.sensor!r}; give each a name of its own (--sensor): the first one's alerts are"
                        f" left out",
                    )
                return True
        return False

    def _say_once(self, about: str, line: str) -> None:
        if about not in self._refused and len(self._refused) < STREAMS_MAX:
            self._refused[about] = None
            self._waiting.append(BusError(line))

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
