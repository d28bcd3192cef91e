"""The sensor's memory for subscribers: requests come in on a ROUTER socket, alerts that were published go out.

A subscriber says after which position it wants what follows, and says how far it is. Law: a request costs a bounded
amount of time and memory, requests together at most half of one processor, and none of it capture's.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import IntEnum

import msgspec
import zmq

from sensor.alert_log import START, AlertLog, Position, Record
from sensor.bus import addresses
from sensor.bus.gate import Gate
from sensor.bus.monitor import Monitor
from sensor.bus.open_alerts import OpenAlerts
from sensor.bus.subscriptions import granted, hang_up, name_of
from sensor.bus.wire import Reply, Request, SubscriberHealth
from sensor.counters import Counters
from sensor.errors import BusError
from sensor.limits import (
    HANDSHAKE_SECONDS,
    PEERS_MAX,
    REPLIES_QUEUED,
    REPLY_BYTES,
    REPLY_RECORDS,
    REQUEST_BYTES_MAX,
    REQUESTS_PER_SECOND,
)

_FOLLOWED_SECONDS = 5.0  # a peer that said nothing for so long is not waited for


class ReplayCount(IntEnum):
    """What a replay server counts."""

    REQUESTS = 0
    ALERTS = 1     # alerts sent again
    MALFORMED = 2  # requests that are none: the peer is hung up on
    LIMITED = 3    # requests over limits.REQUESTS_PER_SECOND of one peer, refused


@dataclass(slots=True)
class _Peer:
    address: str
    name: str
    at: Position
    heard: float
    connection: int  # its descriptor
    tokens: float = float(REQUESTS_PER_SECOND)


class ReplayServer:
    """Answers from `log` at `address`; `address` then holds the port that was chosen."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        log: AlertLog,
        sensor: str,
        gate: Gate | None = None,
    ) -> None:
        self.counters = Counters(ReplayCount)
        self.open_alerts = OpenAlerts(log.tail())
        self._log, self._sensor, self._gate = log, sensor, gate
        self._decoder = msgspec.json.Decoder(Request)
        self._peers: OrderedDict[bytes, _Peer] = OrderedDict()
        self._rest_until = 0.0
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, REPLIES_QUEUED)
        self.socket.setsockopt(zmq.RCVHWM, REPLIES_QUEUED)
        self.socket.setsockopt(zmq.MAXMSGSIZE, REQUEST_BYTES_MAX)
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_SECONDS * 1000)
        addresses.keep_alive(self.socket)
        if gate is not None:
            gate.protect(self.socket)
        self._monitor = Monitor(self.socket, zmq.EVENT_DISCONNECTED)
        try:
            self.address = addresses.listen(self.socket, address)
        except BusError as error:
            raise BusError(f"{error} (for replay; --replay ADDRESS chooses another)") from None

    @property
    def rests(self) -> float:
        """Seconds until the next request may be served."""
        return max(0.0, self._rest_until - time.monotonic())

    def serve(self) -> None:
        """Answer one request, if there is one and it is time; never blocks."""
        start = time.monotonic()
        if start < self._rest_until or not self.socket.poll(0):
            return
        frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
        identity, envelope = frames[0].bytes, [frame.bytes for frame in frames[1:-1]]
        name = name_of(frames[-1])
        try:
            if any(envelope) or len(frames) > 3:
                raise msgspec.ValidationError
            request = self._decoder.decode(frames[-1].bytes)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.counters.values[ReplayCount.MALFORMED] += 1
            hang_up(int(frames[-1].get(zmq.SRCFD)), self.socket)
            return
        peer = self._follow(identity, name, frames[-1], start)
        if request.at is not None:
            peer.at = request.at
        if request.after is None and request.snapshot is None:
            return
        if peer.tokens < 1.0:
            self.counters.values[ReplayCount.LIMITED] += 1
            return
        peer.tokens -= 1.0
        self.counters.values[ReplayCount.REQUESTS] += 1
        worked = time.thread_time()
        reply, records = self._answer(request, name)
        self.counters.values[ReplayCount.ALERTS] += len(records)
        lines = b"".join(b"%s %s\n" % (record.topic, record.body) for record in records)
        self.socket.send_multipart([identity, *envelope, msgspec.json.encode(reply), lines])
        self._rest_until = time.monotonic() + time.thread_time() - worked

    def close(self) -> None:
        """Give replies that are under way a second."""
        self._monitor.close()
        self.socket.close(linger=1000)

    def lags(self) -> list[SubscriberHealth]:
        """Of each subscriber that told lately how far it is."""
        now = time.monotonic()
        ended = {connection for _, connection in self._monitor.drain()}
        for identity in [identity for identity, peer in self._peers.items() if peer.connection in ended]:
            del self._peers[identity]
        return [
            SubscriberHealth(address=peer.address, key=peer.name, lag=self._lag(peer), heard_seconds=now - peer.heard)
            for peer in self._peers.values()
            if now - peer.heard < _FOLLOWED_SECONDS
        ]

    def _lag(self, peer: _Peer) -> int:
        epoch, sequence = self._log.last
        return max(0, sequence - (peer.at[1] if peer.at[0] == epoch else 0)) if peer.at[0] <= epoch else 0

    def _follow(self, identity: bytes, name: str, frame: zmq.Frame, now: float) -> _Peer:
        peer = self._peers.get(identity)
        if peer is None:
            address = str(frame.get("Peer-Address"))
            peer = self._peers[identity] = _Peer(address, name, START, now, int(frame.get(zmq.SRCFD)))
            if len(self._peers) > PEERS_MAX:
                self._peers.popitem(last=False)
        peer.tokens = min(float(REQUESTS_PER_SECOND), peer.tokens + (now - peer.heard) * REQUESTS_PER_SECOND)
        peer.heard = now
        self._peers.move_to_end(identity)
        return peer

    def _answer(self, request: Request, name: str) -> tuple[Reply, list[Record]]:
        topics = self._permitted(request.topics, name)
        if request.snapshot is not None:
            records, more = self.open_alerts.page(request.snapshot, topics, REPLY_BYTES)
            return self._reply(request, upto=self._log.last, more=more), records
        if not topics:
            return self._reply(request, problem="the key of this subscriber allows none of these topics"), []
        wanted = min(request.records_max, REPLY_RECORDS)
        chunk = self._log.read(request.after or START, topics, wanted, REPLY_BYTES)
        reply = self._reply(request, upto=chunk.upto, more=chunk.more, reset=chunk.reset, holes=chunk.holes[:100])
        return reply, chunk.records

    def _reply(self, request: Request, **fields: object) -> Reply:
        return Reply(request=request.request, sensor=self._sensor, epoch=self._log.epoch, **fields)  # type: ignore[arg-type]

    def _permitted(self, topics: tuple[str, ...], name: str) -> tuple[bytes, ...]:
        asked = [topic.encode() for topic in topics]
        if self._gate is None:
            return tuple(asked)
        permitted = self._gate.topics(name)
        return tuple(prefix for topic in asked for prefix in granted(topic, permitted))
