"""A MaxMind DB for the tests: in: networks and what is known of them; out: the bytes of a table (format 2.0).

The one law: only what the tests need: IPv4 networks, 24-bit records, maps of text, numbers and maps.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Any


def encode(value: Any) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        size = bytes([2 << 5 | len(raw)]) if len(raw) < 29 else bytes([2 << 5 | 29, len(raw) - 29])
        return size + raw
    if isinstance(value, float):
        return bytes([3 << 5 | 8]) + struct.pack(">d", value)
    if isinstance(value, int):
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return bytes([6 << 5 | len(raw)]) + raw
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(encode, value))
    return bytes([7 << 5 | len(value)]) + b"".join(encode(key) + encode(inner) for key, inner in value.items())


def table(networks: dict[str, dict[str, Any]]) -> bytes:
    nodes: list[list[Any]] = [[None, None]]
    data = b""
    for text, about in networks.items():
        network = ipaddress.ip_network(text)
        bits = f"{int(network.network_address):032b}"[: network.prefixlen]
        node = 0
        for bit in bits[:-1]:
            if nodes[node][int(bit)] is None:
                nodes.append([None, None])
                nodes[node][int(bit)] = len(nodes) - 1
            node = nodes[node][int(bit)]
        nodes[node][int(bits[-1])] = ("data", len(data))
        data += encode(about)
    count = len(nodes)

    def record(value: Any) -> bytes:
        number = count if value is None else value if isinstance(value, int) else count + 16 + value[1]
        return int(number).to_bytes(3, "big")

    tree = b"".join(record(left) + record(right) for left, right in nodes)
    about_it = {
        "node_count": count, "record_size": 24, "ip_version": 4, "database_type": "Test", "languages": ["en"],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_700_000_000,
        "description": {"en": "for the tests"},
    }  # fmt: skip
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(about_it)
