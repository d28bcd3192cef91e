"""Ending on request: SIGINT and SIGTERM go in, a socket that becomes readable comes out.

Law: a signal interrupts no half-written line and is never lost, whenever it comes: the interpreter's wake-up
descriptor is written by the C handler itself. A second signal ends the process as it would any other.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals(hangup: bool = False) -> Iterator[socket.socket]:
    """While inside, the first SIGINT or SIGTERM makes the socket readable and does nothing else; with `hangup` so does
    every SIGHUP, unless this is a terminal's program. Main thread only.
    """
    readable, written = socket.socketpair()
    written.setblocking(False)
    readable.setblocking(False)
    before = {number: signal.signal(number, _once) for number in _SIGNALS}
    if hangup and not (sys.stdin and sys.stdin.isatty()):
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, _nothing)
    wakeup_before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        readable.close()
        written.close()


def hung_up(readable: socket.socket) -> bool:
    """Whether SIGHUP alone made it readable; it is not any more then."""
    try:
        told = readable.recv(4_096, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    if set(told) - {signal.SIGHUP}:
        return False
    readable.recv(len(told))
    return bool(told)


def _nothing(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor has told already."""


def _once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
