"""Tables to cells: in: TRANSACTION or FLOW and STREAM rows; out: a slice of cells in the order of the columns.

The one law: every conversion (units, null) from what the sensor keeps to what the reader sees is in the kernel of its
table; the names of numbers are in this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from sensor import schema
from sensor.export.cells import Cells, Words
from sensor.export.columns import FLOW_COLUMNS, TRANSACTION_COLUMNS, Column, Kind
from sensor.export.flow_cells import RECORDS, flow_cells
from sensor.export.json_lines import SPARE_BYTES
from sensor.export.record_cells import RecordCells
from sensor.export.transaction_cells import CONNECTION, CONNECTION_BYTES, CONNECTIONS, transaction_cells
from sensor.schema import Anomaly, ConnState, EndReason, Proto, Service, Tunnel

if TYPE_CHECKING:
    from sensor.export.held import Released

Rows = npt.NDArray[Any]

_TUNNELS = {int(tunnel): tunnel.name.lower() for tunnel in Tunnel if tunnel}
_PROTOS = {number: str(number) for number in range(256)} | {
    int(proto): "icmp" if proto is Proto.ICMP6 else proto.name.lower() for proto in Proto
}
_VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
_TCP_LETTERS = "FSRPAUEC"


class Table(Protocol):
    """How one of the tables leaves."""

    name: str
    columns: Sequence[Column]
    dtype: np.dtype[Any]
    pooled: ClassVar[dict[str, str]]  # POOLED column -> field with its code
    companions: int           # STREAM rows per row
    names_bytes: int          # what all names of a NAMES column take in JSON

    @property
    def records(self) -> RecordCells | None:
        """Of flows: what TLS connections tell of them."""

    def keys(self, rows: Rows) -> tuple[npt.NDArray[Any], ...]:
        """What rows are ordered by, ties in order: (ts, flow, depth)."""

    def cells(self, run: Released, start: int, stop: int) -> Cells:
        """The rows `start` to `stop` of the run, at most SLICE_ROWS, as cells."""


def _tcp_letters(mask: int) -> str:
    return "".join(letter for bit, letter in enumerate(_TCP_LETTERS) if mask >> bit & 1)


class Transactions:
    """TRANSACTION rows."""

    name = "transactions"
    columns: Sequence[Column]
    dtype = schema.TRANSACTION
    companions = 0
    records: RecordCells | None = None
    pooled: ClassVar = {column.name: column.name for column in TRANSACTION_COLUMNS if column.kind == Kind.POOLED}

    def __init__(self) -> None:
        words = Words()
        self._tunnels, self._versions = words.codes(_TUNNELS), words.codes(_VERSIONS)
        names = [Anomaly(1 << bit).name for bit in range(len(Anomaly))]
        anomalies = words.add([str(name).lower() for name in names] + [""] * (64 - len(names)))
        self.columns = tuple(
            Column(column.name, column.kind, column.about, digits=anomalies) if column.kind == Kind.NAMES else column
            for column in TRANSACTION_COLUMNS
        )
        self.names_bytes = sum(len(f'"{name}",') for name in names) + SPARE_BYTES
        self._connections = np.zeros(CONNECTIONS, CONNECTION)
        self._connection_texts = np.zeros(CONNECTIONS * CONNECTION_BYTES, np.uint8)
        self._cells = Cells(self.columns, words)

    def keys(self, rows: Rows) -> tuple[npt.NDArray[Any], ...]:
        return rows["ts"], rows["flow"], rows["trans_depth"]

    def cells(self, run: Released, start: int, stop: int) -> Cells:
        cells = self._cells
        first = cells.begin(stop - start)
        transaction_cells(
            run.held, run.order, start, cells.n, run.numbers, self._tunnels, self._versions, self._connections,
            self._connection_texts, cells.work, cells.matrix.reshape(-1), cells.offsets, cells.data, first,
        )  # fmt: skip
        return cells


class Flows:
    """FLOW rows, each with its two STREAM rows."""

    name = "flows"
    columns: Sequence[Column] = FLOW_COLUMNS
    dtype = schema.FLOW
    companions = 2
    pooled: ClassVar[dict[str, str]] = {}
    names_bytes = 0

    def __init__(self) -> None:
        words = Words()
        self._tunnels, self._protos = words.codes(_TUNNELS), words.codes(_PROTOS)
        self._states = words.codes({int(state): state.name for state in ConnState})
        self._reasons = words.codes({int(reason): reason.name.lower() for reason in EndReason})
        self._services = words.codes(
            {int(Service.HTTP): "http", int(Service.SSL): "ssl", int(Service.QUIC): "quic", int(Service.DNS): "dns"}
        )
        self._flags = words.codes({mask: _tcp_letters(mask) for mask in range(1, 256)})
        self._letters = np.frombuffer(schema.HISTORY_LETTERS.encode(), np.uint8).copy()
        self._cells = Cells(self.columns, words)
        self.records = RecordCells()

    def keys(self, rows: Rows) -> tuple[npt.NDArray[Any], ...]:
        return rows["start_ts"], rows["serial"]

    def cells(self, run: Released, start: int, stop: int) -> Cells:
        cells = self._cells
        first = cells.begin(stop - start)
        flow_cells(
            run.held, run.streams, run.order, start, cells.n, self._tunnels, self._protos, self._states, self._reasons,
            self._services, self._flags, self._letters, cells.work, cells.matrix.reshape(-1), cells.offsets, cells.data,
            first,
        )  # fmt: skip
        self.records.put(run.held["serial"][run.order[start:stop]], cells.matrix, RECORDS)
        return cells
