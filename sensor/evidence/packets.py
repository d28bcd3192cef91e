"""Packets of one alert: in: blocks of frames with their segments; out: those of the alert, within a budget, as pcap.

The deciding flow's come first, then the latest of the others; the file is in the order of packet time, in nanoseconds,
with the length that each packet had on the wire. The one law: no more than the budget is ever held.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Alert
from sensor.errors import SettingError
from sensor.evidence.wanted import Wanted
from sensor.limits import FRAME_BYTES_MAX, NS

_ETHERNET, _ADDRESSES, _DOT1Q = 1, 12, b"\x81\x00"
_TAG_BYTES = 4
_HEAD_BYTES = 16

Decode = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.void]], npt.NDArray[np.void]]
"""Frames in a buffer to their segments (SEGMENT)."""


class Packet(NamedTuple):
    ts: int
    order: int
    wirelen: int
    link: int
    data: bytes


class Packets:
    """Takes blocks in order. `deciding`: packets of the flow that decided; `left_out`: what was beyond the budget."""

    def __init__(self, alert: Alert, bytes_max: int) -> None:
        self.wanted = Wanted(alert)
        self.deciding = self.left_out = 0
        self._left = bytes_max
        self._first: list[Packet] = []
        self._others: list[Packet] = []
        self._order = 0

    def take(
        self, data: npt.NDArray[np.uint8], frames: npt.NDArray[np.void], segments: npt.NDArray[np.void]
    ) -> None:
        """Those of `frames` (FRAME, bytes in `data`) that `segments` say are the alert's."""
        found = self.wanted.find(segments)
        for packet in self._packets(data, frames[found.deciding]):
            if self._room_for(len(packet.data)):
                self._first.append(packet)
                self.deciding += 1
        for packet in self._packets(data, frames[found.others]):
            if self._room_for(len(packet.data), newer_than=packet.ts):
                heappush(self._others, packet)

    def _room_for(self, size: int, newer_than: int | None = None) -> bool:
        """Make room by giving up the oldest of the others; a packet of theirs gives up none that is newer."""
        size += _HEAD_BYTES
        while self._left < size and self._others:
            if newer_than is not None and self._others[0].ts > newer_than:
                break
            self._left += len(heappop(self._others).data) + _HEAD_BYTES
            self.left_out += 1
        if self._left < size:
            self.left_out += 1
            return False
        self._left -= size
        return True

    def _packets(self, data: npt.NDArray[np.uint8], frames: npt.NDArray[np.void]) -> Iterator[Packet]:
        columns = (frames[name].tolist() for name in ("ts", "offset", "caplen", "wirelen", "link", "vlan"))
        for ts, start, size, wirelen, link, vlan in zip(*columns, strict=True):
            content = data[start : start + size].tobytes()
            self._order += 1
            if vlan and link == _ETHERNET and size >= _ADDRESSES:  # the tag that the card took out
                tagged = content[:_ADDRESSES] + _DOT1Q + struct.pack("!H", vlan) + content[_ADDRESSES:]
                yield Packet(ts, self._order, wirelen + _TAG_BYTES, link, tagged)
            else:
                yield Packet(ts, self._order, wirelen, link, content)

    @property
    def packets(self) -> list[Packet]:
        """All, in the order of packet time."""
        return _of_one_link([*self._first, *self._others])

    @property
    def of_the_flow(self) -> list[Packet]:
        """Those of the flow that decided, in the order of packet time."""
        return _of_one_link(self._first)


def _of_one_link(packets: list[Packet]) -> list[Packet]:
    """In order; those of other link types than most are left out, for a pcap has one."""
    link = Counter(packet.link for packet in packets).most_common(1)
    return sorted(packet for packet in packets if packet.link == link[0][0])


def pcap_head(link: int) -> bytes:
    """Head of a pcap file with nanoseconds."""
    pcap = _dpkt_pcap()
    return bytes(pcap.LEFileHdr(magic=pcap.TCPDUMP_MAGIC_NANO, snaplen=FRAME_BYTES_MAX, linktype=link))


def pcap_file(packets: list[Packet]) -> bytes:
    """A whole file."""
    return pcap_head(packets[0].link if packets else 1) + pcap_records(packets)


def pcap_records(packets: list[Packet]) -> bytes:
    """Records that follow such a head."""
    head = struct.Struct(_dpkt_pcap().LEPktHdr.__hdr_fmt__).pack
    return b"".join(
        head(each.ts // NS, each.ts % NS, len(each.data), each.wirelen) + each.data for each in packets
    )


def _dpkt_pcap() -> Any:
    try:
        from dpkt import pcap
    except ImportError:
        raise SettingError("packet evidence needs dpkt: pip install 'tapir-sensor[evidence]'") from None
    return pcap
