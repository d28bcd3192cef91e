"""Who listens: what subscribers send to an XPUB socket goes in, the number of distinct subscribers comes out.

Each subscription carries the file descriptor of the connection it came by; the socket's monitor names the descriptor
of each connection that ends. Law: a subscriber is one connection with at least one subscription, however many topics
it asks for.
"""

from __future__ import annotations

import math
import time
from collections import Counter

import zmq

from sensor.bus.monitor import Monitor

_WATCHED = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


class Subscriptions:
    """Reads the subscriptions that arrive at `xpub`, which must have XPUB_VERBOSER set before it is bound."""

    def __init__(self, xpub: zmq.Socket[bytes]) -> None:
        self._xpub = xpub
        self._topics: Counter[int] = Counter()  # connection -> subscriptions it holds

    @property
    def subscribers(self) -> int:
        """Distinct subscribers. One that left is still counted, unless it left during `wait`."""
        return sum(1 for held in self._topics.values() if held > 0)

    def read(self) -> None:
        """Take in what has arrived, so that it does not pile up in memory; never blocks."""
        self._apply(self._arrived(), closed=set())

    def wait(self, count: int, limit_seconds: float | None) -> bool:
        """Wait until `count` distinct subscribers are there; False when the limit passed first. None waits for ever."""
        end = None if limit_seconds is None else time.monotonic() + limit_seconds
        monitor = Monitor(self._xpub, _WATCHED)
        poller = zmq.Poller()
        poller.register(self._xpub, zmq.POLLIN)
        poller.register(monitor.socket, zmq.POLLIN)
        try:
            while True:
                arrived = self._arrived()
                self._apply(arrived, self._drop_closed(monitor))
                if self.subscribers >= count:
                    return True
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                poller.poll(None if left is None else math.ceil(left * 1000))
        finally:
            monitor.close()

    def _arrived(self) -> list[tuple[int, int]]:
        """(connection, +1 or -1) for each subscription begun or ended since the last call."""
        changes = []
        while self._xpub.poll(0):
            frame = self._xpub.recv(zmq.DONTWAIT, copy=False)
            kind = frame.bytes[:1]
            if kind in (b"\x00", b"\x01"):
                try:
                    changes.append((int(frame.get(zmq.SRCFD)), 1 if kind == b"\x01" else -1))
                except zmq.ZMQError:  # ended by the end of its connection: that has no descriptor any more
                    continue
        return changes

    def _drop_closed(self, monitor: Monitor) -> set[int]:
        """Forget the connections that ended; returns those whose descriptor no newer connection has taken over."""
        closed = set()
        for number, connection in monitor.drain():
            self._topics.pop(connection, None)
            if number == zmq.EVENT_DISCONNECTED:
                closed.add(connection)
            else:
                closed.discard(connection)
        return closed

    def _apply(self, changes: list[tuple[int, int]], closed: set[int]) -> None:
        """`changes` must have been read before `closed`: what a closed connection asked for is then already void."""
        for connection, change in changes:
            if connection not in closed:
                self._topics[connection] += change
