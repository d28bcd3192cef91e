"""Rows for the tests of the outputs: random ones, and a string pool that is a list."""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor import schema
from sensor.schema import Proto

T0 = 1_700_000_000_000_000_000


class ListPool:
    """Code i is strings[i]; code 0 is the absent string."""

    def __init__(self, strings: list[str]) -> None:
        self.strings = ["", *strings]

    def text(self, code: int) -> str:
        return self.strings[code]

    def gather(self, codes: Any) -> tuple[Any, Any]:
        found = [self.strings[code].encode("ascii") for code in codes]
        offsets = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(text) for text in found], out=offsets[1:])
        return offsets, np.frombuffer(b"".join(found), np.uint8).copy()


POOL = ListPool(["GET", "api.test", '/a?q="x"', "\\back\\slash\\", "/orders/{id}", "é".encode().hex(), "x" * 300])
CODED = (
    "method", "host", "uri", "endpoint", "user_agent", "referrer", "request_content_type", "response_content_type",
    "status_msg", "auth_scheme",
)  # fmt: skip


def random_transactions(seed: int, n: int) -> Any:
    """Rows with every field at random, absent values among them."""
    random = np.random.default_rng(seed)
    rows = np.zeros(n, schema.TRANSACTION)
    rows["ts"] = T0 + random.integers(0, 40, n) * 1_000
    rows["now"] = T0 + np.arange(n)
    for field in ("request_end_ts", "response_ts", "response_end_ts"):
        rows[field] = np.where(random.random(n) < 0.2, 0, rows["ts"] + random.integers(0, 3_000_000_000, n))
    for field in ("uid_hi", "uid_lo", "client_hi", "client_lo", "server_hi", "server_lo", "user", "account"):
        rows[field] = random.integers(0, 2**64, n, dtype=np.uint64)
    ipv4 = random.random(n) < 0.7
    for side in ("client", "server"):
        rows[f"{side}_hi"][ipv4] = 0
        rows[f"{side}_lo"][ipv4] = (0xFFFF << 32) + random.integers(0, 2**32, int(ipv4.sum()), dtype=np.uint64)
    rows["peer_hi"], rows["peer_lo"] = rows["client_hi"], rows["client_lo"]
    rows["user"][::3] = 0
    for field in ("request_body_len", "response_body_len"):
        rows[field] = random.integers(0, 2**45, n)
    for field in ("request_body_max", "response_body_max"):
        rows[field] = random.integers(-1, 3, n)
    rows["anomalies"] = random.integers(0, 2 ** len(schema.Anomaly), n, dtype=np.uint64) & random.integers(
        0, 2 ** len(schema.Anomaly), n, dtype=np.uint64
    )
    rows["flow"] = random.integers(1, 5, n)
    rows["trans_depth"] = np.arange(1, n + 1)
    rows["records"] = random.integers(-1, 1000, n)
    rows["request_missing_bytes"], rows["response_missing_bytes"] = random.integers(0, 2, (2, n)) * 1_460
    for field in CODED:
        rows[field] = random.integers(0, len(POOL.strings), n)
    for field in ("client_port", "server_port", "status_code", "vlan"):
        rows[field] = random.integers(0, 3, n) * random.integers(0, 2**15, n)
    rows["tunnel_id"] = random.integers(0, 2**32, n)
    rows["tunnel"] = random.integers(0, len(schema.Tunnel), n)
    rows["version"] = random.choice([0, 9, 10, 11, 20], n)
    rows["proto"] = Proto.TCP
    rows["flags"] = random.integers(0, 64, n)
    return rows


def random_flows(seed: int, n: int) -> tuple[Any, Any]:
    """FLOW rows and their STREAM rows."""
    random = np.random.default_rng(seed)
    flows = np.zeros(n, schema.FLOW)
    flows["start_ts"] = T0 + random.integers(0, 40, n) * 1_000
    flows["last_ts"] = flows["start_ts"] + random.integers(0, 10**12, n)
    flows["serial"] = np.arange(1, n + 1)
    for field in ("orig_lo", "resp_lo"):
        flows[field] = (0xFFFF << 32) + random.integers(0, 2**32, n, dtype=np.uint64)
    for field in ("orig_port", "resp_port", "vlan"):
        flows[field] = random.integers(0, 2**16, n)
    flows["history_low"] = 1 | (9 << 5) | (3 << 10)
    flows["proto"] = random.choice([1, 6, 17, 58, 132, 47], n)
    flows["tunnel"] = random.integers(0, len(schema.Tunnel), n)
    flows["conn_state"] = random.integers(0, len(schema.ConnState), n)
    flows["end_reason"] = random.integers(0, len(schema.EndReason), n)
    flows["service"] = random.integers(0, len(schema.Service), n)
    streams = np.zeros(2 * n, schema.STREAM)
    packets = streams["packets"] = random.integers(0, 4, 2 * n)
    for field in ("ip_bytes", "payload_bytes", "retransmitted_bytes", "missing_bytes", "overlap_bytes"):
        streams[field] = packets * random.integers(0, 1500, 2 * n)
    streams["size_min"], streams["size_max"] = 40, 1500
    streams["size_sumsq"] = packets * random.integers(1, 2_000_000, 2 * n)
    streams["gap_min"], streams["gap_max"] = 1_000, 5_000_000_000
    streams["gap_sum"] = packets * random.integers(0, 10**9, 2 * n)
    streams["gap_sumsq"] = packets * 1e18
    streams["tcp_flags"] = random.integers(0, 256, 2 * n)
    return flows, streams
