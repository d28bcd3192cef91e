"""What the slow decoder walks over: a packet as bytes, the tables that name the next header, and the step from one to
the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensor import limits
from sensor.decode.reasons import Reason
from sensor.schema import Tunnel

ETHERTYPES = {
    0x0800: "ipv4", 0x86DD: "ipv6", 0x0806: Reason.ARP, 0x8100: "vlan", 0x88A8: "vlan", 0x9100: "vlan",
    0x6558: "ethernet", 0x8847: "mpls", 0x8848: "mpls", 0x8863: Reason.PPP_CONTROL, 0x8864: "pppoe", 0x88BE: "erspan2",
    0x22EB: "erspan3", 0x8926: "vntag", 0x88E7: "backbone", 0x8903: "fabricpath", 0x894F: "nsh",
}  # fmt: skip
PROTOCOLS = {
    0: "extension", 1: "icmp", 4: "ipip4", 6: "tcp", 17: "udp", 41: "ipip6", 43: "extension", 44: "fragment", 47: "gre",
    50: Reason.ENCRYPTED, 51: "authentication", 58: "icmp6", 59: Reason.NO_NEXT_HEADER, 60: "extension", 97: "etherip",
    115: "l2tp3_in_ip", 132: "sctp", 135: "extension", 137: "mpls", 139: "extension", 140: "extension",
}  # fmt: skip
LINKS = {
    1: "ethernet", 12: "raw", 14: "raw", 101: "raw", 228: "raw", 229: "raw", 0: "null", 108: "null", 113: "sll",
    276: "sll2", 9: "hdlc", 50: "hdlc", 104: "hdlc", 51: "pppoe", 10: "fddi", 105: "wlan", 127: "radiotap", 192: "ppi",
    239: "nflog",
}  # fmt: skip


class Undecoded(Exception):
    def __init__(self, reason: Reason) -> None:
        self.reason = reason


@dataclass
class Packet:
    """What is left of the frame: the captured bytes, and how many there were on the wire."""

    data: bytes
    wire: int

    def need(self, count: int, reason: Reason) -> None:
        if len(self.data) < count:
            raise Undecoded(reason)

    def number(self, start: int, count: int) -> int:
        assert start + count <= len(self.data)
        return int.from_bytes(self.data[start : start + count], "big")

    def behind(self, count: int) -> Packet:
        return Packet(self.data[count:], self.wire - count)

    def ending(self, wire: int) -> Packet:
        return Packet(self.data[: max(wire, 0)], wire)


class Walk:
    """The row being filled and the count of headers; the methods that headers need to get to the next."""

    row: dict[str, Any]
    layers: int

    def go(self, layer: str | Reason, packet: Packet, **more: Any) -> None:
        """One header more."""
        if self.layers == limits.LAYERS_MAX:
            raise Undecoded(Reason.TOO_MANY_LAYERS)
        self.layers += 1
        if isinstance(layer, Reason):
            raise Undecoded(layer)
        getattr(self, layer)(packet, **more)

    def go_ethertype(self, kind: int, packet: Packet) -> None:
        layer = ETHERTYPES.get(kind, Reason.UNKNOWN_ETHERTYPE)
        if layer in {"erspan2", "erspan3"}:
            self.go("erspan", packet, kind=layer)
        else:
            self.go(layer, packet)

    def go_protocol(self, proto: int, packet: Packet) -> None:
        layer = PROTOCOLS.get(proto, Reason.UNKNOWN_TRANSPORT)
        if layer in ("extension", "authentication"):
            self.go("extension", packet, proto=proto)
        else:
            self.go(layer, packet)

    def tunnel(self, kind: Tunnel, number: int) -> None:
        self.row["tunnel"], self.row["tunnel_id"] = int(kind), number
