"""One SUB socket to one address: it stays connected, whatever the peer does.

ZeroMQ itself tries again when a peer goes away, but never again after a peer broke the protocol or sent a message
over the limit. Law: after any end of the connection there is another attempt, one a second at most.
"""

from __future__ import annotations

import time
from contextlib import suppress

import zmq

from sensor.bus import addresses
from sensor.bus.monitor import Monitor
from sensor.limits import ALERT_BYTES_MAX

_RETRY_SECONDS = 1.0
_WATCHED = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
)


class Connection:
    """`socket` gives the messages. `connected` tells whether the peer is there; `broken` how often it broke the
    protocol.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], address: str, topics: tuple[str, ...], receive_hwm: int
    ) -> None:
        self.address = address
        self.connected = False
        self.broken = 0
        self._ended_at: float | None = None  # when the connection ended, until ZeroMQ says that it tries again
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.RCVHWM, receive_hwm)
        self.socket.setsockopt(zmq.MAXMSGSIZE, ALERT_BYTES_MAX)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, round(_RETRY_SECONDS * 1000))
        addresses.keep_alive(self.socket)
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self.monitor = Monitor(self.socket, _WATCHED)
        addresses.connect(self.socket, address)

    def tend(self) -> float | None:
        """Note what happened and connect anew when due; returns the seconds until it is to be called again (None: any
        time).
        """
        for number, _ in self.monitor.drain():
            self.connected = number == zmq.EVENT_HANDSHAKE_SUCCEEDED
            ended = number not in (zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_CONNECT_RETRIED)
            self._ended_at = time.monotonic() if ended else None
        if self._ended_at is None:
            return None
        left = self._ended_at + _RETRY_SECONDS - time.monotonic()
        if left > 0:
            return left
        self._ended_at = None
        self.broken += 1
        with suppress(zmq.ZMQError):  # the address is forgotten already, depending on how the connection ended
            self.socket.disconnect(self.address)
        addresses.connect(self.socket, self.address)
        return None
