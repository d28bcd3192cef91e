"""The newest transactions of sensors that publish them (topic tx.arrow): addresses go in; those of a client come out.

Law: as many rows are kept as was asked for, the oldest go; what is sent while nobody reads is not kept, and not waited
for by the sensor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import polars
import zmq

from sensor.bus.connection import Connection, secured
from sensor.bus.keys import KeyFolder

TOPIC = "tx.arrow"
_TABLES_WAITING = 64
_SECONDS = polars.col("ts").dt.epoch("us") / 1e6
_SHOWN = ("client_ip", "server_ip", "method", "host", "uri", "status_code", "response_body_len", "user_agent")


class Recent:
    """At most `rows_max` transactions, in memory. `keys` and `plaintext` as of Subscriber. One thread uses it."""

    def __init__(self, addresses: Sequence[str], keys: str, plaintext: bool, rows_max: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._rows_max, self._rows = rows_max, 0
        self._tables: deque[polars.DataFrame] = deque()
        self.malformed = 0
        folder = KeyFolder(keys)
        self._connections = [
            Connection(self._context, address, (TOPIC,), _TABLES_WAITING, secured(address, folder, plaintext))
            for address in addresses
        ]

    def take(self) -> None:
        """What has arrived; never blocks."""
        for connection in self._connections:
            connection.tend()
            while connection.socket.poll(0):
                self._keep(connection.socket.recv_multipart()[-1])

    def of(self, client_ip: str, until: float, most: int) -> tuple[dict[str, Any], ...]:
        """The last `most` of a client that began by `until`, seconds since 1970, in the order of their time."""
        found: list[dict[str, Any]] = []
        for table in reversed(self._tables):
            chosen = table.filter((polars.col("client_ip") == client_ip) & (polars.col("ts") <= until))
            found += chosen.sort("ts").reverse().head(most).to_dicts()
            if len(found) >= most:
                break
        return tuple(sorted(found, key=lambda row: float(row["ts"]))[-most:])

    def _keep(self, body: bytes) -> None:
        try:
            table = polars.read_ipc_stream(body).select(_SECONDS, *_SHOWN)
        except (polars.exceptions.PolarsError, OSError):
            self.malformed += 1
            return
        self._tables.append(table)
        self._rows += table.height
        while self._rows > self._rows_max:
            oldest = self._tables.popleft()
            left = oldest.slice(self._rows - self._rows_max)
            self._rows += left.height - oldest.height
            if left.height:
                self._tables.appendleft(left)

    def close(self) -> None:
        self._context.destroy(linger=0)
