"""Link headers for the slow decoder, one method each."""

from __future__ import annotations

from sensor.decode.reasons import Reason
from tests.oracles.decode_packet import LINKS, Packet, Undecoded, Walk


class Links(Walk):
    def ethernet(self, packet: Packet) -> None:
        packet.need(14, Reason.TRUNCATED_ETHERNET)
        self.typed(packet.number(12, 2), packet.behind(14))

    def typed(self, kind: int, packet: Packet) -> None:
        """Behind an Ethernet type field: a length below 0x600."""
        if kind < 0x600:
            self.go("llc", packet)
        else:
            self.go_ethertype(kind, packet)

    def llc(self, packet: Packet) -> None:
        packet.need(3, Reason.TRUNCATED_LINK)
        if packet.data[0] == 6:
            return self.go("ipv4", packet.behind(3))
        if packet.data[0] != 0xAA or len(packet.data) < 8:
            raise Undecoded(Reason.LLC)
        kind = packet.number(6, 2)
        if packet.number(3, 3) not in (0, 0xF8) or kind < 0x600:
            raise Undecoded(Reason.LLC)
        return self.go_ethertype(kind, packet.behind(8))

    def vlan(self, packet: Packet) -> None:
        packet.need(4, Reason.TRUNCATED_VLAN)
        self.row["vlan"] = (packet.number(0, 2) & 0xFFF) or self.row["vlan"]
        self.typed(packet.number(2, 2), packet.behind(4))

    def raw(self, packet: Packet) -> None:
        packet.need(1, Reason.TRUNCATED_LINK)
        layers: dict[int, str | Reason] = {4: "ipv4", 6: "ipv6"}
        layer = layers.get(packet.data[0] >> 4)
        if layer is None:
            raise Undecoded(Reason.BAD_IP_VERSION)
        self.go(layer, packet)

    def null(self, packet: Packet) -> None:
        packet.need(4, Reason.TRUNCATED_LINK)
        one, two, three, four = packet.data[:4]
        if two or three or one | four not in (2, 10, 23, 24, 28, 30):
            raise Undecoded(Reason.UNKNOWN_FAMILY)
        self.go("ipv4" if one | four == 2 else "ipv6", packet.behind(4))

    def sll(self, packet: Packet) -> None:
        self.cooked(packet, 16, 2, 14)

    def sll2(self, packet: Packet) -> None:
        self.cooked(packet, 20, 8, 0)

    def cooked(self, packet: Packet, header: int, device: int, protocol: int) -> None:
        packet.need(header, Reason.TRUNCATED_LINK)
        kind, inner = packet.number(protocol, 2), packet.behind(header)
        if packet.number(device, 2) == 803:
            self.go("radiotap", inner)
        elif kind == 4:
            self.go("llc", inner)
        else:
            self.go_ethertype(kind, inner)

    def ppp(self, packet: Packet) -> None:
        if packet.data[:2] == b"\xff\x03":
            packet = packet.behind(2)
        packet.need(1, Reason.TRUNCATED_LINK)
        size = 1 if packet.data[0] & 1 else 2
        protocol = packet.number(0, min(size, len(packet.data)))
        layers = {0x21: "ipv4", 0x57: "ipv6", 0x281: "mpls", 0x283: "mpls"}
        if protocol not in layers:
            raise Undecoded(Reason.PPP_CONTROL)
        self.go(layers[protocol], packet.behind(size))

    def hdlc(self, packet: Packet) -> None:
        packet.need(4, Reason.TRUNCATED_LINK)
        if packet.data[0] not in (0x0F, 0x8F):
            return self.go("ppp", packet)
        kind = packet.number(2, 2)
        if kind < 0x600:
            raise Undecoded(Reason.LLC)
        return self.go_ethertype(kind, packet.behind(4))

    def pppoe(self, packet: Packet) -> None:
        packet.need(6, Reason.TRUNCATED_LINK)
        if packet.data[:2] != b"\x11\0":
            raise Undecoded(Reason.PPP_CONTROL)
        self.go("ppp", packet.behind(6))

    def fddi(self, packet: Packet) -> None:
        packet.need(13, Reason.TRUNCATED_LINK)
        if packet.data[0] >> 4 != 5:
            raise Undecoded(Reason.LLC)
        self.go("llc", packet.behind(13))

    def nflog(self, packet: Packet) -> None:
        packet = packet.behind(4)
        for _ in range(32):
            packet.need(4, Reason.TRUNCATED_LINK)
            length = int.from_bytes(packet.data[:2], "little")
            if length < 4:
                raise Undecoded(Reason.TRUNCATED_LINK)
            if int.from_bytes(packet.data[2:4], "little") & 0x7FFF == 9:
                return self.go("raw", packet.behind(4))
            packet = packet.behind(-(-length // 4) * 4)
        raise Undecoded(Reason.TOO_MANY_LAYERS)

    def wlan(self, packet: Packet) -> None:
        packet.need(10, Reason.TRUNCATED_LINK)
        if len(packet.data) < 26:
            raise Undecoded(Reason.WLAN_CONTROL)
        control, flags = packet.data[:2]
        version, kind, subtype = control & 3, control >> 2 & 3, control >> 4
        if version != 0 or kind != 2 or subtype & 4:
            raise Undecoded(Reason.WLAN_CONTROL)
        header = 30 if flags & 3 == 3 else 24
        if subtype & 8:
            packet.need(header + 2, Reason.TRUNCATED_LINK)
            aggregate = packet.data[header] & 0x80
            header += 6 if flags & 0x80 else 2
            if aggregate:
                return self.go("ethernet", packet.behind(header))
        packet.need(header + 8, Reason.TRUNCATED_LINK)
        if packet.data[header : header + 2] == b"\xaa\xaa":
            return self.go("llc", packet.behind(header))
        if packet.data[header + 2 : header + 4] == b"\xaa\xaa" and header % 4 == 2:
            return self.go("llc", packet.behind(header + 2))
        raise Undecoded(Reason.ENCRYPTED if flags & 0x40 else Reason.LLC)

    def radiotap(self, packet: Packet) -> None:
        packet.need(4, Reason.TRUNCATED_LINK)
        length = int.from_bytes(packet.data[2:4], "little")
        if packet.data[0] or length < 8:
            raise Undecoded(Reason.TRUNCATED_LINK)
        self.go("wlan", packet.behind(length))

    def ppi(self, packet: Packet) -> None:
        packet.need(8, Reason.TRUNCATED_LINK)
        length = int.from_bytes(packet.data[2:4], "little")
        if length < 8:
            raise Undecoded(Reason.TRUNCATED_LINK)
        self.go(LINKS.get(int.from_bytes(packet.data[4:8], "little"), Reason.UNKNOWN_LINK), packet.behind(length))
