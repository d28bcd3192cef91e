"""DNS messages as data: in: names and records; out: the bytes of messages, and packets that carry them.

The law: what is built here is what RFC 1035 says, names compressed only where a test writes the pointer itself.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence

import numpy as np

from sensor.config import ReassemblySettings
from sensor.dns import Lookups
from sensor.protocols.dns.stage import DnsStage
from sensor.reassembly.stage import ReassemblyStage
from sensor.schema import Proto
from tests.traffic import MS, START, Packet, segments

A, NS, CNAME, PTR, MX, TXT, AAAA, SRV = 1, 2, 5, 12, 15, 16, 28, 33
CLIENT, SERVER = "10.0.0.7", "10.0.0.53"
Record = tuple[bytes, int, int, bytes]
"""Name, type, ttl, data."""


def name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in text.split(".") if label) + b"\0"


def query(text: str, qtype: int = A, trans_id: int = 1, flags: int = 0x0100, edns: int = 0) -> bytes:
    opt = b"\0" + struct.pack("!HHIH", 41, edns, 0, 0) if edns else b""
    return struct.pack("!6H", trans_id, flags, 1, 0, 0, bool(edns)) + name(text) + struct.pack("!2H", qtype, 1) + opt


def response(
    text: str, records: Sequence[Record] = (), qtype: int = A, trans_id: int = 1, rcode: int = 0, flags: int = 0x8180
) -> bytes:
    head = struct.pack("!6H", trans_id, flags | rcode, 1, len(records), 0, 0)
    body = b"".join(own + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data for own, kind, ttl, data in records)
    return head + name(text) + struct.pack("!2H", qtype, 1) + body


def address(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def udp(payload: bytes, at: int = 0, back: bool = False, port: int = 40_000, server_port: int = 53) -> Packet:
    """A datagram `at` ms behind the start, from the client unless it goes `back`."""
    ends = (CLIENT, port, SERVER, server_port)
    source, source_port, target, target_port = ends[2:] + ends[:2] if back else ends
    ts, proto = START + at * MS, int(Proto.UDP)
    return Packet(ts, source, source_port, target, target_port, payload=payload, proto=proto, ip_id=at & 0xFFFF)


def looked_up(packets: Sequence[Packet], batch: int = 1_000, **bounds: int) -> tuple[Lookups, DnsStage]:
    """All lookups of the packets, read in batches of so many, and the stage that read them."""
    from sensor.dns import joined_lookups

    reassembly = ReassemblyStage(ReassemblySettings())
    stage = DnsStage(reassembly.flows, **bounds)
    none = np.zeros(0, np.uint8)
    found, now = [], 0
    for start in range(0, len(packets), batch):
        rows, data = segments(packets[start : start + batch])
        for part in reassembly.process(data, none, rows):
            now = max(now, part.now)
            found.append(copied(stage.process(data, none, reassembly.pages, part.chunks, part.dns_chunks, part.now)))
    for part in reassembly.finish():
        now = max(now, part.now)
        found.append(copied(stage.process(none, none, reassembly.pages, part.chunks, part.dns_chunks, part.now)))
    found.append(copied(stage.finish(now)))
    return joined_lookups(found), stage


def copied(lookups: Lookups) -> Lookups:
    return Lookups(*(table.copy() for table in lookups))
