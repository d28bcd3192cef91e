"""Frames as TShark sees them: an analyser that shares no line with the sensor. The innermost occurrence of each
field.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

FIELDS = (
    "frame.number", "frame.protocols", "vlan.id", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport",
    "tcp.dstport", "tcp.seq_raw", "tcp.len", "udp.srcport", "udp.dstport",
)  # fmt: skip

QUOTING = {"arp", "igmp", "icmp", "icmpv6"}
"""What has no ports of its own but may quote, or stand inside, a packet that has."""


class Seen(NamedTuple):
    """One transport packet. `length` is TCP's payload, -1 for UDP."""

    src: str
    dst: str
    proto: int
    src_port: int
    dst_port: int
    vlan: int
    seq: int
    length: int


def dissect(path: Path) -> dict[int, Seen]:
    """By frame number (from 0), the frames whose innermost header known to TShark is TCP or UDP."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]
    for field in FIELDS:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    seen = {}
    for line in run.stdout.splitlines():
        values = dict(zip(FIELDS, line.split("\t"), strict=False))
        innermost = {name: value.split(",")[-1] for name, value in values.items()}
        segment = _seen(innermost, values["frame.protocols"].split(":"))
        if segment:
            seen[int(values["frame.number"]) - 1] = segment
    return seen


def _seen(last: dict[str, str], protocols: list[str]) -> Seen | None:
    if not QUOTING.isdisjoint(protocols):
        return None
    transport = next((name for name in reversed(protocols) if name in {"tcp", "udp", "sctp"}), None)
    network = next((name for name in reversed(protocols) if name in {"ip", "ipv6"}), None)
    tcp = transport == "tcp"
    if transport not in {"tcp", "udp"} or network is None or not last["tcp.len" if tcp else "udp.dstport"]:
        return None
    return Seen(
        last[f"{network}.src"], last[f"{network}.dst"], 6 if tcp else 17, int(last[f"{transport}.srcport"]),
        int(last[f"{transport}.dstport"]), int(last["vlan.id"] or 0), int(last["tcp.seq_raw"]) if tcp else 0,
        int(last["tcp.len"]) if tcp else -1,
    )  # fmt: skip
