"""Tunnels for the slow decoder, one method each. A UDP tunnel that declines just returns: the row stays UDP."""

from __future__ import annotations

from sensor.decode.reasons import Reason
from sensor.schema import Tunnel
from tests.oracles.decode_packet import Packet, Undecoded, Walk


def looks_like_ethernet(packet: Packet) -> bool:
    if len(packet.data) < 14:
        return False
    kind = packet.number(12, 2)
    if kind < 0x600:
        return 2 < kind <= packet.wire - 14
    return kind in (0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x9100, 0x8847, 0x8864)


class Tunnels(Walk):
    def ipip4(self, packet: Packet) -> None:
        self.tunnel(Tunnel.IPIP, 0)
        self.go("ipv4", packet)

    def ipip6(self, packet: Packet) -> None:
        self.tunnel(Tunnel.IPIP, 0)
        self.go("ipv6", packet)

    def etherip(self, packet: Packet) -> None:
        self.tunnel(Tunnel.IPIP, 0)
        packet.need(2, Reason.TRUNCATED_TUNNEL)
        self.go("ethernet", packet.behind(2))

    def mpls(self, packet: Packet) -> None:
        packet.need(4, Reason.TRUNCATED_TUNNEL)
        label = packet.number(0, 4)
        self.tunnel(Tunnel.MPLS, label >> 12)
        packet = packet.behind(4)
        if not label & 0x100:
            return self.go("mpls", packet)
        packet.need(6, Reason.TRUNCATED_TUNNEL)
        nibble, ethernet = packet.data[0] >> 4, looks_like_ethernet(packet)
        if nibble == 4 and (packet.number(2, 2) <= packet.wire or not ethernet):
            return self.go("ipv4", packet)
        if nibble == 6 and (packet.number(4, 2) + 40 <= packet.wire or not ethernet):
            return self.go("ipv6", packet)
        control_word = nibble == 0 and (looks_like_ethernet(packet.behind(4)) or not ethernet)
        return self.go("ethernet", packet.behind(4) if control_word else packet)

    def gre(self, packet: Packet) -> None:
        packet.need(4, Reason.TRUNCATED_TUNNEL)
        flags, kind = packet.number(0, 2), packet.number(2, 2)
        checksum, routing, keyed, sequence = flags & 0x8000, flags & 0x4000, flags & 0x2000, flags & 0x1000
        acknowledged = flags & 0x80
        version = flags & 7
        if version > 1 or routing:
            raise Undecoded(Reason.BAD_TUNNEL)
        packet = packet.behind(8 if checksum else 4)
        key = 0
        if keyed:
            packet.need(4, Reason.TRUNCATED_TUNNEL)
            key = packet.number(0, 4)
            packet = packet.behind(4)
        packet = packet.behind((4 if sequence else 0) + (4 if version and acknowledged else 0))
        if version == 1:
            key &= 0xFFFF
            if not sequence:
                raise Undecoded(Reason.TUNNEL_CONTROL)
        elif kind == 0x6558 and key >= 1 << 20:
            key >>= 8
        self.tunnel(Tunnel.GRE, key)
        if kind == 0x88BE and not sequence:
            self.tunnel(Tunnel.ERSPAN, key)
            self.go("ethernet", packet)
        elif kind == 0x880B:
            self.go("ppp", packet)
        elif kind == 0x883E:
            self.go("ipv4", packet if packet.data[:1] and packet.data[0] >> 4 == 4 else packet.behind(4))
        elif 0x8200 <= kind <= 0x8370 and kind % 16 == 0:
            self.go("wlan", packet)
        elif kind == 0:
            raise Undecoded(Reason.TUNNEL_CONTROL)
        else:
            self.go_ethertype(kind, packet)

    def gre_in_udp(self, packet: Packet) -> None:
        if len(packet.data) < 4 or packet.number(0, 2) & 0x4FFF:
            return
        if packet.number(2, 2) in (0x800, 0x86DD, 0x6558, 0x8847):
            self.go("gre", packet)

    def erspan(self, packet: Packet, kind: str) -> None:
        size, version = (8, 1) if kind == "erspan2" else (12, 2)
        packet.need(size, Reason.TRUNCATED_TUNNEL)
        if packet.data[0] >> 4 != version:
            raise Undecoded(Reason.BAD_TUNNEL)
        self.tunnel(Tunnel.ERSPAN, packet.number(2, 2) & 0x3FF)
        if version == 1:
            return self.go("ethernet", packet.behind(8))
        options = packet.number(10, 2)
        inner = packet.behind(20 if options & 1 else 12)
        layer = {0: "ethernet", 2: "raw"}.get(options >> 10 & 31)
        if layer is None:
            raise Undecoded(Reason.BAD_TUNNEL)
        return self.go(layer, inner)

    def vxlan(self, packet: Packet) -> None:
        if len(packet.data) < 8 or packet.data[7]:
            return None
        flags, inner, layer = packet.data[0], packet.behind(8), "ethernet"
        if not flags & 8:
            return None
        if flags & 4:
            if packet.data[3] not in (1, 2, 3):
                return None
            layer = ("ipv4", "ipv6", "ethernet")[packet.data[3] - 1]
        elif flags not in (0x08, 0x88) or (flags == 0x08 and any(packet.data[1:4])):
            return None
        if layer == "ethernet" and not looks_like_ethernet(inner):
            return None
        self.tunnel(Tunnel.VXLAN, packet.number(4, 3))
        return self.go(layer, inner)

    def geneve(self, packet: Packet) -> None:
        if len(packet.data) < 8:
            return
        first, second, kind = packet.data[0], packet.data[1], packet.number(2, 2)
        size = 8 + (first & 63) * 4
        if first >> 6 or second & 63 or packet.data[7] or size > len(packet.data):
            return
        if kind in (0x6558, 0x0800, 0x86DD, 0x8847):
            self.tunnel(Tunnel.GENEVE, packet.number(4, 3))
            self.go_ethertype(kind, packet.behind(size))

    def gtpu(self, packet: Packet) -> None:
        if len(packet.data) < 9 or packet.data[0] & 0xF8 != 0x30 or packet.data[1] != 0xFF:
            return
        if packet.number(2, 2) > packet.wire - 8:
            return
        flags, teid = packet.data[0], packet.number(4, 4)
        inner = packet.behind(8)
        if flags & 7:
            if len(inner.data) < 4:
                return
            following = inner.data[3] if flags & 4 else 0
            inner = inner.behind(4)
            for _ in range(8):
                if following == 0:
                    break
                size = inner.data[0] * 4 if inner.data else 0
                if size == 0 or size > len(inner.data):
                    return
                following = inner.data[size - 1]
                inner = inner.behind(size)
            else:
                return
        if inner.data and inner.data[0] >> 4 in (4, 6):
            self.tunnel(Tunnel.GTPU, teid)
            self.go("raw", inner)

    def tzsp(self, packet: Packet) -> None:
        if len(packet.data) < 5 or packet.data[0] != 1 or packet.data[1] > 1:
            return
        layer = {1: "ethernet", 0x12: "wlan"}.get(packet.number(2, 2))
        inner = packet.behind(4)
        for _ in range(32):
            if not inner.data:
                return
            tag = inner.data[0]
            if tag == 1:
                break
            if tag == 0:
                inner = inner.behind(1)
            elif len(inner.data) >= 2:
                inner = inner.behind(2 + inner.data[1])
            else:
                return
        else:
            return
        if layer:
            self.tunnel(Tunnel.TZSP, 0)
            self.go(layer, inner.behind(1))

    def l2tp(self, packet: Packet) -> None:
        if len(packet.data) < 8 or packet.data[0] & 0x80:
            return
        flags, data = packet.number(0, 2), packet.data
        if flags & 15 == 3:
            inner = self.behind_cookie(packet.behind(8))
            if inner:
                self.tunnel(Tunnel.L2TP, packet.number(4, 4))
                self.go("ethernet", inner)
            return
        size = 8 if flags & 0x4000 else 6
        session = packet.number(size - 2, 2)
        if flags & 0x0800:
            size += 4
        if flags & 0x0200 and size + 2 <= len(data):
            size += 2 + packet.number(size, 2)
        rest = data[size:]
        if flags & 15 == 2 and len(rest) >= 2 and (rest[:2] == b"\xff\x03" or rest[0] in (0, 0x21, 0x57)):
            self.tunnel(Tunnel.L2TP, session)
            self.go("ppp", packet.behind(size))

    def l2tp3_in_ip(self, packet: Packet) -> None:
        packet.need(4, Reason.TRUNCATED_TUNNEL)
        session = packet.number(0, 4)
        if session == 0:
            raise Undecoded(Reason.TUNNEL_CONTROL)
        inner = self.behind_cookie(packet.behind(4))
        if inner is None:
            raise Undecoded(Reason.BAD_TUNNEL)
        self.tunnel(Tunnel.L2TP, session)
        self.go("ethernet", inner)

    @staticmethod
    def behind_cookie(packet: Packet) -> Packet | None:
        return next((inner for inner in map(packet.behind, (0, 4, 8, 12)) if looks_like_ethernet(inner)), None)

    @staticmethod
    def is_teredo(packet: Packet) -> bool:
        """Told by content: whole, and with an address of 2001::/32."""
        data = packet.data
        whole = len(data) >= 40 and data[0] >> 4 == 6 and 40 + packet.number(4, 2) == packet.wire
        return whole and b"\x20\x01\0\0" in (data[8:12], data[24:28])

    def teredo(self, packet: Packet) -> None:
        inner = packet
        if len(inner.data) >= 13 and inner.data[:2] == b"\0\1":
            inner = inner.behind(13 + inner.data[2] + inner.data[3])
        if len(inner.data) >= 8 and inner.data[:2] == b"\0\0":
            inner = inner.behind(8)
        if len(inner.data) >= 40 and inner.data[0] >> 4 == 6 and 40 + inner.number(4, 2) <= inner.wire:
            self.tunnel(Tunnel.TEREDO, 0)
            self.go("ipv6", inner)

    def vntag(self, packet: Packet) -> None:
        packet.need(6, Reason.TRUNCATED_TUNNEL)
        self.typed(packet.number(4, 2), packet.behind(6))

    def backbone(self, packet: Packet) -> None:
        packet.need(6, Reason.TRUNCATED_TUNNEL)
        self.go("ethernet", packet.behind(4))

    def fabricpath(self, packet: Packet) -> None:
        packet.need(6, Reason.TRUNCATED_TUNNEL)
        self.go("ethernet", packet.behind(2))

    def nsh(self, packet: Packet) -> None:
        packet.need(6, Reason.TRUNCATED_TUNNEL)
        layers = {1: "ipv4", 2: "ipv6", 3: "ethernet", 5: "mpls"}
        if packet.data[3] not in layers:
            raise Undecoded(Reason.BAD_TUNNEL)
        self.go(layers[packet.data[3]], packet.behind((packet.number(0, 2) & 63) * 4))
