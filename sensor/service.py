"""Speaking with systemd: in: what a service does; out: sd_notify messages, and how often the watchdog wants one.

Protocol: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. The one law: without systemd, all of
it does nothing; a service manager that went away, or does not listen, holds nothing up.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Tells the service manager that `environment` names. `watchdog_seconds`: at most so long between two `beat`s that
    tell it, 0 when it does not watch.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if path else None
        for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        limit = environment.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(limit) / 2e6 if for_us and limit.isdecimal() else 0.0
        self._beaten = -self.watchdog_seconds

    def ready(self, status: str) -> None:
        self._tell(f"READY=1\nSTATUS={status}")

    def starting(self) -> None:
        """It is not ready yet, and will say so again, or be ready, within five minutes."""
        self._tell("EXTEND_TIMEOUT_USEC=300000000\nSTATUS=compiles for this machine, once")

    def reloading(self) -> None:
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={text}")

    def beat(self) -> None:
        """The work goes on; told as often as the watchdog wants it."""
        now = time.monotonic()
        if self.watchdog_seconds and now - self._beaten >= self.watchdog_seconds:
            self._beaten = now
            self._tell("WATCHDOG=1")

    def _tell(self, message: str) -> None:
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode(), socket.MSG_DONTWAIT, self._address)

    def close(self) -> None:
        if self._socket:
            self._socket.close()
