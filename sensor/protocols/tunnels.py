"""Connections that go on in another protocol, as Python sees them: in: TUNNEL rows; out: one record each.

The one law: the strings are copied at once, before the pool may forget them.
"""

from __future__ import annotations

from sensor.protocols.http1.tables import TUNNEL_HEAD_BYTES, Scalar, Tables, TunnelKind
from sensor.structures.string_pool import StringPool
from sensor.tunnel import Tunnel


def tunnels_of(tables: Tables, pool: StringPool) -> list[Tunnel]:
    """What the last part opened, in order."""
    found = []
    for number in range(int(tables.numbers[Scalar.TUNNELS])):
        row, start = tables.tunnels[number], number * TUNNEL_HEAD_BYTES
        over = tables.h2.websockets.over[2 * number : 2 * number + 2]
        starts = int(row["from_client"]), int(row["from_server"])
        found.append(
            Tunnel(
                flow=int(row["flow"]), serial=int(row["serial"]), kind=int(row["kind"]), ts=int(row["ts"]),
                uid=(int(row["uid_hi"]), int(row["uid_lo"])), client=int(row["client"]),
                starts=starts if row["client"] == 0 else starts[::-1], depth=int(row["depth"]),
                host=pool.text(int(row["host"])), uri=pool.text(int(row["uri"])),
                user_agent=pool.text(int(row["user_agent"])),
                head=tables.tunnel_heads[start : start + int(row["head_len"])].tobytes(),
                sides=over.tobytes() if row["kind"] == TunnelKind.WEBSOCKET_OVER else b"",
            )
        )  # fmt: skip
    return found
