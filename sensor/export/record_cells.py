"""TLS records to cells of flows: in: FLOW rows and the TLS connections that ended with them; out: the cells of
FLOW_RECORD_COLUMNS in the rows that these flows have in a slice.

The one law: only flows that speak TLS over TCP have any, and nothing is done where no such flow is waiting. Sides are
those of the flow, whoever sent the ClientHello.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.export.columns import FLOW_RECORD_COLUMNS, Column, Kind
from sensor.export.json_lines import NULL
from sensor.tls import TlsConnection

Rows = npt.NDArray[Any]
_SIDE_COLUMNS = tuple(column for column in FLOW_RECORD_COLUMNS if column.name.startswith("orig_"))
_MAPPED = 0xFFFF << 32


class RecordCells:
    """What is known of the flows that have not left yet."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[int]] = {}

    def note(self, flows: Rows, connections: Sequence[TlsConnection]) -> None:
        """Keep the figures of these connections for those of `flows` that they are."""
        by_flow = {connection.flow: connection for connection in connections if connection.quic_version is None}
        for i in np.flatnonzero(np.isin(flows["serial"], list(by_flow))):
            flow = flows[i]
            serial = int(flow["serial"])
            self._waiting[serial] = _cells(by_flow[serial], _is_turned(flow, by_flow[serial]))

    def put(self, serials: Rows, matrix: npt.NDArray[np.int64], first: int) -> None:
        """Fill matrix[i, first:] for those of the flows with these serials that have figures; they are forgotten."""
        if not self._waiting:
            return
        for i, serial in enumerate(serials.tolist()):
            if serial in self._waiting:
                matrix[i, first:] = self._waiting.pop(serial)


def _is_turned(flow: Any, connection: TlsConnection) -> bool:
    """Whether the connection's client is the flow's responder."""
    if flow["orig_port"] != flow["resp_port"]:
        return connection.orig_p != int(flow["orig_port"])
    address = ipaddress.ip_address(connection.orig_h)
    whole = int(address) if address.version == 6 else int(address) | _MAPPED
    return whole != int(flow["orig_hi"]) << 64 | int(flow["orig_lo"])


def _cells(connection: TlsConnection, turned: bool) -> list[int]:
    """In the order of FLOW_RECORD_COLUMNS."""
    found: list[int] = []
    for side in ("resp", "orig") if turned else ("orig", "resp"):
        found += [_cell(column, getattr(connection, side + column.name[4:])) for column in _SIDE_COLUMNS]
    return [*found, connection.records_exact]


def _cell(column: Column, value: float | None) -> int:
    if value is None:
        return NULL
    return round(value * 10**column.digits) if column.kind == Kind.DECIMAL else int(value)
