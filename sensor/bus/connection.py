"""One SUB socket to one address: it stays connected, whatever the peer does.

ZeroMQ itself tries again when a peer goes away, but never again after a peer broke the protocol, refused our key or
sent a message over the limit. Law: after any end of the connection there is another attempt, one a second at most.
"""

from __future__ import annotations

import time
from contextlib import suppress

import zmq

from sensor.bus import addresses
from sensor.bus.keys import KeyFolder, KeyPair
from sensor.bus.monitor import Monitor
from sensor.errors import BusError
from sensor.limits import ALERT_BYTES_MAX

_RETRY_SECONDS = 1.0
_WATCHED = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
)


class Secured:
    """The keys of a connection: our own pair and the sensor's public key."""

    def __init__(self, own: KeyPair, server: bytes) -> None:
        self.own, self.server = own, server

    def protect(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket that is not connected yet one that speaks to this sensor only, encrypted."""
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.own.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.own.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server)


class Connection:
    """`socket` gives the messages. `connected` tells whether the peer is there; `broken` how often it broke the
    protocol, `refused` how often it did not accept our key.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        topics: tuple[str, ...],
        receive_hwm: int,
        secured: Secured | None = None,
    ) -> None:
        self.address = address
        self.secured = secured
        self.connected = False
        self.broken = self.refused = 0
        self._ended_at: float | None = None  # when the connection ended, until ZeroMQ says that it tries again
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, receive_hwm)
        self.socket.setsockopt(zmq.MAXMSGSIZE, ALERT_BYTES_MAX)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, round(_RETRY_SECONDS * 1000))
        addresses.keep_alive(self.socket)
        if secured is not None:
            secured.protect(self.socket)
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self.monitor = Monitor(self.socket, _WATCHED)
        addresses.connect(self.socket, address)

    @property
    def public_key(self) -> str:
        """Our own, as the sensor has to allow it; empty without keys."""
        return "" if self.secured is None else self.secured.own.public.decode()

    def tend(self) -> float | None:
        """Note what happened and connect anew when due; returns the seconds until it is to be called again (None: any
        time).
        """
        for number, _ in self.monitor.drain():
            self.connected = number == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self.refused += number == zmq.EVENT_HANDSHAKE_FAILED_AUTH
            ended = number not in (zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_CONNECT_RETRIED)
            self._ended_at = time.monotonic() if ended else None
        if self._ended_at is None:
            return None
        left = self._ended_at + _RETRY_SECONDS - time.monotonic()
        if left > 0:
            return left
        self._ended_at = None
        self.broken += 1
        self.connect_anew()
        return None

    def connect_anew(self) -> None:
        """Give up the connection, which may be dead without either side knowing, and make another."""
        with suppress(zmq.ZMQError):  # the address is forgotten already, depending on how the connection ended
            self.socket.disconnect(self.address)
        addresses.connect(self.socket, self.address)


def secured(address: str, keys: KeyFolder, plaintext: bool) -> Secured | None:
    """The keys for a sensor; None for one that is read without. BusError where keys are needed and missing."""
    server = None if plaintext else keys.key_of_sensor(address)
    if server is not None:
        return Secured(keys.own(), server)
    if plaintext or addresses.is_local(address):
        return None
    raise BusError(
        f"{address}: the key of this sensor is not known: tapir keys trust NAME {address} KEY, with the KEY that"
        f" `tapir keys show` prints on the sensor (or --plaintext, where the sensor listens so)"
    )
