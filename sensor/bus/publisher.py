"""The sensor's end of the alert stream: alerts go in, multipart messages [topic, JSON] go out to whoever subscribed.

One XPUB socket: on the wire it is a PUB socket, and it also tells who subscribed. Law: `publish` never waits for
anyone; a subscriber that does not keep up loses alerts (it sees that by their sequence numbers, and can ask for them
again: sensor/bus/replay.py), the sensor and the others do not.
"""

from __future__ import annotations

import time
from enum import IntEnum
from typing import Self

import msgspec
import zmq

from sensor.alert import Alert
from sensor.bus import addresses
from sensor.bus.gate import Gate
from sensor.bus.subscriptions import Subscriptions, everything
from sensor.bus.topics import topic_of
from sensor.counters import Counters
from sensor.errors import BusError
from sensor.limits import ALERT_BYTES_MAX, HANDSHAKE_SECONDS, SEND_QUEUE_ALERTS, SUBSCRIPTION_BYTES_MAX

_NOTICED_SECONDS = 0.5  # what ZeroMQ may need to notice that a connection broke


class BusCount(IntEnum):
    """What a publisher counts."""

    PUBLISHED = 0   # alerts handed to the socket
    QUEUE_FULL = 1  # alerts that met a full queue: ZeroMQ then drops for that subscriber, uncounted, until it reads on
    TOO_LARGE = 2   # alerts over limits.ALERT_BYTES_MAX, sent to nobody


class Publisher:
    """Publishes alerts at `address` (sensor/bus/addresses.py); `address` then holds the port that was chosen.

    `wait_subscribers`: return only when so many distinct subscribers are there; BusError after `wait_seconds` (None:
    no limit).
    `linger_seconds`: how long `close` waits for the queues of subscribers to empty.
    `send_hwm`: alerts queued per subscriber before it loses some.
    `context`, `gate`: those of an AlertStream; without a gate everyone may subscribe.
    """

    def __init__(
        self,
        address: str,
        wait_subscribers: int = 0,
        wait_seconds: float | None = None,
        linger_seconds: float = 5.0,
        send_hwm: int = SEND_QUEUE_ALERTS,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.counters = Counters(BusCount)
        self._linger_seconds = linger_seconds
        self._encoder = msgspec.json.Encoder()
        self._context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        self._socket = _open(self._context, send_hwm)
        if gate is not None:
            gate.protect(self._socket)
        self.subscriptions = Subscriptions(self._socket, gate.topics if gate else everything)
        try:
            self.address = addresses.listen(self._socket, address)
            if wait_subscribers > 0:
                self.wait_for_subscribers(wait_subscribers, wait_seconds)
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def wait_for_subscribers(self, count: int, limit_seconds: float | None = None) -> None:
        """Wait until `count` distinct subscribers are there: connections with a subscription, however many topics each.

        Raises BusError when `limit_seconds` pass first.
        """
        if not self.subscriptions.wait(count, limit_seconds):
            found = self.subscriptions.subscribers
            raise BusError(f"{self.address}: {found} of {count} subscribers came within {limit_seconds:g} s")

    def publish(self, alert: Alert) -> None:
        """Queue one alert for each subscriber to its topic. Never blocks."""
        self.subscriptions.read()
        body = self._encoder.encode(alert)
        if len(body) > ALERT_BYTES_MAX:
            self.counters.values[BusCount.TOO_LARGE] += 1
            return
        self.send(topic_of(alert).encode(), body)
        self.counters.values[BusCount.PUBLISHED] += 1

    def send(self, topic: bytes, body: bytes) -> None:
        """Queue one message for each subscriber to its topic.

        With XPUB_NODROP the socket refuses a message that meets a full queue: it is counted, then sent to the others.
        """
        try:
            self._socket.send_multipart([topic, body], zmq.DONTWAIT)
        except zmq.Again:
            self.counters.values[BusCount.QUEUE_FULL] += 1
            self._socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._socket.send_multipart([topic, body], zmq.DONTWAIT)
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)

    def close(self) -> None:
        """Wait until the queues of all subscribers are empty. Raises BusError when the linger time ran out first.

        With a linger time of 0 nobody is waited for, and what they lack is not said.

        ZeroMQ forgets to wake up for the queue of a connection that broke as its socket was being closed. Broken ones
        have the linger time that the socket had when it began to listen (0 here, for ever as ZeroMQ comes), unless
        they broke unnoticed: then they would be waited for like living ones.
        """
        if self._context.closed:
            return
        start = time.monotonic()
        waiting = self.subscriptions.settled(_NOTICED_SECONDS)
        self.subscriptions.close()
        self._socket.close(linger=round(self._linger_seconds * 1000) if waiting else 0)
        self._context.term()
        if 0 < self._linger_seconds <= time.monotonic() - start:
            waited = f"{self._linger_seconds:g} s"
            raise BusError(f"{self.address}: a subscriber had not taken all alerts after {waited}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _open(context: zmq.Context[zmq.Socket[bytes]], send_hwm: int) -> zmq.Socket[bytes]:
    xpub = context.socket(zmq.XPUB)
    xpub.setsockopt(zmq.XPUB_NODROP, 1)  # see Publisher.send
    xpub.setsockopt(zmq.LINGER, 0)       # see Publisher.close
    xpub.setsockopt(zmq.SNDHWM, send_hwm)
    xpub.setsockopt(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES_MAX)
    xpub.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_SECONDS * 1000)
    addresses.keep_alive(xpub)
    return xpub
