"""The packet that every tunnel test wraps, and what must come out of the wrapping."""

from typing import Any

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from sensor.schema import Tunnel
from tests.decode.frames import ETHER, decode_one

INNER = IP(src="10.1.0.1", dst="10.1.0.2") / TCP(sport=1234, dport=80, seq=7) / b"hello"
INNER6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(sport=1234, dport=80, seq=7) / b"hello"
OUTER = ETHER / IP(src="192.0.2.1", dst="192.0.2.2")
OUTER6 = ETHER / IPv6(src="2001:db8:f::1", dst="2001:db8:f::2")


def over_udp(port: int, payload: Any) -> bytes:
    return bytes(OUTER / UDP(sport=50_000, dport=port) / payload)


def assert_inner(frame: Any, tunnel: Tunnel, number: int) -> dict[str, Any]:
    """The row is that of the packet inside, and names the tunnel."""
    row = decode_one(bytes(frame))
    assert row["src"] in ("10.1.0.1", "2001:db8::1")
    assert (row["src_port"], row["dst_port"], row["seq"], row["payload"]) == (1234, 80, 7, b"hello")
    assert (Tunnel(row["tunnel"]), row["tunnel_id"]) == (tunnel, number)
    return row


def assert_stays_udp(port: int, payload: bytes) -> None:
    """What does not look like the tunnel is a UDP segment like any other."""
    row = decode_one(over_udp(port, payload))
    assert (row["src"], row["proto"], row["dst_port"]) == ("192.0.2.1", 17, port)
    assert (row["payload"], row["tunnel"], row["tunnel_id"]) == (payload, Tunnel.NONE, 0)
