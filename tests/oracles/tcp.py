"""The slow twin of reassembly: in: the packets of one connection in order of arrival; out: each side's bytes and
figures.

It keeps every byte of sequence space in a dictionary. The law: the first copy of a byte counts, a byte seen again is a
retransmission, and one that lies between what was seen, acknowledged or finished, but never came, is missing. A packet
that the mirror doubled counts once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.traffic import ACK, FIN, SYN, Packet

HORIZON_NS = 100_000_000


@dataclass
class Side:
    """What one side sent; offsets count from its first byte of data."""

    sizes: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    payload_bytes: int = 0
    retransmitted_bytes: int = 0
    flags: int = 0
    base: int | None = None
    seen: dict[int, int] = field(default_factory=dict)
    end: int = 0

    def take(self, packet: Packet) -> None:
        self.sizes.append(packet.ip_len)
        self.times.append(packet.ts)
        self.payload_bytes += len(packet.payload)
        self.flags |= packet.flags
        begin = (packet.seq + bool(packet.flags & SYN)) % 2**32
        if self.base is None:
            self.base = begin
        offset = self.offset(begin)
        again = len(packet.payload) > 1  # one byte again is a keep-alive
        for i, byte in enumerate(packet.payload):
            if offset + i in self.seen or offset + i < 0:
                self.retransmitted_bytes += again
            else:
                self.seen[offset + i] = byte
        if packet.payload:
            self.end = max(self.end, offset + len(packet.payload))

    def finish(self, acknowledged: Sequence[int], fin: int | None) -> None:
        """The end by the FIN's number, else by what was acknowledged; one number more can be a FIN that was lost."""
        if self.base is None:
            self.base = acknowledged[0] if acknowledged else 0
        offsets = [self.offset(number) for number in acknowledged]
        if fin is not None:
            self.end = max(self.end, self.offset(fin))
        elif offsets and max(offsets) > self.end + 1:
            self.end = max(offsets)

    def offset(self, number: int) -> int:
        return (number - (self.base or 0) + 2**31) % 2**32 - 2**31

    @property
    def content(self) -> bytes:
        """All bytes that were seen, holes left out."""
        return bytes(self.seen[offset] for offset in sorted(self.seen))

    @property
    def missing_bytes(self) -> int:
        return self.end - len(self.seen)

    def figures(self) -> dict[str, Any]:
        """As STREAM has them; mean and deviation beside the sums that it keeps."""
        gaps = [max(0, later - earlier) for earlier, later in zip(self.times, self.times[1:], strict=False)]
        return {
            "packets": len(self.sizes),
            "ip_bytes": sum(self.sizes),
            "payload_bytes": self.payload_bytes,
            "retransmitted_bytes": self.retransmitted_bytes,
            "missing_bytes": self.missing_bytes,
            "tcp_flags": self.flags,
            "size": spread(self.sizes),
            "gap": spread(gaps),
        }


def spread(numbers: Sequence[int]) -> tuple[int, int, float, float]:
    """Minimum, maximum, mean and population standard deviation; zeros for nothing."""
    if not numbers:
        return 0, 0, 0.0, 0.0
    mean = sum(numbers) / len(numbers)
    return min(numbers), max(numbers), mean, math.sqrt(sum((x - mean) ** 2 for x in numbers) / len(numbers))


def without_doubles(packets: Sequence[Packet]) -> list[Packet]:
    """The packets without those that equal an earlier one in all but time: the same IP id within 100 ms."""
    kept: dict[Packet, int] = {}
    out = []
    for packet in packets:
        timeless = replace(packet, ts=0)
        if packet.ts - kept.get(timeless, -HORIZON_NS) >= HORIZON_NS:
            kept[timeless] = packet.ts
            out.append(packet)
    return out


def reassemble(packets: Sequence[Packet]) -> tuple[Side, Side]:
    """Both sides; side 0 sent the first packet."""
    packets = without_doubles(packets)
    first = packets[0].src, packets[0].sport
    sent = [[packet for packet in packets if ((packet.src, packet.sport) == first) == own] for own in (True, False)]
    sides = Side(), Side()
    for side, own, other in zip(sides, sent, sent[::-1], strict=True):
        for packet in own:
            side.take(packet)
        fins = [(packet.seq + len(packet.payload)) % 2**32 for packet in own if packet.flags & FIN]
        side.finish([packet.ack for packet in other if packet.flags & ACK], fins[0] if fins else None)
    return sides
