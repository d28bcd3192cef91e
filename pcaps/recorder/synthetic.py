"""Crafted captures for corner cases that no program here shows on demand; their names begin with `synthetic-`.

Goes in: a Lab (only its paths). Comes out: a pcap, and the rows a server would have logged. The law: one oddity each.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from .lab import Lab, capture

CLIENT, SERVER = "10.79.0.1", "10.79.0.2"
START = 1_795_000_000
REQUEST = b"GET /item/%d HTTP/1.1\r\nHost: synthetic.example\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


def _conversation(
    network: Packet, back: Packet, asked: list[bytes], answered: list[bytes], isn: int = 1000
) -> Iterator[Packet]:
    """Handshake, each request with its response in segments of 500, closing; `isn` is the server's first number."""
    ports, back_ports = {"sport": 40_000, "dport": 80}, {"sport": 80, "dport": 40_000}
    seq, ack = 5000, isn
    yield network / TCP(**ports, flags="S", seq=seq)
    yield back / TCP(**back_ports, flags="SA", seq=ack, ack=seq + 1)
    seq, ack = seq + 1, (ack + 1) % 2**32
    yield network / TCP(**ports, flags="A", seq=seq, ack=ack)
    for request, response in zip(asked, answered, strict=True):
        yield network / TCP(**ports, flags="PA", seq=seq, ack=ack) / Raw(request)
        seq += len(request)
        for at in range(0, len(response), 500):
            part = response[at : at + 500]
            yield back / TCP(**back_ports, flags="PA", seq=ack, ack=seq) / Raw(part)
            ack = (ack + len(part)) % 2**32
        yield network / TCP(**ports, flags="A", seq=seq, ack=ack)
    yield network / TCP(**ports, flags="FA", seq=seq, ack=ack)
    yield back / TCP(**back_ports, flags="FA", seq=ack, ack=seq + 1)
    yield network / TCP(**ports, flags="A", seq=seq + 1, ack=(ack + 1) % 2**32)


def _write(
    lab: Lab, packets: list[bytes], *, link: int = 1, order: str = "<", times: dict[int, int] | None = None
) -> None:
    """A classic pcap, one packet a millisecond; `times` gives some packets another second."""
    octets = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for number, packet in enumerate(packets):
        seconds = (times or {}).get(number, START)
        octets += struct.pack(order + "IIII", seconds, number * 1000, len(packet), len(packet)) + packet
    lab.pcap.write_bytes(octets)


def _log(lab: Lab, lengths: list[int], client: str = CLIENT, server: str = SERVER) -> None:
    rows: list[dict[str, Any]] = [
        {"client": f"{client}:40000", "server": f"{server}:80", "method": "GET", "uri": f"/item/{number}",
         "host": "synthetic.example", "user_agent": None, "version": "HTTP/1.1", "status_code": 200,
         "request_body_len": 0, "response_body_len": length}
        for number, length in enumerate(lengths)
    ]  # fmt: skip
    lab.api_log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lab.nginx_log.write_text("")


def _usual(lab: Lab, lengths: list[int], isn: int = 1000) -> list[Packet]:
    """The packets of one transaction per length, without Ethernet, and their log."""
    _log(lab, lengths)
    asked = [REQUEST % number for number in range(len(lengths))]
    answered = [RESPONSE % (length, b"x" * length) for length in lengths]
    return list(_conversation(IP(src=CLIENT, dst=SERVER), IP(src=SERVER, dst=CLIENT), asked, answered, isn))


def _framed(packets: list[Packet]) -> list[bytes]:
    return [bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet) for packet in packets]


@capture("the sequence number wraps inside a response")
def synthetic_sequence_wrap(lab: Lab) -> None:
    _write(lab, _framed(_usual(lab, [3000, 200], isn=2**32 - 1500)))


@capture("a response head waits behind a hole when a second copy of it says 500: the first copy wins")
def synthetic_overlap(lab: Lab) -> None:
    packets = _usual(lab, [1800, 100])
    late, second = packets[5], packets[10]
    forged = second.copy()
    forged[Raw].load = b"HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n".ljust(len(forged[Raw].load), b"!")
    _write(lab, _framed([*packets[:5], *packets[6:11], forged, late, *packets[11:]]))


@capture("one frame in the middle claims to come from the year 2106: it expires nothing")
def synthetic_year_2106(lab: Lab) -> None:
    _write(lab, _framed(_usual(lab, [700, 700, 700])), times={9: 0xFFFFFFFF})


@capture("big-endian file, raw IP without Ethernet")
def synthetic_big_endian_raw_ip(lab: Lab) -> None:
    _write(lab, [bytes(packet) for packet in _usual(lab, [900])], link=101, order=">")


@capture("IPv6 with hop-by-hop and destination options before TCP")
def synthetic_ipv6_options(lab: Lab) -> None:
    client, server = "fd79::1", "fd79::2"
    _log(lab, [900], client, server)
    options = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt()
    there, back = (IPv6(src=a, dst=b) / options for a, b in ((client, server), (server, client)))
    _write(lab, _framed(list(_conversation(there, back, [REQUEST % 0], [RESPONSE % (900, b"y" * 900)]))))
