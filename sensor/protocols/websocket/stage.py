"""WebSocket: in: tunnels that an upgrade opened, and chunks of ordered bytes; out: a row for each connection that
ended.

The one law: a batch without a WebSocket costs one look at a dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.counters import Counters
from sensor.protocols.flow_names import names_of
from sensor.protocols.http1.tables import TunnelKind
from sensor.protocols.tls.hello import printable
from sensor.protocols.websocket.frames_kernel import read_frames
from sensor.protocols.websocket.tables import (
    CONNECTIONS_MAX,
    NOTICE,
    NOTICES,
    SIDE,
    Count,
    Fault,
    Opcode,
    Scalar,
    Tables,
)
from sensor.tunnel import Tunnel
from sensor.websocket import WebSocketConnection

Rows = npt.NDArray[Any]
NS = 1e9
_EXTENSIONS_MAX = 8


class WebSocketStage:
    """Reads the chunks of those `flows` (FLOW rows) that went over to WebSocket."""

    def __init__(self, flows: Rows, connections_max: int = CONNECTIONS_MAX) -> None:
        self.counters = Counters(Count)
        self._free = list(range(connections_max - 1, -1, -1))
        self._open: dict[int, tuple[int, Tunnel]] = {}
        self._streams: dict[tuple[int, int], Tunnel] = {}
        self._tables = Tables(
            flows=flows,
            slots=np.zeros(len(flows), np.int32),
            sides=np.zeros(2 * connections_max, SIDE),
            notices=np.zeros(NOTICES, NOTICE),
            numbers=np.zeros(len(Scalar), np.int64),
            counts=self.counters.values,
        )

    def process(
        self, tunnels: Sequence[Tunnel], data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8],
        pages: npt.NDArray[np.uint8], chunks: Rows,
    ) -> list[WebSocketConnection]:  # fmt: skip
        """The WebSockets that ended with these chunks, which opened `tunnels`."""
        found: list[WebSocketConnection] = []
        for tunnel in tunnels:
            if tunnel.kind == TunnelKind.WEBSOCKET:
                self._begin(tunnel)
            elif tunnel.kind == TunnelKind.WEBSOCKET_STREAM:
                self._begin_stream(tunnel)
            elif tunnel.kind == TunnelKind.WEBSOCKET_OVER:
                found += self._end_stream(tunnel)
        row = 0
        while self._open and row < len(chunks):
            try:
                row = int(read_frames(self._tables, data, datagrams, pages, chunks, row, len(chunks)))
            except IndexError:
                self.counters.values[Count.KERNEL_FAULT] += 1
                row = int(self._tables.numbers[Scalar.CURSOR]) + 1
            for notice in self._tables.notices[: self._tables.numbers[Scalar.NOTICES]]:
                found.append(self._end(notice))
        return found

    def _begin(self, tunnel: Tunnel) -> None:
        if tunnel.flow in self._open:  # a WebSocket cannot hold another: the flow's row was taken again
            self._free.append(self._open.pop(tunnel.flow)[0])
        if not self._free:
            self.counters.values[Count.CONNECTIONS_EXHAUSTED] += 1
            self._tables.slots[tunnel.flow] = 0
            return
        connection = self._free.pop()
        sides = self._tables.sides[2 * connection : 2 * connection + 2]
        sides[:] = np.zeros(2, SIDE)
        sides["begins"] = tunnel.starts
        sides["client"][tunnel.client] = 1
        self._tables.slots[tunnel.flow] = connection + 1
        self._open[tunnel.flow] = connection, tunnel
        self.counters.values[Count.CONNECTIONS] += 1

    def _begin_stream(self, tunnel: Tunnel) -> None:
        """One on a stream of HTTP/2, whose frames are counted where the stream is read."""
        self._streams[tunnel.serial, tunnel.depth] = tunnel
        if len(self._streams) > CONNECTIONS_MAX:
            del self._streams[next(iter(self._streams))]
            self.counters.values[Count.CONNECTIONS_EXHAUSTED] += 1
        self.counters.values[Count.CONNECTIONS] += 1

    def _end_stream(self, over: Tunnel) -> list[WebSocketConnection]:
        """Its row; none when it is not known any more how it began."""
        tunnel = self._streams.pop((over.serial, over.depth), None)
        if tunnel is None:
            return []
        sides = np.frombuffer(over.sides, SIDE)
        self.counters.values[Count.FRAMES] += int(sides["frames"].sum())
        self.counters.values[Count.LOSSES] += int(np.count_nonzero(sides["faults"] & Fault.LOSS))
        flow = self._tables.flows[tunnel.flow]
        return [_row(flow, tunnel, sides, over.ts, min(over.ts, int(flow["last_ts"])))]

    def _end(self, notice: Any) -> WebSocketConnection:
        connection, tunnel = self._open.pop(int(notice["flow"]))
        self._free.append(connection)
        sides = self._tables.sides[2 * connection : 2 * connection + 2]
        flow = self._tables.flows[tunnel.flow]
        return _row(flow, tunnel, sides, int(notice["now"]), int(flow["last_ts"]))


def _row(flow: Any, tunnel: Tunnel, sides: Rows, now: int, last_ts: int) -> WebSocketConnection:
    """`now` is packet time at which it had ended, `last_ts` its last packet's."""
    faults = int(sides["faults"][0] | sides["faults"][1])
    subprotocols = _header(tunnel, "sec-websocket-protocol")
    return WebSocketConnection(
        **names_of(flow, tunnel.uid, tunnel.client),
        ts=tunnel.ts / NS,
        duration=max(last_ts - tunnel.ts, 0) / NS,
        trans_depth=tunnel.depth,
        host=tunnel.host or None,
        uri=tunnel.uri or None,
        user_agent=tunnel.user_agent or None,
        subprotocol=subprotocols[0] if subprotocols else None,
        extensions=tuple(_header(tunnel, "sec-websocket-extensions")[:_EXTENSIONS_MAX]),
        compressed=bool(sides["compressed"].any()),
        frames_exact=not faults & Fault.LOSS,
        anomalies=tuple(fault.name.lower() for fault in Fault if faults & fault),
        end_now=now,
        **_of_side("orig", sides[tunnel.client]),
        **_of_side("resp", sides[1 - tunnel.client]),
    )


def _of_side(name: str, side: Any) -> dict[str, Any]:
    found = {f"{name}_{opcode.name.lower()}_frames": int(side["frames"][opcode]) for opcode in Opcode}
    columns = {
        "messages": "messages", "bytes": "bytes", "control_bytes": "control_bytes", "frame_size_max": "frame_max",
        "message_size_max": "message_max", "missing_bytes": "missing",
    }  # fmt: skip
    found |= {f"{name}_{column}": int(side[field]) for column, field in columns.items()}
    return found | {f"{name}_close_code": int(side["close_code"]) or None}


def _header(tunnel: Tunnel, name: str) -> list[str]:
    """The members of a header of the answer."""
    members: list[str] = []
    for line in tunnel.head.split(b"\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name.encode():
            words = [member.split() for member in value.split(b",")]
            members += [" ".join(map(printable, member)) for member in words if member]
    return members
