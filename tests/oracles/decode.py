"""The decode stage again, slowly: one frame at a time, bytes in slices, one method per header, failure as an
exception.

`Decoder.decode(frame, wirelen, ts, link)` gives a dict of Segment columns or a Reason. Written from the RFCs, to be
read, not to be fast. `payload`, the captured payload itself, stands in the place of payload_offset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sensor import limits
from sensor.decode.reasons import FragmentCount, Reason
from sensor.schema import SegmentFlag
from tests.oracles.decode_links import Links
from tests.oracles.decode_packet import LINKS, Packet, Undecoded
from tests.oracles.decode_tunnels import Tunnels

PORTS = {
    4789: "vxlan", 4790: "vxlan", 8472: "vxlan", 6081: "geneve", 2152: "gtpu", 37008: "tzsp", 3544: "teredo", 1701:
    "l2tp", 4754: "gre_in_udp",
}  # fmt: skip
ICMP_ANSWERS = {8: 0, 10: 9, 13: 14, 15: 16, 17: 18}
ICMP6_ANSWERS = {128: 129, 130: 131, 133: 134, 135: 136, 139: 140, 144: 145}


@dataclass
class Datagram:
    start: int
    blocks: dict[int, bytes] = field(default_factory=dict)
    end: int | None = None
    ip_bytes: int = 0
    proto: int = 0


def two_way(answers: dict[int, int]) -> dict[int, int]:
    return answers | {reply: request for request, reply in answers.items()}


class Decoder(Links, Tunnels):
    """Keeps what the stage keeps between frames: packet time and the datagrams being rebuilt."""

    def __init__(self, ports: dict[int, str] | None = None) -> None:
        self.ports = PORTS if ports is None else ports
        self.now = 0
        self.datagrams: dict[tuple[Any, ...], Datagram] = {}
        self.fragment_counts = dict.fromkeys(FragmentCount, 0)

    def decode(self, frame: bytes, wirelen: int, ts: int, link: int) -> dict[str, Any] | Reason:
        self.now = max(self.now, ts)
        self.row: dict[str, Any] = {"vlan": 0, "tunnel": 0, "tunnel_id": 0, "flags": 0}
        self.rebuilt = False
        self.layers = 0
        self.extensions = 0
        result: dict[str, Any] | Reason = self.row
        try:
            self.go(LINKS.get(link, Reason.UNKNOWN_LINK), Packet(frame, max(wirelen, len(frame))))
        except Undecoded as undecoded:
            result = undecoded.reason
        if self.layers >= limits.LAYERS_MAX:  # one step must be left to see that the walk is over
            return Reason.TOO_MANY_LAYERS
        if self.rebuilt:
            self.row["flags"] |= SegmentFlag.REBUILT
        return result

    def within(self, packet: Packet, length: int) -> int:
        """A length beyond the frame counts inside tunnels only."""
        return length if self.row["tunnel"] else min(length, packet.wire)

    def ipv4(self, packet: Packet) -> None:
        packet.need(20, Reason.TRUNCATED_IPV4)
        if packet.data[0] >> 4 != 4:
            raise Undecoded(Reason.BAD_IP_VERSION)
        header = (packet.data[0] & 15) * 4
        if header < 20:
            raise Undecoded(Reason.BAD_IPV4_HEADER_LENGTH)
        total = self.within(packet, packet.number(2, 2) or packet.wire)
        if total < header:
            raise Undecoded(Reason.BAD_IPV4_LENGTH)
        packet.need(header, Reason.TRUNCATED_IPV4)
        self.row.update(
            src=bytes(10) + b"\xff\xff" + packet.data[12:16], dst=bytes(10) + b"\xff\xff" + packet.data[16:20],
            ip_len=total, ip_id=packet.number(4, 2), ttl=packet.data[8], flags=0 if packet.number(2, 2) else
            SegmentFlag.OFFLOAD,
        )  # fmt: skip
        proto, fragment = packet.data[9], packet.number(6, 2)
        inner = packet.ending(total).behind(header)
        if fragment & 0x3FFF:
            key = (packet.number(4, 2), proto)
            begin, more = fragment % 0x2000 * 8, fragment >> 13 & 1 == 1
            self.go("ip_fragment", inner, key=key, begin=begin, more=more, proto=proto)
        else:
            self.go_protocol(proto, inner)

    def ipv6(self, packet: Packet) -> None:
        packet.need(40, Reason.TRUNCATED_IPV6)
        if packet.data[0] >> 4 != 6:
            raise Undecoded(Reason.BAD_IP_VERSION)
        length = packet.number(4, 2)
        total = self.within(packet, 40 + length if length else packet.wire)
        self.extensions = 0
        self.row.update(
            src=packet.data[8:24], dst=packet.data[24:40], ip_len=total, ip_id=0, ttl=packet.data[7],
            flags=SegmentFlag.IPV6 | (0 if length else SegmentFlag.OFFLOAD),
        )  # fmt: skip
        self.go_protocol(packet.data[6], packet.ending(total).behind(40))

    def extension(self, packet: Packet, proto: int) -> None:
        authentication = proto == 51
        if not authentication and not self.row["flags"] & SegmentFlag.IPV6:
            raise Undecoded(Reason.UNKNOWN_TRANSPORT)
        self.extensions += 1
        if self.extensions > limits.IPV6_EXTENSIONS_MAX:
            raise Undecoded(Reason.TOO_MANY_EXTENSIONS)
        packet.need(8, Reason.TRUNCATED_IPV6_EXTENSION)
        length = packet.data[1]
        size = (length + 2) * 4 if authentication else (length + 1) * 8
        packet.need(size, Reason.TRUNCATED_IPV6_EXTENSION)
        if proto == 0 and self.row["flags"] & SegmentFlag.OFFLOAD:
            jumbo = self.jumbo(packet.data[2:size])
            if jumbo is not None:
                if jumbo < size:
                    raise Undecoded(Reason.BAD_IPV6_JUMBO)
                jumbo = self.within(packet, jumbo)
                self.row.update(ip_len=40 + jumbo, flags=SegmentFlag.IPV6)
                packet = packet.ending(jumbo)
        self.go_protocol(packet.data[0], packet.behind(size))

    @staticmethod
    def jumbo(options: bytes) -> int | None:
        while len(options) >= 2:
            if options[0] == 0:
                options = options[1:]
            elif options[0] == 0xC2 and options[1] == 4 and len(options) >= 6:
                return int.from_bytes(options[2:6], "big")
            else:
                options = options[2 + options[1] :]
        return None

    def fragment(self, packet: Packet) -> None:
        if not self.row["flags"] & SegmentFlag.IPV6:
            raise Undecoded(Reason.UNKNOWN_TRANSPORT)
        packet.need(8, Reason.TRUNCATED_IPV6_EXTENSION)
        field, proto = packet.number(2, 2), packet.data[0]
        begin, more, inner = field & 0xFFF8, field & 1 == 1, packet.behind(8)
        if begin == 0 and not more:
            self.go_protocol(proto, inner)
        else:
            self.go("ip_fragment", inner, key=(packet.number(4, 4), "any"), begin=begin, more=more, proto=proto)

    def ip_fragment(self, packet: Packet, key: tuple[Any, ...], begin: int, more: bool, proto: int) -> None:
        if len(packet.data) < packet.wire:
            raise Undecoded(Reason.FRAGMENT_CUT)
        end = begin + packet.wire
        if more:
            end -= end % 8
        if end <= begin or end >= limits.DATAGRAM_BYTES:
            raise Undecoded(Reason.FRAGMENT_BAD)
        row = self.row
        key = (*key, row["src"], row["dst"], row["tunnel"], row["tunnel_id"], row["vlan"])
        self.expire(key)
        if key not in self.datagrams:
            self.make_room()
            self.datagrams[key] = Datagram(self.now, proto=proto)
        datagram = self.datagrams[key]
        reach = max((8 * block + len(held) for block, held in datagram.blocks.items()), default=0)
        if datagram.end is not None and (end > datagram.end or (not more and end != datagram.end)):
            raise Undecoded(Reason.FRAGMENT_BAD)
        if not more:
            if end < reach:
                raise Undecoded(Reason.FRAGMENT_BAD)
            datagram.end = end
        blocks = {at // 8: packet.data[at - begin : min(at + 8, end) - begin] for at in range(begin, end, 8)}
        fresh = {block: held for block, held in blocks.items() if block not in datagram.blocks}
        self.fragment_counts[FragmentCount.OVERLAPS] += len(fresh) < len(blocks)
        if not fresh:
            raise Undecoded(Reason.FRAGMENT_DUPLICATE)
        datagram.blocks |= fresh
        datagram.ip_bytes += row["ip_len"]
        if begin == 0:
            datagram.proto = proto
        if datagram.end is None or len(datagram.blocks) < -(-datagram.end // 8):
            raise Undecoded(Reason.FRAGMENT_HELD)
        del self.datagrams[key]
        self.fragment_counts[FragmentCount.REBUILT] += 1
        whole = b"".join(datagram.blocks[block] for block in sorted(datagram.blocks))
        row["ip_len"] = datagram.ip_bytes
        row["flags"] &= ~SegmentFlag.OFFLOAD
        self.rebuilt = True
        self.go_protocol(datagram.proto, Packet(whole, len(whole)))

    def is_late(self, datagram: Datagram) -> bool:
        return self.now - datagram.start > limits.DATAGRAM_SECONDS * limits.NS

    def expire(self, key: tuple[Any, ...]) -> None:
        if key in self.datagrams and self.is_late(self.datagrams[key]):
            del self.datagrams[key]
            self.fragment_counts[FragmentCount.EXPIRED] += 1

    def make_room(self) -> None:
        if len(self.datagrams) == limits.DATAGRAMS_MAX:
            oldest = min(self.datagrams, key=lambda key: self.datagrams[key].start)
            late = self.is_late(self.datagrams.pop(oldest))
            self.fragment_counts[FragmentCount.EXPIRED if late else FragmentCount.EVICTED] += 1

    def finish(self, proto: int, packet: Packet, header: int, **columns: int) -> None:
        payload = packet.data[header:]
        length = packet.wire - header
        if len(payload) < length:
            self.row["flags"] |= SegmentFlag.CUT
        else:
            self.row["flags"] &= ~SegmentFlag.CUT
        tcp = {"seq": 0, "ack": 0, "window": 0, "tcp_flags": 0}
        self.row.update(tcp | columns, proto=proto, payload=payload, payload_caplen=len(payload), payload_len=length)

    def tcp(self, packet: Packet) -> None:
        packet.need(20, Reason.TRUNCATED_TCP)
        header = (packet.data[12] >> 4) * 4
        if not 20 <= header <= packet.wire:
            raise Undecoded(Reason.BAD_TCP_HEADER_LENGTH)
        self.finish(
            6, packet, header, src_port=packet.number(0, 2), dst_port=packet.number(2, 2), seq=packet.number(4, 4),
            ack=packet.number(8, 4), tcp_flags=packet.data[13], window=packet.number(14, 2),
        )  # fmt: skip

    def udp(self, packet: Packet) -> None:
        packet.need(8, Reason.TRUNCATED_UDP)
        src, dst, length = packet.number(0, 2), packet.number(2, 2), packet.number(4, 2)
        if 0 < length < 8:
            raise Undecoded(Reason.BAD_UDP_LENGTH)
        if 0 < length <= packet.wire:
            packet = packet.ending(length)
        self.finish(17, packet, 8, src_port=src, dst_port=dst)
        layer = self.ports.get(dst) or self.ports.get(src)
        if not layer and self.is_teredo(packet.behind(8)):
            layer = "teredo"
        if layer:
            self.go(layer, packet.behind(8))

    def sctp(self, packet: Packet) -> None:
        packet.need(12, Reason.TRUNCATED_SCTP)
        self.finish(132, packet, 12, src_port=packet.number(0, 2), dst_port=packet.number(2, 2))

    def icmp(self, packet: Packet) -> None:
        self.message(1, packet, two_way(ICMP_ANSWERS))

    def icmp6(self, packet: Packet) -> None:
        self.message(58, packet, two_way(ICMP6_ANSWERS))

    def message(self, proto: int, packet: Packet, answers: dict[int, int]) -> None:
        packet.need(4, Reason.TRUNCATED_ICMP)
        if packet.wire < 8:
            raise Undecoded(Reason.TRUNCATED_ICMP)
        kind, code = packet.data[:2]
        self.finish(proto, packet, 8, src_port=kind, dst_port=answers.get(kind, code))
