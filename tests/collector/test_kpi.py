"""Measures: exact on a store whose times are known, None where nothing was measured."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sensor.cli.app import app
from sensor.collector.incidents import IncidentState, acknowledge, close
from sensor.collector.kpi import as_prometheus, kpi
from sensor.collector.store import Store
from tests.bus.alerts import an_alert
from tests.collector.test_store import ID, a_message

NOON = 1_763_726_400.0


@pytest.fixture
def filled(place):
    with Store(place) as store:
        for number, delay in ((1, 2.0), (2, 4.0), (3, 6.0)):
            seen = {"first_seen": 1000.0, "detection_ts": 1000.0 + delay}
            alert = an_alert(number, alert_id=ID(number), client_ip=f"192.0.2.{number}", **seen)
            store.commit([a_message(alert)], now=NOON)
        acknowledge(store.base, 1, "ann", "", NOON + 100)
        close(store.base, 1, IncidentState.RESOLVED, "ann", "done", NOON + 500)
        close(store.base, 2, IncidentState.FALSE_POSITIVE, "ann", "a test", NOON + 3000)
    return place


def test_figures(filled):
    with Store(filled) as store:
        found = kpi(store.base, NOON + 100)
    assert found.incidents == {"new": 1, "acknowledged": 0, "resolved": 1, "false_positive": 1}
    assert (found.time_to_detect.mean_seconds, found.time_to_detect.median_seconds) == (4.0, 4.0)
    assert (found.time_to_acknowledge.mean_seconds, found.time_to_acknowledge.count) == (1550.0, 2)
    assert (found.time_to_resolve.mean_seconds, found.time_to_resolve.count) == (500.0, 1)
    assert found.late == 1, "acknowledged after 3,000 s, due within 900"
    (rule,) = found.rules
    assert (rule.rule_id, rule.closed, rule.false_positives, rule.rate) == ("brute-force-login", 2, 1, 0.5)


def test_nothing_measured_is_not_zero(place):
    with Store(place) as store:
        found = kpi(store.base, NOON)
    assert found.time_to_acknowledge.mean_seconds is None
    assert "time_to" not in as_prometheus(found)


def test_since_leaves_out_what_opened_before(filled):
    with Store(filled) as store:
        assert kpi(store.base, NOON, NOON + 1).time_to_detect.count == 0


def test_table_json_and_prometheus(filled):
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["kpi", "--store", filled, *arguments])
        assert done.exit_code == 0
        return done.output

    assert "1 of 2 closed were false (50%)" in run()
    assert json.loads(run("--json"))["time_to_resolve"]["mean_seconds"] == 500.0
    text = run("--prometheus")
    assert 'tapir_false_positive_ratio{rule="brute-force-login"} 0.5\n' in text
    assert "tapir_time_to_detect_seconds 4\n" in text


def test_no_store_is_said(tmp_path):
    done = CliRunner().invoke(app, ["kpi", "--store", str(tmp_path / "none")])
    assert done.exit_code == 1
    assert done.output.startswith("tapir kpi: ")
