"""TLS records in the rows of flows: what nginx and curl sent, walked through by a plain reader of the capture."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import dpkt
import numpy as np
import polars as pl
import pytest

import sensor
from sensor import schema
from sensor.cli.reading import Options, run
from sensor.export.columns import FLOW_RECORD_COLUMNS
from sensor.export.record_cells import RecordCells
from sensor.protocols.flow_names import names_of
from sensor.tls import TlsConnection
from tests.replay.captures import PCAPS

RECORD_COLUMNS = [column.name for column in FLOW_RECORD_COLUMNS]
APPLICATION = 23


def records_by_sender(path: Path) -> dict[tuple[int, int], list[tuple[float, int]]]:
    """(time, length) of each record of application data, by (port it was sent from, port it was sent to)."""
    streams: dict[tuple[int, int], list[tuple[int, float, bytes]]] = defaultdict(list)
    for ts, frame in dpkt.pcap.Reader(path.open("rb")):
        packet = dpkt.ethernet.Ethernet(frame).data
        if isinstance(packet.data, dpkt.tcp.TCP) and packet.data.data:
            streams[packet.data.sport, packet.data.dport].append((packet.data.seq, ts, packet.data.data))
    return {ports: list(walked(sorted(pieces))) for ports, pieces in streams.items()}


def walked(pieces: list[tuple[int, float, bytes]]) -> Any:
    """Records of one direction; a record's time is that of the packet in which its header ends."""
    times, data, expected = [], b"", pieces[0][0]
    for seq, ts, payload in pieces:
        fresh = payload[max(expected - seq, 0) :]
        data += fresh
        times += [ts] * len(fresh)
        expected = max(expected, seq + len(payload))
    at = 0
    while at + 5 <= len(data):
        length = int.from_bytes(data[at + 3 : at + 5])
        if data[at] == APPLICATION:
            yield times[at + 4], length
        at += 5 + length


def figures(records: list[tuple[float, int]]) -> list[Any]:
    sizes = [size for _, size in records]
    gaps = [1_000 * (late - early) for (early, _), (late, _) in pairwise(records)]
    spread = [[min(each), fmean(each), max(each), pstdev(each)] if each else [None] * 4 for each in (sizes, gaps)]
    return [len(sizes), sum(sizes), *spread[0], *spread[1]]


def test_flows_have_what_a_plain_reader_finds() -> None:
    path = PCAPS / "tls-nginx.pcap"
    expected = records_by_sender(path)
    flows = sensor.read(path).flows.to_dicts()
    assert len(flows) >= 9
    for flow in flows:
        ports = flow["id.orig_p"], flow["id.resp_p"]
        found = [flow[name] for name in RECORD_COLUMNS]
        for side, ends in enumerate((ports, ports[::-1])):
            assert found[10 * side : 10 * side + 10] == pytest.approx(figures(expected.get(ends, [])), abs=2e-3)
        assert flow["records_exact"]


def test_json_lines_and_parquet_have_the_same(tmp_path: Path) -> None:
    inputs = [str(PCAPS / f"{name}.pcap") for name in ("tls-nginx", "api-keepalive")]
    for name in ("f.jsonl", "f.parquet"):
        assert run(Options(inputs=inputs, flows=str(tmp_path / name))) == 0
    lines = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    rows = pl.read_parquet(tmp_path / "f.parquet")
    assert rows.select(RECORD_COLUMNS).to_dicts() == [{name: line[name] for name in RECORD_COLUMNS} for line in lines]
    for line in lines:
        assert (line["orig_records"] is not None) == (line["service"] == "ssl")
        assert line["service"] == "ssl" or all(line[name] is None for name in RECORD_COLUMNS)


@pytest.mark.parametrize("ports", [(443, 40_000), (8_443, 8_443)], ids=["ports", "addresses"])
def test_sides_are_those_of_the_flow(ports: tuple[int, int]) -> None:
    """A flow joined midway, whose server was taken for the originator."""
    flow = np.zeros(1, schema.FLOW)
    flow["serial"], flow["proto"] = 7, schema.Proto.TCP
    flow["orig_lo"], flow["resp_lo"] = (0xFFFF << 32) + 0x0A000001, (0xFFFF << 32) + 0x0A000002
    flow["orig_port"], flow["resp_port"] = ports
    client = {"orig_records": 3, "orig_record_size_mean": 20.5, "resp_records": 5, "records_exact": False}
    records, matrix = RecordCells(), np.zeros((1, len(FLOW_RECORD_COLUMNS)), np.int64)
    records.note(flow, [TlsConnection(ts=0.0, duration=1.0, **names_of(flow[0], (1, 2), 1), **client)])
    records.put(flow["serial"], matrix, 0)
    cells = dict(zip(RECORD_COLUMNS, matrix[0].tolist(), strict=True))
    assert (cells["orig_records"], cells["resp_records"], cells["resp_record_size_mean"]) == (5, 3, 20_500)
    assert cells["records_exact"] == 0
