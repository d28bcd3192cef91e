"""Sigma rules on flows, by Zeek's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.detection.sigma.columns import CONNECTION, source_of
from sensor.schema import ConnState, EndReason, Proto, Service
from tests.detection.tables import Pool, flow, run_flows
from tests.detection.test_sigma import SELECTION, rule, stage_of

# (field and value that hold for the flow below; one that does not)
FIELDS = [
    ("id.orig_h: 10.0.0.9", "id.orig_h: 10.0.0.8"), ("id.resp_p: 53", "id.resp_p: 54"), ("proto: udp", "proto: tcp"),
    ("service: dns", "service: http"), ("conn_state: SF", "conn_state: S0"), ("duration|lt: 60", "duration|gte: 60"),
    ("end_reason: idle", "end_reason: fin"), ("orig_pkts: 4", "resp_pkts: 4"),
    ("resp_ip_bytes: 900", "orig_ip_bytes: 900"),
    ("orig_retransmitted_bytes: 7", "resp_retransmitted_bytes|gt: 0"),
    ("resp_size_max|gt: 1000", "orig_size_max|gt: 1000"),
]  # fmt: skip


@pytest.mark.parametrize(("test", "other"), FIELDS, ids=[test for test, _ in FIELDS])
def test_fields(tmp_path: Path, test: str, other: str) -> None:
    row = flow(1, ConnState.SF, "10.0.0.9", "10.0.1.53", 53, (200, 900), proto=Proto.UDP)
    row[0]["service"], row[0]["end_reason"] = Service.DNS, EndReason.IDLE
    row[1]["packets"], row[1]["ip_bytes"], row[1]["size_max"] = (4, 9), (200, 900), (90, 1_400)
    row[1]["retransmitted_bytes"] = (7, 0)
    for text, expected in ((test, 1), (other, 0)):
        stage = stage_of(tmp_path, rule(SELECTION.format(text), "network"), Pool())
        assert stage.notes == []
        assert len(run_flows(stage, [row])) == expected


def test_zeeks_log_of_connections_is_the_same_table() -> None:
    source = source_of(None, "zeek", "conn")
    assert source is not None
    assert source.fields is CONNECTION
