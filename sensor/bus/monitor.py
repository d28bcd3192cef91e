"""What happens to the connections of a socket: ZeroMQ's monitor messages go in, (event, value) pairs come out.

Law: the queue of the monitor has no bound, because ZeroMQ's own thread would wait for whoever does not read it. Watch
only events that come seldom.
"""

from __future__ import annotations

import itertools
import struct

import zmq

_EVENT = struct.Struct("=HI")  # zmq_socket_monitor: event, value
_names = itertools.count()


class Monitor:
    """Watches `watched` for `events` (zmq.EVENT_...) until closed. `socket` is readable when there is something to
    drain.
    """

    def __init__(self, watched: zmq.Socket[bytes], events: int) -> None:
        address = f"inproc://monitor-{next(_names)}"
        self._watched = watched
        watched.monitor(address, events)
        self.socket: zmq.Socket[bytes] = watched.context.socket(zmq.PAIR)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.connect(address)

    def drain(self) -> list[tuple[int, int]]:
        """(event, value) of all that has happened since the last call, in order; the value's meaning is the event's."""
        happened = []
        while self.socket.poll(0):
            happened.append(_EVENT.unpack(self.socket.recv_multipart()[0]))
        return happened

    def close(self) -> None:
        self._watched.monitor(None, 0)
        self.socket.close(linger=0)
