"""TCP conversations as data: in: what two sides say; out: packets, which become SEGMENT rows, capture files, or what
Tapir makes of them.

    talk = Talk().open()
    talk.client(b"GET / HTTP/1.1\\r\\n\\r\\n").server(b"HTTP/1.1 204 No Content\\r\\n\\r\\n").close()
    outcome = observe(without(talk.packets, 3))
    outcome.transactions[0]["status_code"]

The law: a packet is what the wire carried; what the mirror does to it (loses, doubles, cuts, reorders it) are functions
over lists of packets, and time only ever runs forward.
"""

from __future__ import annotations

import ipaddress
import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import dpkt
import numpy as np

from sensor.config import ProtocolSettings, ReassemblySettings
from sensor.protocols.stage import ProtocolStage
from sensor.protocols.websocket.stage import WebSocketStage
from sensor.reassembly.stage import ReassemblyStage
from sensor.schema import (
    HISTORY_LETTERS,
    SEGMENT,
    Anomaly,
    ChunkKind,
    ChunkSource,
    ConnState,
    EndReason,
    Proto,
    SegmentFlag,
    TcpFlag,
    TransactionFlag,
    Wanted,
)
from sensor.tunnel import Tunnel
from sensor.websocket import WebSocketConnection

START = 1_700_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000 * MS
FIN, SYN, RST, PSH, ACK = (int(flag) for flag in (TcpFlag.FIN, TcpFlag.SYN, TcpFlag.RST, TcpFlag.PSH, TcpFlag.ACK))
HEADERS = 54
"""Ethernet, IPv4 and TCP without options."""
KEY = bytes(range(16))
TEXTS = (
    "method", "host", "uri", "endpoint", "user_agent", "referrer", "request_content_type", "response_content_type",
    "status_msg", "auth_scheme", "subject_name",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Packet:
    """One TCP, UDP or ICMP packet over IPv4 or IPv6; `seen` payload bytes of it are in the capture."""

    ts: int
    src: str
    sport: int
    dst: str
    dport: int
    flags: int = 0
    seq: int = 0
    ack: int = 0
    payload: bytes = b""
    seen: int | None = None
    window: int = 65_535
    proto: int = int(Proto.TCP)
    vlan: int = 0
    ip_id: int = 0
    ttl: int = 64
    tunnel: int = 0
    tunnel_id: int = 0

    @property
    def ip_len(self) -> int:
        transport = 20 if self.proto == Proto.TCP else 8
        return (40 if ":" in self.src else 20) + transport + len(self.payload)

    @property
    def captured(self) -> bytes:
        return self.payload if self.seen is None else self.payload[: self.seen]


@dataclass
class Talk:
    """A connection between two hosts, packet by packet, `step` ns apart."""

    source: str = "10.0.0.1"
    source_port: int = 40_000
    target: str = "10.0.0.2"
    target_port: int = 80
    start: int = START
    step: int = MS
    isn: tuple[int, int] = (1_000, 5_000)
    mss: int = 1_460
    vlan: int = 0
    packets: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = self.start
        self.next = list(self.isn)

    def send(self, side: int, flags: int, payload: bytes = b"", **given: Any) -> Talk:
        """One packet of side 0 (who connects) or 1; sequence space moves on unless `seq` is given."""
        ends = ((self.source, self.source_port), (self.target, self.target_port))
        seq = given.pop("seq", None)
        ack = given.pop("ack", self.next[1 - side] if flags & ACK else 0)
        (src, sport), (dst, dport) = ends[side], ends[1 - side]
        number = self.next[side] if seq is None else seq
        given = {"vlan": self.vlan, "ip_id": (len(self.packets) + 1) & 0xFFFF} | given
        packet = Packet(self.now, src, sport, dst, dport, flags, number % 2**32, ack % 2**32, payload, **given)
        self.packets.append(packet)
        self.now += self.step
        if seq is None:
            self.next[side] += len(payload) + bool(flags & SYN) + bool(flags & FIN)
        return self

    def open(self) -> Talk:
        return self.send(0, SYN).send(1, SYN | ACK).send(0, ACK)

    def say(self, side: int, content: bytes, pieces: Sequence[int] = ()) -> Talk:
        """Bytes of one side in segments of at most mss, or cut at `pieces`."""
        cuts = [0, *pieces, len(content)] if pieces else [*range(0, len(content), self.mss), len(content)]
        for begin, end in pairwise(cuts):
            if begin < end:
                self.send(side, PSH | ACK, content[begin:end])
        return self

    def client(self, content: bytes, pieces: Sequence[int] = ()) -> Talk:
        return self.say(0, content, pieces)

    def server(self, content: bytes, pieces: Sequence[int] = ()) -> Talk:
        return self.say(1, content, pieces)

    def acknowledge(self, side: int) -> Talk:
        return self.send(side, ACK)

    def pause(self, nanoseconds: int) -> Talk:
        self.now += nanoseconds
        return self

    def close(self, first: int = 0) -> Talk:
        return self.send(first, FIN | ACK).send(1 - first, FIN | ACK).send(first, ACK)


def exchange(request: bytes, response: bytes = b"", **given: Any) -> Talk:
    """One whole connection with one request and its response."""
    return Talk(**given).open().client(request).server(response).close()


# --- what a mirror does ---------------------------------------------------------------------------------------------


def without(packets: Sequence[Packet], *numbers: int) -> list[Packet]:
    """Lost ones, by number; negative numbers count from the end."""
    lost = {number % len(packets) for number in numbers}
    return [packet for i, packet in enumerate(packets) if i not in lost]


def lossy(packets: Sequence[Packet], share: float, chance: random.Random) -> list[Packet]:
    return [packet for packet in packets if chance.random() >= share]


def in_new_order(packets: Sequence[Packet], order: Sequence[int]) -> list[Packet]:
    """The packets in another order of arrival, at the times of the old one."""
    times = sorted(packet.ts for packet in packets)
    return [replace(packets[number], ts=ts) for number, ts in zip(order, times, strict=True)]


def doubled(packets: Sequence[Packet], numbers: Iterable[int] | None = None, after: int = 1_000) -> list[Packet]:
    """Some packets (all, unless told) twice, the copy `after` ns behind."""
    again = set(range(len(packets)) if numbers is None else numbers)
    out = []
    for i, packet in enumerate(packets):
        out.append(packet)
        if i in again:
            out.append(replace(packet, ts=packet.ts + after))
    return sorted(out, key=lambda packet: packet.ts)


def snapped(packets: Sequence[Packet], snap_length: int) -> list[Packet]:
    return [replace(packet, seen=min(len(packet.payload), max(0, snap_length - HEADERS))) for packet in packets]


def one_way(packets: Sequence[Packet], side: int) -> list[Packet]:
    """Only what side 0 (the first packet's sender) or side 1 sent."""
    source = (packets[0].src, packets[0].sport)
    return [packet for packet in packets if ((packet.src, packet.sport) == source) == (side == 0)]


def merged(*conversations: Sequence[Packet]) -> list[Packet]:
    return sorted((packet for packets in conversations for packet in packets), key=lambda packet: packet.ts)


# --- packets as Tapir takes them ------------------------------------------------------------------------------------


def address(text: str) -> tuple[int, int]:
    ip = ipaddress.ip_address(text)
    number = int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
    return number >> 64, number & (2**64 - 1)


def segments(packets: Sequence[Packet]) -> tuple[np.ndarray, np.ndarray]:
    """SEGMENT rows and the buffer that their payload lies in."""
    rows = np.zeros(len(packets), SEGMENT)
    data = np.frombuffer(b"".join(packet.captured for packet in packets) or b"\0", np.uint8).copy()
    offset = 0
    for i, packet in enumerate(packets):
        seen = len(packet.captured)
        cut = int(SegmentFlag.CUT) if seen < len(packet.payload) else 0
        rows[i] = (
            packet.ts, *address(packet.src), *address(packet.dst), offset, seen, len(packet.payload), packet.ip_len, i,
            packet.seq, packet.ack, packet.tunnel_id, packet.sport, packet.dport, packet.vlan, packet.window,
            packet.ip_id, zlib.crc32(packet.payload) & 0xFFFF, packet.proto, packet.flags, packet.tunnel, packet.ttl,
            cut | (int(SegmentFlag.IPV6) if ":" in packet.src else 0), 0,
        )  # fmt: skip
        offset += seen
    return rows, data


def write_pcap(path: Path, packets: Sequence[Packet], snap_length: int = 65_535) -> Path:
    """A nanosecond capture of the packets over Ethernet."""
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=snap_length, nano=True)
        for packet in packets:
            wire = ethernet(packet)
            header = dpkt.pcap.LEPktHdr(
                tv_sec=packet.ts // SECOND,
                tv_usec=packet.ts % SECOND,
                caplen=min(len(wire), snap_length),
                len=len(wire),
            )
            file.write(bytes(header) + wire[:snap_length])
        writer.close()
    return path


