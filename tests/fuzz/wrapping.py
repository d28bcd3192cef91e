"""What mirrors and carriers wrap around a frame: in: an Ethernet frame; out: one around it.

Each wrapper draws what may vary (ids, options, sequence numbers) from a generator when it is made, and once more for
each direction where that is so on the wire. The one law: the frame inside is not changed.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

Wrap = Callable[[bytes], bytes]
MACS = bytes.fromhex("0200000000aa0200000000bb")
IPV4, GRE, UDP, IPIP, MPLS = 0x0800, 47, 17, 4, 0x8847


def packet_of(frame: bytes) -> bytes:
    """What is behind the Ethernet header and any tags."""
    at = 12
    while frame[at : at + 2] in (b"\x81\0", b"\x88\xa8"):
        at += 4
    return frame[at + 2 :]


def outer_ip(protocol: int, payload: bytes, chance: random.Random) -> bytes:
    """A frame with a packet between two routers."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), chance.randrange(65_536), 0, 60, protocol, 0)
    return MACS + struct.pack(">H", IPV4) + head + b"\xc0\0\2\1\xc0\0\2\2" + payload


def outer_udp(port: int, payload: bytes, chance: random.Random) -> bytes:
    header = struct.pack(">HHHH", chance.randrange(49_152, 65_536), port, 8 + len(payload), 0)
    return outer_ip(UDP, header + payload, chance)


def vlans(chance: random.Random) -> Wrap:
    tags = b""
    for kind in chance.choice([(0x8100,), (0x88A8, 0x8100), (0x8100, 0x8100)]):
        tags += struct.pack(">HH", kind, chance.randrange(1, 4_095))
    return lambda frame: frame[:12] + tags + frame[12:]


def pppoe_in_vlans(chance: random.Random) -> Wrap:
    session, tagged = chance.randrange(1, 65_535), vlans(chance)

    def wrap(frame: bytes) -> bytes:
        packet = packet_of(frame)
        header = struct.pack(">BBHHH", 0x11, 0, session, len(packet) + 2, 0x0021)
        return tagged(MACS + b"\x88\x64" + header + packet)

    return wrap


def labels(chance: random.Random, last: bool = True) -> bytes:
    numbers = [chance.randrange(16, 1 << 20) for _ in range(chance.randint(1, 3))]
    words = [number << 12 | (number == numbers[-1] and last) << 8 | 64 for number in numbers]
    return b"".join(struct.pack(">I", word) for word in words)


def mpls(chance: random.Random) -> Wrap:
    """IP, or Ethernet with or without a control word, below labels."""
    stack, kind = labels(chance), chance.choice(["ip", "ethernet", "control word"])
    word = b"\0\0\0\0" if kind == "control word" else b""
    return lambda frame: MACS + struct.pack(">H", MPLS) + stack + (packet_of(frame) if kind == "ip" else word + frame)


def _gre(chance: random.Random, protocol: int, payload: bytes, key: int | None, sequenced: bool) -> bytes:
    flags = (0x2000 if key is not None else 0) | (0x1000 if sequenced else 0)
    header = struct.pack(">HH", flags, protocol)
    header += b"" if key is None else struct.pack(">I", key)
    header += struct.pack(">I", chance.randrange(1 << 32)) if sequenced else b""
    return outer_ip(GRE, header + payload, chance)


def gre(chance: random.Random) -> Wrap:
    key = chance.choice([None, chance.randrange(1 << 32)])
    sequenced, bridged = chance.random() < 0.5, chance.random() < 0.5
    kind = 0x6558 if bridged else IPV4
    return lambda frame: _gre(chance, kind, frame if bridged else packet_of(frame), key, sequenced)


def erspan(chance: random.Random) -> Wrap:
    session, kind = chance.randrange(1, 1_024), chance.choice([1, 2, 3])
    platform = chance.randint(0, 1)
    third = struct.pack(">HHIHH", 2 << 12 | 5, session, 77, 0, platform) + bytes(8 * platform)
    header = {1: b"", 2: struct.pack(">HHI", 1 << 12 | 5, session, 9), 3: third}[kind]
    return lambda frame: _gre(chance, 0x22EB if kind == 3 else 0x88BE, header + frame, None, kind > 1)


def vxlan(chance: random.Random) -> Wrap:
    header = struct.pack(">II", 0x08 << 24, chance.randrange(1 << 24) << 8)
    return lambda frame: outer_udp(4_789, header + frame, chance)


def geneve(chance: random.Random) -> Wrap:
    options = b"".join(
        struct.pack(">HBB", 0x0102, chance.randrange(128), words) + bytes(4 * words)
        for words in (chance.randrange(0, 8) for _ in range(chance.randrange(0, 4)))
    )
    vni = struct.pack(">I", chance.randrange(1 << 24) << 8)
    header = struct.pack(">BBH", len(options) // 4, 0, 0x6558) + vni + options
    return lambda frame: outer_udp(6_081, header + frame, chance)


def ip_in_ip(chance: random.Random) -> Wrap:
    return lambda frame: outer_ip(IPIP, packet_of(frame), chance)


def gtpu(chance: random.Random) -> Wrap:
    teid = chance.randrange(1, 1 << 32)

    def wrap(frame: bytes) -> bytes:
        packet = packet_of(frame)
        return outer_udp(2_152, struct.pack(">BBHI", 0x30, 0xFF, len(packet), teid) + packet, chance)

    return wrap


ETHERNET = (vlans, pppoe_in_vlans, mpls)
"""Wrappers of which the outermost header is none of IP's."""
OVER_IP = (gre, erspan, vxlan, geneve, ip_in_ip, gtpu)


IP_ALONE = (pppoe_in_vlans, mpls, gre, ip_in_ip, gtpu)
"""Wrappers that may leave the link's header out, so that what is inside of them must be IP."""


def stack(chance: random.Random, depth: int) -> Wrap:
    """Wrappers around each other."""
    wraps, has_ip = [], True
    for _ in range(depth):
        make = chance.choice(chance.choice([ETHERNET, OVER_IP]))
        make = make if has_ip or make not in IP_ALONE else vlans
        has_ip = make in OVER_IP or (has_ip and make is vlans)
        wraps.append(make(chance))

    def wrap_all(frame: bytes) -> bytes:
        for wrap in wraps:
            frame = wrap(frame)
        return frame

    return wrap_all


def fragments(frame: bytes, size: int) -> list[bytes]:
    """A frame of IPv4 without options as fragments of at most `size` payload bytes (a multiple of 8)."""
    head, payload = bytearray(frame[:34]), frame[34:]
    if frame[12:14] != b"\x08\0" or len(payload) <= size:
        return [frame]
    found = []
    for begin in range(0, len(payload), size):
        part = payload[begin : begin + size]
        more = 0x2000 if begin + size < len(payload) else 0
        head[16:18] = struct.pack(">H", 20 + len(part))
        head[20:22] = struct.pack(">H", more | begin // 8)
        found.append(bytes(head) + part)
    return found
