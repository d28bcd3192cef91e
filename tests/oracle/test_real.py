"""Captures of real attacks beside ordinary use, whose truth is known: who attacked, and who must not be blamed."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import sensor
from tests.oracle.candidates import SHARED

REAL = SHARED / "real"
NAMES = sorted(path.name.removesuffix(".pcap.xz") for path in REAL.glob("*.pcap.xz")) or ["none"]
ATTACKS = [
    ("02-nmap-fast", "port-scan", "10.60.9.2"),
    ("06-hydra", "brute-force", "10.60.9.6"),
    ("09-bulk-exfil", "bulk-transfer", "10.60.9.9"),
    ("18c-06-hydra-dup", "brute-force", "10.60.9.6"),
    ("18f-09-bulk-exfil-drop2", "bulk-transfer", "10.60.9.9"),
    ("18g-09-bulk-exfil-vxlan", "bulk-transfer", "10.60.9.9"),
]

pytestmark = pytest.mark.skipif(not REAL.exists(), reason="../shared/real is not there")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@cache
def alerts(name: str, folder: Path) -> list[dict[str, Any]]:
    """The last revision of every alert of a capture."""
    path = folder / f"{name}.pcap"
    path.write_bytes(lzma.decompress((REAL / f"{name}.pcap.xz").read_bytes()))
    found = sensor.read(path).alerts.to_dicts()
    path.unlink()
    return found


def truth(name: str) -> dict[str, Any]:
    return json.loads((REAL / f"{name}.truth.json").read_text())  # type: ignore[no-any-return]


def is_said_aloud(alert: dict[str, Any]) -> bool:
    """Of medium severity or more; low is for whoever looks."""
    return alert["severity"] != "low"


@pytest.mark.parametrize(("name", "rule", "attacker"), ATTACKS)
def test_the_attacker_is_found_in_time(name: str, rule: str, attacker: str, folder: Path) -> None:
    [activity] = truth(name)["activities"]
    found = [alert for alert in alerts(name, folder) if alert["rule_id"].startswith(rule)]
    assert attacker in {alert["entity.value"] for alert in found}
    assert {alert["client_ip"] for alert in found} == {attacker}
    for alert in found:
        assert activity["start_ts"] - 1 <= alert["first_seen"] <= alert["last_seen"] <= activity["end_ts"] + 1


@pytest.mark.parametrize("name", NAMES)
def test_nobody_else_is_blamed(name: str, folder: Path) -> None:
    """Neither the tricky ordinary clients nor, in captures of other attacks, anyone without cause."""
    ordinary = set(truth(name)["benign_clients"]) - {
        attacker for activity in truth(name)["activities"] for attacker in activity["attackers"]
    }
    raised = [(alert["rule_id"], alert["client_ip"]) for alert in alerts(name, folder) if is_said_aloud(alert)]
    assert [alert for alert in raised if alert[1] in ordinary] == []


def test_ordinary_use_raises_nothing(folder: Path) -> None:
    assert [alert["rule_id"] for alert in alerts("01a-benign", folder) if is_said_aloud(alert)] == []
