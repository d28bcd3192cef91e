"""Who subscribed: the messages of an XPUB socket go in, the distinct subscribers and what they want come out.

Each subscription carries the file descriptor of the connection it came by, and the name of the peer's key; the
socket's monitor names the descriptor of each connection that ends. Law: a subscriber is one connection with at least
one subscription, however many topics it asks for; nobody gets a topic that its key does not allow.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import zmq

from sensor.bus.monitor import Monitor
from sensor.limits import SUBSCRIPTIONS_MAX

_WATCHED = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_MESSAGES_PER_SECOND = 100
Permitted = Callable[[str], tuple[bytes, ...]]


def everything(name: str) -> tuple[bytes, ...]:
    """Without keys all topics are for everyone."""
    return (b"",)


def granted(asked: bytes, permitted: Iterable[bytes]) -> list[bytes]:
    """The part of what a prefix asks for that is permitted: itself, or the narrower prefixes that are."""
    prefixes = list(permitted)
    if asked.startswith(tuple(prefixes)):
        return [asked]
    return [prefix for prefix in prefixes if prefix.startswith(asked)]


@dataclass(slots=True)
class _Peer:
    """One connection."""

    name: str = ""
    topics: Counter[bytes] = field(default_factory=Counter)
    messages: int = 0
    since: float = 0.0


class Subscriptions:
    """Reads and grants the subscriptions that arrive at `xpub`, which must not be bound yet.

    `broken` counts connections that spoke no ZeroMQ, or without the keys that this socket wants; `hung_up` those that
    asked for too much.
    """

    def __init__(self, xpub: zmq.Socket[bytes], permitted: Permitted = everything) -> None:
        self.broken = self.hung_up = 0
        xpub.setsockopt(zmq.XPUB_VERBOSER, 1)  # each subscription and its end, not only a topic's first and last
        xpub.setsockopt(zmq.XPUB_MANUAL, 1)    # a subscription counts when it is granted
        self._xpub = xpub
        self._permitted = permitted
        self._peers: dict[int, _Peer] = {}  # by descriptor
        self._monitor = Monitor(xpub, _WATCHED)

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        """Readable when there is something to read."""
        return self._xpub, self._monitor.socket

    @property
    def subscribers(self) -> int:
        """Distinct subscribers, as of the last `read`."""
        return sum(1 for peer in self._peers.values() if peer.topics)

    def wants(self, topic: bytes) -> bool:
        """Whether a message of this topic would go to anyone."""
        return any(topic.startswith(tuple(peer.topics)) for peer in self._peers.values() if peer.topics)

    def read(self) -> bool:
        """Take in what has arrived; never blocks. Whether someone new subscribed."""
        arrived = self._arrived()
        closed = self._drop_closed()
        new = False
        for connection, name, topic, asked in arrived:
            if connection in closed:
                continue
            peer = self._peers.setdefault(connection, _Peer(name))
            if asked:
                new |= not peer.topics
                peer.topics[topic] += 1
            elif peer.topics[topic] > 1:
                peer.topics[topic] -= 1
            else:
                del peer.topics[topic]
            self._limit(connection, peer)
        return new

    def wait(self, count: int, limit_seconds: float | None) -> bool:
        """Wait until `count` distinct subscribers are there; False when the limit passed first. None waits for ever."""
        end = None if limit_seconds is None else time.monotonic() + limit_seconds
        poller = zmq.Poller()
        for readable in self.sockets:
            poller.register(readable, zmq.POLLIN)
        while True:
            self.read()
            if self.subscribers >= count:
                return True
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            poller.poll(None if left is None else math.ceil(left * 1000))

    def hang_up(self, names: Iterable[str]) -> None:
        """End the connections of peers with these names: what they may do has changed."""
        ended = set(names)
        for connection, peer in self._peers.items():
            if peer.name in ended:
                hang_up(connection, self._xpub)

    def settled(self, limit_seconds: float) -> bool:
        """Whether any subscriber is left, once ZeroMQ noticed which ones are not; at most after the limit."""
        end = time.monotonic() + limit_seconds
        while True:
            self.read()
            left = [connection for connection, peer in self._peers.items() if peer.topics]
            gone = sum(has_ended(connection, self._xpub) for connection in left)
            if not gone or time.monotonic() >= end:
                return len(left) > gone
            self._monitor.socket.poll(10)

    def close(self) -> None:
        self._monitor.close()

    def _arrived(self) -> list[tuple[int, str, bytes, bool]]:
        """(connection, name, topic, begun or ended) of each subscription since the last call."""
        changes = []
        while self._xpub.poll(0):
            frame = self._xpub.recv(zmq.DONTWAIT, copy=False)
            content = frame.bytes
            if content[:1] not in (b"\x00", b"\x01"):
                continue
            try:
                connection = int(frame.get(zmq.SRCFD))
            except zmq.ZMQError:  # ended by the end of its connection: that has no descriptor any more
                continue
            name = name_of(frame)
            asked, topic = content[:1] == b"\x01", content[1:]
            option = zmq.SUBSCRIBE if asked else zmq.UNSUBSCRIBE
            for prefix in granted(topic, self._permitted(name)):
                self._xpub.setsockopt(option, prefix)
            changes.append((connection, name, topic, asked))
        return changes

    def _drop_closed(self) -> set[int]:
        """Forget the connections that ended; returns those whose descriptor no newer connection has taken over."""
        closed = set()
        for number, connection in self._monitor.drain():
            if number in (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
                self.broken += 1  # what comes with it is no descriptor
                continue
            self._peers.pop(connection, None)
            if number == zmq.EVENT_DISCONNECTED:
                closed.add(connection)
            else:
                closed.discard(connection)
        return closed

    def _limit(self, connection: int, peer: _Peer) -> None:
        """Hang up on a connection with too many subscriptions, or that changes them without end."""
        now = time.monotonic()
        if now - peer.since >= 1.0:
            peer.since, peer.messages = now, 0
        peer.messages += 1
        if len(peer.topics) > SUBSCRIPTIONS_MAX or peer.messages > _MESSAGES_PER_SECOND:
            self.hung_up += hang_up(connection, self._xpub)


def name_of(frame: zmq.Frame) -> str:
    """The name of the key by which a message came; empty without keys."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def hang_up(connection: int, listening: zmq.Socket[bytes]) -> bool:
    """End one connection of a socket. ZeroMQ has no call for it: the system is told, ZeroMQ then notices."""
    with suppress(OSError), _peer(connection, listening) as peer:
        peer.shutdown(socket.SHUT_RDWR)
        return True
    return False


def has_ended(connection: int, listening: zmq.Socket[bytes]) -> bool:
    """Whether the other side of a connection of a socket is gone, which ZeroMQ may not have noticed yet."""
    try:
        with _peer(connection, listening) as peer:
            return peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _peer(connection: int, listening: zmq.Socket[bytes]) -> socket.socket:
    """A descriptor of our own for a connection to the address that is listened on. Raises OSError where it is none: by
    now the number may be another's.
    """
    bound = listening.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0")  # type: ignore[union-attr]
    peer = socket.socket(fileno=os.dup(connection))
    name = peer.getsockname()
    local = f":{name[1]}".encode() if isinstance(name, tuple) else os.fsencode(name)
    if local and bound.endswith(local):
        return peer
    peer.close()
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
