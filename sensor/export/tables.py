"""Tables to cells: in: TRANSACTION or FLOW and STREAM rows; out: a slice of cells in the order of the columns.

The one law: every conversion (units, null, names of numbers) from what the sensor keeps to what the reader sees is in
this file, or, for what a transaction is made of, in the kernel that it calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from sensor import schema
from sensor.export import texts
from sensor.export.cells import SLICE_ROWS, Cells, Ints, Words
from sensor.export.columns import FLOW_COLUMNS, TRANSACTION_COLUMNS, Column, Kind
from sensor.export.json_lines import SPARE_BYTES
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

    def keys(self, rows: Rows) -> tuple[npt.NDArray[Any], ...]:
        """What rows are ordered by, ties in order: (ts, flow, depth)."""

    def cells(self, run: Released, start: int, stop: int) -> Cells:
        """The rows `start` to `stop` of the run, at most SLICE_ROWS, as cells."""


def _column(rows: Rows, field: str, dtype: Any = None) -> npt.NDArray[Any]:
    return np.ascontiguousarray(rows[field], dtype)


def _tcp_letters(mask: int) -> str:
    return "".join(letter for bit, letter in enumerate(_TCP_LETTERS) if mask >> bit & 1)


def _put_tunnel(cells: Cells, rows: Rows, tunnels: Ints) -> None:
    cells.put("vlan", rows["vlan"], rows["vlan"] == 0)
    cells.put("tunnel", tunnels[rows["tunnel"]])
    cells.put("tunnel_id", rows["tunnel_id"], rows["tunnel"] == 0)


class Transactions:
    """TRANSACTION rows."""

    name = "transactions"
    columns: Sequence[Column]
    dtype = schema.TRANSACTION
    companions = 0
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
        self._services = words.codes({int(Service.HTTP): "http"})
        self._flags = words.codes({mask: _tcp_letters(mask) for mask in range(1, 256)})
        self._whole = np.isin(np.arange(len(ConnState)), (ConnState.SF, ConnState.RSTO, ConnState.RSTR, ConnState.REJ))
        self._letters = np.frombuffer(schema.HISTORY_LETTERS.encode(), np.uint8).copy()
        self._cells = Cells(self.columns, words)
        self._hi, self._lo = np.zeros(SLICE_ROWS, np.uint64), np.zeros(SLICE_ROWS, np.uint64)

    def keys(self, rows: Rows) -> tuple[npt.NDArray[Any], ...]:
        return rows["start_ts"], rows["serial"]

    def cells(self, run: Released, start: int, stop: int) -> Cells:
        rows, streams = run.rows(start, stop), run.streams_of(start, stop)
        cells = self._cells
        cells.begin(len(rows))
        self._put_connection(cells, rows)
        orig, resp = streams[0::2], streams[1::2]
        tcp = rows["proto"] == Proto.TCP
        for side, stream in (("orig", orig), ("resp", resp)):
            self._put_direction(cells, side, stream, tcp)
        cells.put("missed_bytes", orig["missing_bytes"] + resp["missing_bytes"])
        cells.put("missed_exact", self._whole[rows["conn_state"]])
        return cells

    def _put_connection(self, cells: Cells, rows: Rows) -> None:
        orig = _column(rows, "orig_hi"), _column(rows, "orig_lo")
        resp = _column(rows, "resp_hi"), _column(rows, "resp_lo")
        ports = _column(rows, "orig_port"), _column(rows, "resp_port")
        texts.flow_uids(np.ascontiguousarray(rows), len(rows), self._hi, self._lo)
        cells.put_uids("uid", self._hi, self._lo)
        cells.put_community_ids("community_id", orig, resp, ports, _column(rows, "proto"))
        cells.put_addresses("id.orig_h", *orig)
        cells.put_addresses("id.resp_h", *resp)
        cells.put("id.orig_p", ports[0])
        cells.put("id.resp_p", ports[1])
        cells.put_history("history", _column(rows, "history_low"), _column(rows, "history_high"), self._letters)
        cells.put("ts", rows["start_ts"])
        cells.put("duration", rows["last_ts"] - rows["start_ts"])
        cells.put("proto", self._protos[rows["proto"]])
        cells.put("service", self._services[rows["service"]])
        cells.put("conn_state", self._states[rows["conn_state"]])
        cells.put("end_reason", self._reasons[rows["end_reason"]])
        _put_tunnel(cells, rows, self._tunnels)

    def _put_direction(self, cells: Cells, side: str, stream: Rows, tcp: npt.NDArray[np.bool_]) -> None:
        packets, ip_bytes, payload = stream["packets"], stream["ip_bytes"], stream["payload_bytes"]
        once = payload - stream["retransmitted_bytes"] + stream["missing_bytes"]
        cells.put(f"{side}_bytes", np.where(tcp, np.maximum(once, 0), payload))
        cells.put(f"{side}_pkts", packets)
        cells.put(f"{side}_ip_bytes", ip_bytes)
        for name in ("retransmitted_bytes", "missing_bytes", "overlap_bytes"):
            cells.put(f"{side}_{name}", stream[name])
        cells.put(f"{side}_out_of_order_pkts", stream["out_of_order_packets"])
        cells.put(f"{side}_dup_pkts", stream["duplicate_packets"])
        cells.put(f"{side}_dup_ip_bytes", stream["duplicate_bytes"])
        cells.put(f"{side}_unsure_dup_pkts", stream["unsure_packets"])
        cells.put(f"{side}_ack_min_ms", stream["round_min"], stream["round_min"] == 0)
        cells.put(f"{side}_tcp_flags", self._flags[stream["tcp_flags"]])
        _put_spread(cells, f"{side}_size", "", stream, "size", ip_bytes, packets, 1_000)
        _put_spread(cells, f"{side}_interval", "_ms", stream, "gap", stream["gap_sum"], packets - 1, 1)


def _put_spread(
    cells: Cells, name: str, unit: str, stream: Rows, field: str, total: Ints, count: Ints, scale: int
) -> None:
    """Minimum, mean, maximum and population standard deviation; null where there is nothing to take them of."""
    absent = count < 1
    n = np.where(absent, 1, count)
    mean = total / n
    deviation = np.sqrt(np.maximum(stream[f"{field}_sumsq"] / n - mean * mean, 0.0))
    cells.put(f"{name}_min{unit}", stream[f"{field}_min"], absent)
    cells.put(f"{name}_mean{unit}", np.rint(mean * scale), absent)
    cells.put(f"{name}_max{unit}", stream[f"{field}_max"], absent)
    cells.put(f"{name}_deviation{unit}", np.rint(deviation * scale), absent)
