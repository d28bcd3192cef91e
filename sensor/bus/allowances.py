"""Allowances on their way from a collector to its sensors: a list in TOML goes in at one end, out at the other.

    {"known": HASH}                      what a sensor asks; HASH of the list that it has, or nothing
    {"hash": HASH, "text": TOML}         the answer; without text when that is the list, or with `problem`

Keys as on the alert stream: the sensor trusts the collector's key at this address, the collector allows the sensor's
key the topic `allow.`. Law: who is not allowed gets no list, and neither side can make the other wait or grow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import zmq

from sensor.bus import addresses
from sensor.bus.connection import secured
from sensor.bus.gate import Gate
from sensor.bus.keys import KeyFolder
from sensor.bus.stream import keys_for
from sensor.bus.subscriptions import granted, name_of
from sensor.config import BusSettings
from sensor.limits import ALERT_BYTES_MAX, HANDSHAKE_SECONDS, REQUEST_BYTES_MAX

TOPIC = b"allow."
_AT_ONCE = 100


class Wanted(msgspec.Struct, frozen=True, omit_defaults=True):
    known: str = ""


class Offered(msgspec.Struct, frozen=True, omit_defaults=True):
    hash: str = ""
    text: str | None = None
    problem: str = ""


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class AllowanceServer:
    """Offers a list at `settings.publish`, to the keys of `settings.keys`; `address` then holds the chosen port.

    Raises BusError for an address that cannot be used, or that other hosts reach and has no keys.
    """

    def __init__(self, settings: BusSettings, report: Callable[[str], None]) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._decoder = msgspec.json.Decoder(Wanted)
        try:
            keys = keys_for(settings)
            self._gate = Gate(self._context, keys, report) if keys else None
            self._socket = self._context.socket(zmq.ROUTER)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.MAXMSGSIZE, REQUEST_BYTES_MAX)
            self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_SECONDS * 1000)
            if self._gate:
                self._gate.protect(self._socket)
            self.address = addresses.listen(self._socket, settings.publish)
        except BaseException:
            self.close()
            raise

    def step(self, text: str) -> None:
        """Answer those who wait; never blocks."""
        if self._gate:
            self._gate.answer()
            self._gate.refresh()
        for _ in range(_AT_ONCE):
            if not self._socket.poll(0):
                return
            frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
            answer = self._answer(frames[-1], text)
            self._socket.send_multipart([frame.bytes for frame in frames[:-1]] + [msgspec.json.encode(answer)])

    def _answer(self, asked: zmq.Frame, text: str) -> Offered:
        if self._gate and TOPIC not in granted(TOPIC, self._gate.topics(name_of(asked))):
            return Offered(problem="the key of this sensor is not allowed the topic allow.")
        try:
            wanted = self._decoder.decode(asked.bytes)
        except (msgspec.MsgspecError, RecursionError):
            return Offered(problem="expected what a sensor asks")
        hash_ = hash_of(text)
        return Offered(hash=hash_, text=None if wanted.known == hash_ else text)

    def close(self) -> None:
        self._context.destroy(linger=0)


def fetched(address: str, known: str, keys: str, plaintext: bool, seconds: float) -> Offered:
    """What the collector at `address` offers; `problem` says why there is nothing. `known`: hash of the list at hand.

    Raises BusError for an address that can never work, or whose key is not trusted.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        asking = context.socket(zmq.DEALER)
        asking.setsockopt(zmq.LINGER, 0)
        asking.setsockopt(zmq.MAXMSGSIZE, ALERT_BYTES_MAX)
        keyed = secured(address, KeyFolder(keys), plaintext)
        if keyed is not None:
            keyed.protect(asking)
        addresses.connect(asking, address)
        asking.send_multipart([b"", msgspec.json.encode(Wanted(known))])
        if not asking.poll(round(seconds * 1000)):
            return Offered(problem=f"no answer in {seconds:g} s")
        offered = msgspec.json.decode(asking.recv_multipart()[-1], type=Offered)
        if offered.text is not None and hash_of(offered.text) != offered.hash:
            return Offered(problem="not what its hash says")
        return offered
    except msgspec.MsgspecError:
        return Offered(problem="an answer that is none")
    finally:
        context.destroy(linger=0)
