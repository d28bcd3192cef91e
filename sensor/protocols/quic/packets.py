"""Packets of a datagram and frames of a packet: in: bytes; out: long headers (RFC 9000, 17.2; RFC 9369, 3.2) and the
stretches of the handshake that CRYPTO frames carry (RFC 9000, 19.6).

The one law: a length that goes beyond what holds it ends the reading, and what was read before it stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sensor.protocols.quic.protection import VERSION_2
from sensor.protocols.tls.hello import MalformedError, Reader

CONNECTION_ID_BYTES_MAX = 20
PACKETS_MAX = 16
FRAMES_MAX = 2_000
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = 0, 1, 2, 3
_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE, _CLOSE_BY_APPLICATION = 0, 1, 2, 3, 6, 0x1C, 0x1D


class Packet(NamedTuple):
    """A packet with a long header; `data` runs from its first byte to its last, its number begins at `number_at`."""

    kind: int
    version: int
    to: bytes
    sender: bytes
    data: bytes
    number_at: int


class Crypto(NamedTuple):
    """A stretch of the handshake's bytes."""

    offset: int
    data: bytes


def _varint(reader: Reader) -> int:
    """RFC 9000, 16."""
    first = reader.number(1)
    rest = (1 << (first >> 6)) - 1
    return (first & 0x3F) << (8 * rest) | (reader.number(rest) if rest else 0)


def packets_of(datagram: bytes) -> Iterator[Packet]:
    """Those with long headers; a Retry or a short header takes up the rest of the datagram."""
    start = 0
    for _ in range(PACKETS_MAX):
        reader = Reader(datagram[start:])
        try:
            packet = _packet(reader)
        except MalformedError:
            return
        if packet is None:
            return
        yield packet
        start += len(packet.data)


def _packet(reader: Reader) -> Packet | None:
    first = reader.number(1)
    if first & 0x80 == 0:
        return None
    version = reader.number(4)
    to, sender = reader.vector(1), reader.vector(1)
    if max(len(to), len(sender)) > CONNECTION_ID_BYTES_MAX:
        return None
    kind = (first >> 4) & 3
    if version == VERSION_2:
        kind = (kind - 1) % 4
    if kind == RETRY:
        return None
    if kind == INITIAL:
        reader.take(_varint(reader))  # token
    length = _varint(reader)
    number_at = reader.at
    reader.take(length)
    return Packet(kind, version, to, sender, reader.data[: reader.at], number_at)


def handshake_parts(frames: bytes) -> list[Crypto]:
    """What the CRYPTO frames among those of an Initial packet carry."""
    found: list[Crypto] = []
    reader = Reader(frames)
    try:
        for _ in range(FRAMES_MAX):
            rest = frames[reader.at :].lstrip(b"\0")  # PADDING
            reader.at = len(frames) - len(rest)
            if not rest or not _frame(reader, found):
                break
    except MalformedError:
        pass
    return found


def _frame(reader: Reader, found: list[Crypto]) -> bool:
    """Read one frame; False when nothing behind it can be read."""
    kind = _varint(reader)
    if kind == _CRYPTO:
        offset = _varint(reader)
        found.append(Crypto(offset, reader.take(_varint(reader))))
    elif kind in (_ACK, _ACK_ECN):
        _varint(reader), _varint(reader)  # largest acknowledged, delay
        ranges = _varint(reader)
        for _ in range(1 + 2 * min(ranges, len(reader.data)) + (3 if kind == _ACK_ECN else 0)):
            _varint(reader)
    elif kind != _PING:
        return False  # CONNECTION_CLOSE, or none that an Initial may hold
    return True
