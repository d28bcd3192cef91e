"""A hit names the class, the attacker and the time; false is what blames a benign client for something else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sensor.alert import Entity, Kind, Severity
from tests.detection.score import Scored, put_into, score, table
from tests.export.test_alerts import an_alert

TRUTH = {
    "activities": [{"class": "brute_force", "attackers": ["10.9.9.9"], "start_ts": 1_000.0, "end_ts": 1_060.0}],
    "false_positives_if_reported_as_attackers": ["10.1.1.1", "10.1.1.2"],
}


def alert(client: str, rule: str = "brute-force-login", ts: float = 1_010.0, **given: object):
    changes = {"severity": Severity.HIGH, "kind": Kind.ATTACK, "client_ip": client, "server_ip": None} | given
    return msgspec.structs.replace(
        an_alert("a", 1), rule_id=rule, entity=Entity("client", client), ts=ts, first_seen=ts, last_seen=ts, **changes
    )


@pytest.mark.parametrize(
    ("alerts", "found", "false"),
    [
        ([alert("10.9.9.9"), alert("10.9.9.9", ts=1_005.0)], 5.0, set()),
        ([alert("10.9.9.9", rule="port-scan-vertical")], None, set()),
        ([alert("10.9.9.9", ts=900.0)], None, set()),
        ([alert("10.1.1.2")], None, {("brute-force-login", "10.1.1.2")}),
        ([alert("10.1.1.2", severity=Severity.LOW)], None, set()),
        ([alert("10.1.1.2", kind=Kind.POSTURE)], None, set()),
        ([alert("10.1.1.2", details={"also": "10.9.9.9"})], 10.0, set()),
    ],
)
def test_hits_and_false_alerts(alerts: list, found: float | None, false: set) -> None:
    scored = score("x", alerts, TRUTH)
    assert (scored.found["brute_force"], scored.false) == (found, false)


def test_the_table_goes_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- scored -->\nold\n<!-- /scored -->\nafter\n")
    one = Scored("x", {"brute_force": 5.0}, {"brute_force": {"brute-force-login"}})
    put_into(page, table([(one, Scored("x", {"brute_force": None}))]))
    lines = page.read_text().splitlines()
    assert lines[0], lines[-1] == ("before", "after")
    assert "| x | brute_force | 5 s | **no** | brute-force-login | none | none |" in lines
    assert "old" not in lines