def ethernet(packet: Packet) -> bytes:
    """The frame of a TCP or UDP packet over IPv4, its checksums right."""
    ends = {"sport": packet.sport, "dport": packet.dport, "data": packet.payload}
    if packet.proto == Proto.UDP:
        transport = dpkt.udp.UDP(ulen=8 + len(packet.payload), **ends)
    else:
        transport = dpkt.tcp.TCP(seq=packet.seq, ack=packet.ack, flags=packet.flags, win=packet.window, **ends)
    source, target = (ipaddress.ip_address(text).packed for text in (packet.src, packet.dst))
    ip = dpkt.ip.IP(
        src=source, dst=target, p=packet.proto, ttl=packet.ttl, id=packet.ip_id, data=transport, len=packet.ip_len
    )
    return bytes(dpkt.ethernet.Ethernet(src=b"\x02\0\0\0\0\1", dst=b"\x02\0\0\0\0\2", data=ip))


# --- what Tapir makes of them ---------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """Transactions and ended flows in the order in which they came out; `bytes` and `gaps` of each (flow, direction).
    """

    transactions: list[Row]
    flows: list[Row]
    reassembly: dict[str, int]
    protocols: dict[str, int]
    bytes: dict[tuple[int, int], bytes]
    gaps: dict[tuple[int, int], list[tuple[int, int]]]
    contents: list[Row] = field(default_factory=list)
    tunnels: list[Tunnel] = field(default_factory=list)
    websockets: list[WebSocketConnection] = field(default_factory=list)
    websocket: dict[str, int] = field(default_factory=dict)

    @property
    def only(self) -> Row:
        assert len(self.transactions) == 1, self.transactions
        return self.transactions[0]


class Observer:
    """Reassembly and protocols, fed with packets; `observe` in one go."""

    def __init__(
        self,
        reassembly: ReassemblySettings | None = None,
        protocols: ProtocolSettings | None = None,
        pages_max: int = 512,
        parse: bool = True,
        wanted: Wanted | None = None,
    ) -> None:
        self.reassembly = ReassemblyStage(reassembly or ReassemblySettings(flows_max=64), pages_max)
        self.protocols = ProtocolStage(protocols or ProtocolSettings(), self.reassembly.flows, KEY)
        self.protocols.keep(wanted or Wanted())
        self.websockets = WebSocketStage(self.reassembly.flows, 64)
        self._parse = parse
        self._seen = Outcome([], [], {}, {}, {}, {})

    def feed(self, packets: Sequence[Packet]) -> None:
        rows, data = segments(packets)
        for part in self.reassembly.process(data, NO_BYTES, rows):
            self._take(data, part)

    def wait(self, now: int) -> None:
        """Packet time comes to `now` without a packet."""
        for part in self.reassembly.advance(now):
            self._take(NO_BYTES, part)

    @property
    def flows_ended(self) -> int:
        return len(self._seen.flows)

    def finish(self) -> Outcome:
        for part in self.reassembly.finish():
            self._take(NO_BYTES, part)
        self._seen.reassembly = self.reassembly.counters.as_dict()
        self._seen.protocols = self.protocols.counters.as_dict()
        self._seen.websocket = self.websockets.counters.as_dict()
        return self._seen

    def _take(self, data: np.ndarray, part: Any) -> None:
        self._bytes(data, part.chunks)
        if self._parse:
            for read in self.protocols.process(data, NO_BYTES, self.reassembly.pages, part.chunks):
                self._seen.transactions += [transaction(row, self.protocols.pool) for row in read.transactions]
                self._seen.contents += [content(row, read.arena) for row in read.contents]
            self._seen.tunnels += self.protocols.tunnels
            found = self.protocols.tunnels, data, NO_BYTES, self.reassembly.pages, part.chunks
            self._seen.websockets += self.websockets.process(*found)
        self._seen.flows += [flow(self.reassembly, row) for row in part.ended]

    def _bytes(self, data: np.ndarray, chunks: np.ndarray) -> None:
        buffers = {int(ChunkSource.BLOCK): data, int(ChunkSource.PAGES): self.reassembly.pages}
        for chunk in chunks:
            serial = int(self.reassembly.flows[chunk["stream"] >> 1]["serial"])
            name = serial, int(chunk["stream"] & 1)
            if chunk["kind"] == ChunkKind.DATA:
                begin = int(chunk["offset"])
                content = buffers[int(chunk["source"])][begin : begin + int(chunk["length"])].tobytes()
                self._seen.bytes[name] = self._seen.bytes.get(name, b"") + content
            elif chunk["kind"] == ChunkKind.GAP:
                place = len(self._seen.bytes.get(name, b""))
                self._seen.gaps.setdefault(name, []).append((place, int(chunk["length"])))


def content(row: Any, arena: np.ndarray) -> Row:
    """What was kept of one transaction: bytes of heads and bodies, and the flags."""
    names = ("request_head", "request_body", "response_head", "response_body")
    kept: Row = {
        name: arena[int(row[f"{name}_offset"]) :][: int(row[f"{name}_len"])].tobytes() for name in names
    }
    return kept | {name: int(row[name]) for name in ("flags", "request_coding", "response_coding")}


NO_BYTES = np.zeros(0, np.uint8)


def observe(packets: Sequence[Packet], batch: int = 0, **given: Any) -> Outcome:
    """What Tapir makes of the packets, given to it `batch` at a time (all at once when 0)."""
    observer = Observer(**given)
    step = batch or max(1, len(packets))
    for first in range(0, len(packets), step):
        observer.feed(packets[first : first + step])
    return observer.finish()


def transaction(row: Any, pool: Any) -> Row:
    """A TRANSACTION row with its texts, the names of its anomalies, and its flags one by one."""
    found = {name: row[name].item() for name in row.dtype.names}
    found |= {name: pool.text(found[name]) for name in TEXTS}
    found["anomalies"] = {str(flag.name).lower() for flag in Anomaly if found["anomalies"] & flag}
    found |= {str(flag.name).lower(): bool(found["flags"] & flag) for flag in TransactionFlag}
    gaps = found["anomalies"] & {"request_gap", "response_gap"}
    found["complete"] = found["flags"] & 15 == 15 and not gaps
    return found


def flow(stage: ReassemblyStage, row: int) -> Row:
    """A FLOW row with its two STREAM rows as `orig` and `resp`."""
    record = stage.flows[row]
    found = {name: record[name].item() for name in record.dtype.names}
    letters = [found["history_low"] >> 5 * i & 31 for i in range(12)] + [
        found["history_high"] >> 5 * i & 31 for i in range(12)
    ]
    found["history"] = "".join(HISTORY_LETTERS[letter - 1] for letter in letters if letter)
    found["conn_state"] = ConnState(found["conn_state"]).name
    found["end_reason"] = EndReason(found["end_reason"]).name
    for side, name in enumerate(("orig", "resp")):
        stream = stage.streams[2 * int(row) + side]
        found[name] = {name: stream[name].item() for name in stream.dtype.names}
    return found
