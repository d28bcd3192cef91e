"""Tapir's transactions in the form that ../shared/oracle/compare.py reads, and which captures are in scope.

Goes in: a capture. Comes out: one dictionary a transaction. The law: nothing is left out, nothing improved on the way.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import sensor
from sensor.config import ProtocolSettings, Settings
from sensor.errors import InputError

SHARED = Path(__file__).resolve().parents[3] / "shared"
ORACLE = SHARED / "oracle"
SETTINGS = Settings(protocols=ProtocolSettings(show_secrets=True))
LINKS_IN_SCOPE = {1, 12, 14, 101, 228, 229, 113, 276}
"""Ethernet, raw IP under its several numbers, and Linux cooked in both versions."""
ENCAPSULATIONS_IN_SCOPE = {
    *("eth:ip", "eth:ipv6", "eth:vlan:ip", "eth:vlan:ipv6", "ip", "ipv6", "raw:ip", "sll:ip", "sll2:ip"),
}
MAGICS = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}


def captures(*folders: str) -> list[Path]:
    """The captures below folders of ../shared/oracle; none when it is not there."""
    found = [path for folder in folders for path in (ORACLE / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix not in (".jsonl", ".py", ".md", ".txt"))


def in_scope(path: Path, encapsulations: set[str]) -> bool:
    """Whether the capture is a pcap of Ethernet, cooked or raw IP without any tunnel."""
    head = path.open("rb").read(24)
    order = MAGICS.get(head[:4])
    if order is None or struct.unpack(order + "I", head[20:24])[0] & 0xFFFF not in LINKS_IN_SCOPE:
        return False
    return encapsulations <= ENCAPSULATIONS_IN_SCOPE


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def candidates(path: Path) -> list[dict[str, Any]]:
    """The capture's transactions; none when it is no capture that Tapir reads."""
    try:
        capture = sensor.read(path, SETTINGS)
    except InputError:
        return []
    return [
        {
            "pcap": path.name,
            "client": _endpoint(row["client_ip"], row["client_port"]),
            "server": _endpoint(row["server_ip"], row["server_port"]),
            "version": row["version"],
            "method": row["method"],
            "host": row["host"],
            "uri": row["uri"],
            "status": row["status_code"],
            "response_body_len": row["response_body_len"],
        }
        for row in capture.transactions.iter_rows(named=True)
    ]
