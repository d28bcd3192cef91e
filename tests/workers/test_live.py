"""The same packets on a mirror port give the same alerts, whatever the number of workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.capture.network import cable
from tests.service.test_run import ROOT
from tests.service.wire import needs_replay, replay, sensor_at, stop, until

CAPTURES = [ROOT / "pcaps" / f"{name}.pcap" for name in ("nmap-syn", "hydra-form")]


def seen(folder: Path, workers: int) -> tuple[set[tuple[str, ...]], list[tuple[str, ...]], dict[str, int]]:
    """Alerts, transactions and live counters of `tapir run --workers N` while a scan and a brute-force attack pass."""
    folder.mkdir()
    alerts, transactions = folder / "alerts.jsonl", folder / "transactions.jsonl"
    outputs = ("--alerts", str(alerts), "--transactions", str(transactions), "--quiet")
    with (
        cable(f"tapir-w{workers}") as wire,
        sensor_at(wire, folder / "run", *outputs, "--workers", str(workers)) as process,
    ):
        sent = sum(replay(wire, capture) for capture in CAPTURES)
        live = until(process, folder / "run", lambda counters: counters["capture"]["frames"] >= sent)["live"]
        stop(process)
    rows = [json.loads(line) for line in transactions.read_text().splitlines()]
    read = sorted((row["client_ip"], str(row["client_port"]), row["uri"], str(row["status_code"])) for row in rows)
    told = map(json.loads, alerts.read_text().splitlines())
    return {(each["rule_id"], each["entity"]["value"], each["severity"]) for each in told}, read, live


@pytest.mark.slow
@needs_replay
def test_one_two_and_four_workers_tell_the_same_of_a_scan_and_a_brute_force_attack(tmp_path: Path) -> None:
    alerts, transactions, live = seen(tmp_path / "1", 1)
    assert live["dropped"] == 0
    assert {"port-scan-vertical", "brute-force-login"} <= {rule for rule, _, _ in alerts}
    for workers in (2, 4):
        others, rows, live = seen(tmp_path / str(workers), workers)
        assert live["dropped"] == 0
        assert rows == transactions
        assert others == alerts
