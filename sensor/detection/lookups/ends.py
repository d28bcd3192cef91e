"""Who asked whom: in: a LOOKUP row; out: what a detection says of it.

The one law: it is what the row of `--dns` says.
"""

from __future__ import annotations

from typing import Any

from sensor.detection.evidence import address
from sensor.structures.community_id import community_id_of


def ends_of(row: Any) -> dict[str, Any]:
    """Fields of a Detection."""
    client, server = ((int(row[f"{side}_hi"]), int(row[f"{side}_lo"])) for side in ("client", "server"))
    client_port, server_port = int(row["client_port"]), int(row["server_port"])
    return {
        "client_ip": address(row, "client"), "client_port": client_port,
        "server_ip": address(row, "server"), "server_port": server_port,
        "community_id": community_id_of(*client, *server, client_port, server_port, int(row["proto"])),
    }  # fmt: skip
