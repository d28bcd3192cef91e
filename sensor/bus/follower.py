"""Following one sensor without a gap: its heartbeats and the numbers of its alerts go in, requests for what is missing
go out, and the answers come back.

Law: there is one request under way at most, and it is for what follows the position that the subscriber has reached;
so whatever is lost on the way (a request, an answer, the sensor itself), asking again is right.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import msgspec
import zmq

from sensor.alert_log import START, Position
from sensor.bus import addresses
from sensor.bus.connection import Connection
from sensor.bus.wire import Heartbeat, Reply, Request
from sensor.limits import ALERT_BYTES_MAX, REPLY_BYTES

_PATIENCE_SECONDS = 3.0   # without an answer the request is sent again, on a new connection
_SILENCE_SECONDS = 10.0   # without a heartbeat the connection is taken for dead
_REPLIES_WAITING = 4


@dataclass(slots=True)
class Answer:
    """A reply and the (topic, alert) pairs that came with it."""

    reply: Reply
    pairs: list[tuple[bytes, bytes]] = field(default_factory=list)


class Follower:
    """What is known about the sensor behind one connection. `sensor` is its name once a heartbeat has come.

    `target` is the newest position it has told of; `replay` the socket to ask on, None before the first heartbeat.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], connection: Connection, topics: tuple[str, ...]
    ) -> None:
        self.connection = connection
        self.sensor: str | None = None
        self.heartbeat: Heartbeat | None = None
        self.target: Position = START
        self.epoch_since = 0.0  # when the present epoch was first heard of
        self.heard_at = time.monotonic()
        self.replay: zmq.Socket[bytes] | None = None
        self.ignored = False    # another sensor has the same name
        self.malformed = 0
        self._context, self._topics = context, topics
        self._address = ""
        self._request = 0
        self._asked_at: float | None = None
        self._replies = msgspec.json.Decoder(Reply)

    @property
    def silent_seconds(self) -> float:
        """Since the last heartbeat, or since the connection was made."""
        return time.monotonic() - self.heard_at

    def beat(self, heartbeat: Heartbeat) -> None:
        """Take in a heartbeat."""
        self.heard_at = time.monotonic()
        if self.heartbeat is None or self.heartbeat.epoch != heartbeat.epoch:
            self.epoch_since = self.heard_at
        self.heartbeat, self.sensor = heartbeat, heartbeat.sensor
        self.target = (heartbeat.epoch, heartbeat.sequence)
        address = addresses.as_reached(heartbeat.replay, self.connection.address)
        if self.replay is None or address != self._address:
            self._open(address)

    def saw(self, position: Position) -> None:
        """Take in an alert's position that came on the stream."""
        self.target = max(self.target, position)

    def is_behind(self, position: Position) -> bool:
        """Whether the sensor has something that follows `position`, or does not know such a position."""
        return self.sensor is not None and not self.ignored and (position < self.target or position[0] > self.target[0])

    def ask(self, after: Position) -> None:
        """Ask for what follows, unless an answer is awaited already."""
        if self._asked_at is None:
            self._request += 1
            self._asked_at = time.monotonic()
            self._send(Request(request=self._request, after=after, at=after, topics=self._topics))

    def ask_open(self, behind: str) -> int:
        """Ask for open alerts with an id behind this one; returns the number that the reply will carry."""
        self._request += 1
        self._send(Request(request=-self._request, snapshot=behind, topics=self._topics))
        return -self._request

    def tell(self, at: Position) -> None:
        """Say how far this subscriber is."""
        self._send(Request(at=at))

    def answers(self) -> list[Answer]:
        """What has come: answers to the request under way, and open alerts."""
        found = []
        while self.replay is not None and self.replay.poll(0):
            try:
                header, lines = self.replay.recv_multipart(zmq.DONTWAIT)
                reply = self._replies.decode(header)
            except (ValueError, msgspec.MsgspecError, RecursionError):
                self.malformed += 1
                continue
            if reply.request == self._request:
                self._asked_at = None
            elif reply.request >= 0:
                continue  # to a request that was given up
            pairs = [line.partition(b" ") for line in lines.split(b"\n")[:-1]]
            found.append(Answer(reply, [(topic, body) for topic, _, body in pairs]))
        return found

    def tend(self) -> float | None:
        """Give up what is overdue; returns the seconds until it is to be called again (None: any time)."""
        now = time.monotonic()
        if self.sensor is not None and now - self.heard_at > _SILENCE_SECONDS:
            self.heard_at = now
            self.connection.connect_anew()
        if self._asked_at is None:
            return None
        left = self._asked_at + _PATIENCE_SECONDS - now
        if left <= 0:
            self._open(self._address)
            return 0.0
        return left

    def close(self) -> None:
        if self.replay is not None:
            self.replay.close(linger=0)

    def _open(self, address: str) -> None:
        self.close()
        self._address, self._asked_at = address, None
        self._request += 1
        self.replay = self._context.socket(zmq.DEALER)
        self.replay.setsockopt(zmq.LINGER, 0)  # a connection given up has it too, and would be waited for at the end
        self.replay.setsockopt(zmq.MAXMSGSIZE, REPLY_BYTES + 2 * ALERT_BYTES_MAX)
        self.replay.setsockopt(zmq.RCVHWM, _REPLIES_WAITING)
        self.replay.setsockopt(zmq.SNDHWM, _REPLIES_WAITING)
        self.replay.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        addresses.keep_alive(self.replay)
        if self.connection.secured is not None:
            self.connection.secured.protect(self.replay)
        addresses.connect(self.replay, address)

    def _send(self, request: Request) -> None:
        if self.replay is not None:
            try:
                self.replay.send(msgspec.json.encode(request), zmq.DONTWAIT)
            except zmq.Again:  # nobody takes it: what matters is asked again
                return
