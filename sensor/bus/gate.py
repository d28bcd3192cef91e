"""Who may connect: keys of peers go in, yes with a name, or no, comes out (ZAP, https://rfc.zeromq.org/spec/27/).

Law: a peer whose key is not in the allow-list gets not one byte; changes of the list count within a second, also for
peers that are connected.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum

import zmq
from zmq.utils import z85

from sensor.bus.keys import Allowed, KeyFolder
from sensor.counters import Counters

_ADDRESS = "inproc://zeromq.zap.01"
_RELOAD_SECONDS = 0.5
_TOLD_SECONDS = 60.0
_TOLD_MAX = 256


class GateCount(IntEnum):
    """What a gate counts."""

    ALLOWED = 0
    REFUSED = 1  # peers whose key is not in the list, or that showed none
    RELOADS = 2  # times the list changed


class Gate:
    """The allow-list of a sensor, for all CURVE sockets of `context`. `report` gets a line about each refused peer."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], keys: KeyFolder, report: Callable[[str], None]
    ) -> None:
        self.counters = Counters(GateCount)
        self.own = keys.own()
        self._keys, self._report = keys, report
        self._signature: object = None
        self._reload_at = 0.0
        self._by_key: dict[str, tuple[str, Allowed]] = {}
        self._told: dict[str, float] = {}
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ADDRESS)
        self.refresh()

    def protect(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket that is not bound yet one for allowed peers only."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.own.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, b"tapir")

    def refresh(self) -> set[str]:
        """Read the list anew when it changed; names that lost something by it: their connections must end."""
        if time.monotonic() < self._reload_at:
            return set()
        self._reload_at = time.monotonic() + _RELOAD_SECONDS
        signature = self._keys.signature()
        if signature == self._signature:
            return set()
        self._signature = signature
        allowed, problems = self._keys.allowed()
        for problem in problems:
            self._report(f"this key lets nobody in: {problem}")
        before = dict(self._by_key.values())
        self._by_key = {entry.public_key: (name, entry) for name, entry in allowed.items()}
        self.counters.values[GateCount.RELOADS] += 1
        return {name for name, entry in before.items() if allowed.get(name) != entry}

    def topics(self, name: str) -> tuple[bytes, ...]:
        """The prefixes that the peer of this name may have."""
        found = [entry.topics for known, entry in self._by_key.values() if known == name]
        return tuple(topic.encode() for topic in found[0]) if found else ()

    def answer(self) -> None:
        """Answer all questions that wait."""
        while self.socket.poll(0):
            identity, empty, version, request, _, address, _, mechanism, *credentials = self.socket.recv_multipart()
            key = z85.encode(credentials[0]).decode() if mechanism == b"CURVE" and credentials else ""
            name = self._by_key[key][0] if key in self._by_key else ""
            self.counters.values[GateCount.ALLOWED if name else GateCount.REFUSED] += 1
            if not name:
                self._tell(key, address.decode(errors="replace"))
            status = (b"200", b"OK", name.encode()) if name else (b"400", b"not allowed", b"")
            self.socket.send_multipart([identity, empty, version, request, *status, b""])

    def _tell(self, key: str, address: str) -> None:
        """Once a minute for each key: a peer that tries again and again does not fill the log."""
        now = time.monotonic()
        if now < self._told.get(key, 0.0):
            return
        if len(self._told) >= _TOLD_MAX:
            self._told.clear()
        self._told[key] = now + _TOLD_SECONDS
        self._report(f"refused a subscriber at {address}: its key {key} is not allowed (tapir keys allow NAME KEY)")
