"""Ending on request: SIGINT and SIGTERM go in, a socket that becomes readable comes out.

Law: a signal interrupts no half-written line and is never lost, whenever it comes: the interpreter's wake-up
descriptor is written by the C handler itself. A second signal ends the process as it would any other.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[socket.socket]:
    """While inside, the first SIGINT or SIGTERM makes the socket readable and does nothing else. Main thread only."""
    readable, written = socket.socketpair()
    written.setblocking(False)
    before = {number: signal.signal(number, _once) for number in _SIGNALS}
    wakeup_before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        readable.close()
        written.close()


def _once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
