"""One QUIC connection while its handshake is read: in: datagrams of both directions; out: the hellos.

The client's datagrams name the connection id that the keys are made of, a new one behind a Retry. The one law: bytes of
the handshake count once, the first copy of each, and wait for those before them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sensor.protocols.quic.packets import HANDSHAKE, INITIAL, Crypto, Packet, handshake_parts, packets_of
from sensor.protocols.quic.protection import MVFST, initial_keys, open_packet
from sensor.protocols.tls.hello import Handshake, read_handshake

CRYPTO_BYTES_MAX = 16_384
"""Of one side's Initial packets: hellos with post-quantum keys take 2 KB."""
_HEADER_BYTES = 4
_VERSIONS = {1: "1", 0x6B3343CF: "2"}


def version_name(version: int) -> str:
    if version in MVFST:
        return f"mvfst-{version & 0xF:x}"
    return _VERSIONS.get(version, f"draft-{version & 0xFF}")


@dataclass
class _Hello:
    """The bytes of one side, as far as they are there: `data` where `seen` is 1."""

    data: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)

    def add(self, part: Crypto) -> None:
        end = part.offset + len(part.data)
        if end > CRYPTO_BYTES_MAX:
            return
        if len(self.data) < end:
            more = end - len(self.data)
            self.data += bytes(more)
            self.seen += bytes(more)
        if not any(self.seen[part.offset : end]):
            self.data[part.offset : end], self.seen[part.offset : end] = part.data, b"\1" * len(part.data)
            return
        for i, byte in enumerate(part.data, part.offset):
            if not self.seen[i]:
                self.data[i], self.seen[i] = byte, 1

    def message(self) -> bytes | None:
        """The first message, once it is whole."""
        length = int.from_bytes(self.data[1:_HEADER_BYTES], "big") + _HEADER_BYTES
        whole = len(self.data) >= max(length, _HEADER_BYTES) and all(self.seen[:length])
        return bytes(self.data[:length]) if whole else None


@dataclass
class QuicConnection:
    """`client`: direction of who opened it, -1 while unknown; `sealed[direction]`: it sent Handshake packets; `alert`:
    none is in clear.
    """

    version: int = 0
    client: int = -1
    sealed: list[bool] = field(default_factory=lambda: [False, False])
    handshakes: list[Handshake] = field(default_factory=lambda: [Handshake(), Handshake()])
    opened: int = 0
    unopened: int = 0
    alert: int = -1
    transport: str = "q"
    _id: bytes | None = None
    _hellos: list[_Hello] = field(default_factory=lambda: [_Hello(), _Hello()])

    def read(self, direction: int, datagram: bytes) -> None:
        """One datagram of a direction."""
        for packet in packets_of(datagram):
            if packet.kind == INITIAL:
                self._initial(direction, packet)
            elif packet.kind == HANDSHAKE and self.client >= 0:
                self.sealed[direction] = True

    @property
    def is_done(self) -> bool:
        """Whether both hellos were read."""
        return any(side.client_hello for side in self.handshakes) and any(side.server_hello for side in self.handshakes)

    @property
    def is_over(self) -> bool:
        """Whether both sides went on behind their hellos."""
        return self.is_done and all(self.sealed)

    @property
    def quic_version(self) -> str:
        return version_name(self.version)

    def _initial(self, direction: int, packet: Packet) -> None:
        frames = self._open(direction, packet)
        if frames is None:
            self.unopened += 1
            return
        self.opened += 1
        hello = self._hellos[direction]
        for part in handshake_parts(frames):
            hello.add(part)
        message = hello.message()
        known = self.handshakes[direction]
        if message and not known.client_hello and not known.server_hello:
            self.handshakes[direction] = read_handshake(message)

    def _open(self, direction: int, packet: Packet) -> bytes | None:
        """The packet's frames, under the keys that are known, or those that a client's packet itself names."""
        if self._id is not None:
            keys = initial_keys(packet.version, self._id)
            frames = open_packet(packet.data, packet.number_at, keys[direction != self.client])
            if frames is not None:
                self.version = packet.version  # the server may choose another (RFC 9369, 4.1)
                return frames
        if self.client in (direction, -1):
            frames = open_packet(packet.data, packet.number_at, initial_keys(packet.version, packet.to)[0])
            if frames is not None:
                self.client, self.version, self._id = direction, packet.version, packet.to
            return frames
        return None
