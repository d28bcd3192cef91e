"""A flow as JSON lines and in a DataFrame."""

import json
from math import sqrt

import numpy as np
import polars as pl
import pytest

from sensor import schema
from sensor._jit import U64s, kernel
from sensor.export.columns import FLOW_COLUMNS, FLOW_RECORD_COLUMNS
from sensor.export.writers import open_writer
from sensor.schema import ConnState, EndReason, Proto, Service, TcpFlag, Tunnel
from sensor.structures.uid import flow_uid
from tests.export.rows import POOL, T0, random_flows
from tests.oracles.export import base62


@kernel
def flow_uids(flows: schema.FLOW, n: int, hi: U64s, lo: U64s) -> None:
    for i in range(n):
        hi[i], lo[i] = flow_uid(flows[i])


def written(flows, streams, path):
    writer = open_writer(str(path), "flows", ordered=True)
    writer.write(flows, streams, POOL)
    writer.close()
    return path


def uids(flows):
    hi, lo = np.zeros(len(flows), np.uint64), np.zeros(len(flows), np.uint64)
    flow_uids(flows, len(flows), hi, lo)
    return list(zip(hi.tolist(), lo.tolist(), strict=True))


@pytest.fixture
def flow():
    """An HTTP connection: three packets one way, one the other."""
    flows, streams = np.zeros(1, schema.FLOW), np.zeros(2, schema.STREAM)
    row = flows[0]
    row["orig_lo"], row["resp_lo"] = (0xFFFF << 32) + 0x0A000001, (0xFFFF << 32) + 0x0A000002
    row["orig_port"], row["resp_port"] = 40_000, 80
    row["start_ts"], row["last_ts"] = T0, T0 + 1_500_000_000
    row["proto"], row["service"] = Proto.TCP, Service.HTTP
    row["conn_state"], row["end_reason"] = ConnState.SF, EndReason.FIN
    row["history_low"] = 1 | 4 << 5 | 5 << 10  # S h A
    orig, resp = streams[0], streams[1]
    orig["packets"], orig["ip_bytes"], orig["payload_bytes"] = 3, 600, 480
    orig["retransmitted_bytes"], orig["missing_bytes"] = 100, 20
    orig["size_min"], orig["size_max"], orig["size_sumsq"] = 100, 300, 100**2 + 200**2 + 300**2
    orig["gap_min"], orig["gap_max"], orig["gap_sum"] = 500_000_000, 1_000_000_000, 1_500_000_000
    orig["gap_sumsq"] = 500_000_000.0**2 + 1_000_000_000.0**2
    orig["tcp_flags"] = TcpFlag.SYN | TcpFlag.ACK | TcpFlag.FIN
    orig["duplicate_packets"], orig["duplicate_bytes"], orig["unsure_packets"] = 2, 120, 1
    orig["round_min"] = 1_250_000
    resp["packets"], resp["ip_bytes"], resp["payload_bytes"] = 1, 60, 0
    resp["size_min"], resp["size_max"], resp["size_sumsq"] = 60, 60, 3600
    return flows, streams


def test_a_flow_in_full(flow, tmp_path):
    found = json.loads(written(*flow, tmp_path / "f.jsonl").read_text())
    ((hi, lo),) = uids(flow[0])
    assert found == {
        "ts": 1_700_000_000.0,
        "uid": "C" + base62(hi) + base62(lo),
        "id.orig_h": "10.0.0.1",
        "id.orig_p": 40_000,
        "id.resp_h": "10.0.0.2",
        "id.resp_p": 80,
        "proto": "tcp",
        "service": "http",
        "duration": 1.5,
        "orig_bytes": 400,
        "resp_bytes": 0,
        "conn_state": "SF",
        "missed_bytes": 20,
        "missed_exact": True,
        "history": "ShA",
        "orig_pkts": 3,
        "orig_ip_bytes": 600,
        "resp_pkts": 1,
        "resp_ip_bytes": 60,
        "community_id": found["community_id"],
        "vlan": None,
        "tunnel": None,
        "tunnel_id": None,
        "end_reason": "fin",
        "orig_size_min": 100,
        "orig_size_mean": 200.0,
        "orig_size_max": 300,
        "orig_size_deviation": round(sqrt(20_000 / 3), 3),
        "orig_interval_min_ms": 500.0,
        "orig_interval_mean_ms": 750.0,
        "orig_interval_max_ms": 1000.0,
        "orig_interval_deviation_ms": 250.0,
        "orig_retransmitted_bytes": 100,
        "orig_missing_bytes": 20,
        "orig_overlap_bytes": 0,
        "orig_out_of_order_pkts": 0,
        "orig_dup_pkts": 2,
        "orig_dup_ip_bytes": 120,
        "orig_unsure_dup_pkts": 1,
        "orig_ack_min_ms": 1.25,
        "orig_tcp_flags": "FSA",
        "resp_size_min": 60,
        "resp_size_mean": 60.0,
        "resp_size_max": 60,
        "resp_size_deviation": 0.0,
        "resp_interval_min_ms": None,
        "resp_interval_mean_ms": None,
        "resp_interval_max_ms": None,
        "resp_interval_deviation_ms": None,
        "resp_retransmitted_bytes": 0,
        "resp_missing_bytes": 0,
        "resp_overlap_bytes": 0,
        "resp_out_of_order_pkts": 0,
        "resp_dup_pkts": 0,
        "resp_dup_ip_bytes": 0,
        "resp_unsure_dup_pkts": 0,
        "resp_ack_min_ms": None,
        "resp_tcp_flags": None,
    } | {column.name: None for column in FLOW_RECORD_COLUMNS}


def test_parquet_and_json_lines_agree(tmp_path):
    flows, streams = random_flows(5, 2_500)
    lines = [json.loads(line) for line in written(flows, streams, tmp_path / "f.jsonl").read_text().splitlines()]
    table = pl.read_parquet(written(flows, streams, tmp_path / "f.parquet"))
    assert table.columns == [column.name for column in FLOW_COLUMNS] == list(lines[0])
    assert table.drop("ts").to_dicts() == [{k: v for k, v in line.items() if k != "ts"} for line in lines]
    assert [line["id.orig_p"] for line in lines] == flows[np.lexsort((flows["serial"], flows["start_ts"]))][
        "orig_port"
    ].tolist()


def test_names_of_numbers(tmp_path):
    flows, streams = random_flows(6, 500)
    flows["start_ts"] = T0 + np.arange(500)
    lines = [json.loads(line) for line in written(flows, streams, tmp_path / "f.jsonl").read_text().splitlines()]
    protos = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 132: "sctp", 47: "47"}
    assert [line["proto"] for line in lines] == [protos[number] for number in flows["proto"].tolist()]
    assert [line["conn_state"] for line in lines] == [ConnState(number).name for number in flows["conn_state"].tolist()]
    assert [line["end_reason"] for line in lines] == [
        EndReason(number).name.lower() for number in flows["end_reason"].tolist()
    ]
    tunnels = [Tunnel(number).name.lower() if number else None for number in flows["tunnel"].tolist()]
    assert [line["tunnel"] for line in lines] == tunnels


def test_flows_are_named_by_key_and_time_alone():
    flows, _ = random_flows(3, 200)
    names = uids(flows)
    assert len(set(names)) == 200
    again = flows.copy()
    again["hash"], again["serial"], again["last_ts"], again["wheel_next"] = 9, 9, 9, 9
    assert uids(again) == names
