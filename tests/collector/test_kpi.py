"""Measures: exact on a store whose times are known, None where nothing was measured."""

from __future__ import annotations

import json
from threading import Semaphore

import msgspec
import pytest
from typer.testing import CliRunner

from sensor.alert import Rule
from sensor.bus.memory_log import MemoryLog
from sensor.bus.stream import AlertStream
from sensor.bus.subscriber import Subscriber
from sensor.bus.wire import ToldRule, ToldRules
from sensor.cli.app import app
from sensor.collector.coverage import coverage, keeper
from sensor.collector.incidents import IncidentState, acknowledge, close
from sensor.collector.kpi import SinkLag, as_prometheus, kpi
from sensor.collector.sinks import Feed
from sensor.collector.store import Store
from sensor.config import BusSettings
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


def test_what_waits_for_sinks_and_what_they_refused(filled):
    def away(alerts):
        raise ConnectionRefusedError

    with Store(filled) as store:
        Feed(store.base, "taking", lambda alerts: {1: "too odd"}).step(NOON)
        with pytest.raises(ConnectionRefusedError):
            Feed(store.base, "away", away).step(NOON)
        found = kpi(store.base, NOON)
    assert found.sinks == (SinkLag("away", 3, 0), SinkLag("taking", 0, 1))
    assert 'tapir_sink_waiting{sink="away"} 3' in as_prometheus(found).splitlines()
    said = CliRunner().invoke(app, ["kpi", "--store", filled]).output
    assert "sink taking" in said


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


class TestCoverage:
    def test_rules_that_sensors_told_and_their_alerts_by_each_of_the_ten(self, filled):
        with Store(filled) as store:
            tell(store, "tap-1", ToldRule("brute-force-login", "authentication", "high", ("API2:2023",)))
            tell(store, "tap-2", ToldRule("bola", "authorisation", "high", ("API1:2023", "API5:2023")))
            tell(store, "tap-2", ToldRule("page-walk", "exfiltration", "high", ("API4:2023",)))  # the last word counts
            found = kpi(store.base, NOON)
        assert [one.id for one in found.owasp] == [f"API{number}:2023" for number in range(1, 11)]
        covered = {one.id: one.rules for one in found.owasp if any(one.rules.values())}
        assert covered == {
            "API2:2023": {"tap-1": ("brute-force-login",), "tap-2": ()},
            "API4:2023": {"tap-1": (), "tap-2": ("page-walk",)},
        }
        assert {one.id: one.alerts for one in found.owasp if one.alerts} == {"API2:2023": 3}
        lines = as_prometheus(found).splitlines()
        assert 'tapir_owasp_rules{category="API2:2023",sensor="tap-1"} 1' in lines
        assert 'tapir_owasp_rules{category="API10:2023",sensor="tap-1"} 0' in lines
        assert 'tapir_owasp_covered_ratio{sensor="tap-1"} 0.1' in lines

    def test_without_a_sensor_that_tells_nothing_is_known(self, filled):
        with Store(filled) as store:
            keeper(store.base)("stats.rules", b"none")
            keeper(store.base)("stats.counters", b"{}")
            assert kpi(store.base, NOON).owasp == ()
        done = CliRunner().invoke(app, ["kpi", "--store", filled])
        assert "OWASP coverage       not known" in done.output

    def test_a_sensor_tells_a_collector_what_it_looks_for_and_what_changed(self, place):
        settings = BusSettings(publish="tcp://127.0.0.1:*", heartbeat_seconds=0.05, linger_seconds=0)
        one, other = (a_rule(name) for name in ("one", "other"))
        with AlertStream(settings, MemoryLog(), "tap-1") as stream, Store(place) as store:
            stream.tell_rules((one,))
            keep, heard = keeper(store.base), Semaphore(0)

            def told(topic: str, body: bytes) -> None:
                keep(topic, body)
                heard.release()

            with Subscriber(stream.address, ("alert.", "stats.rules"), told=told) as subscriber:
                while not heard.acquire(blocking=False):
                    assert subscriber.receive(1.0) is None
                assert rules_of(store) == {"one"}
                stream.tell_rules((one, other))
                while rules_of(store) != {"one", "other"}:
                    assert subscriber.receive(1.0) is None
                assert subscriber.missed == 0


def tell(store: Store, sensor: str, *rules: ToldRule) -> None:
    body = msgspec.json.encode(ToldRules(sensor=sensor, epoch=1, ts=NOON, rules=rules))
    keeper(store.base)("stats.rules", body)


def a_rule(name: str) -> Rule:
    return Rule(id=name, version=1, title=name, category="x", kind="attack", severity="low", owasp=("API1:2023",))


def rules_of(store: Store) -> set[str]:
    return {rule for one in coverage(store.base)[:1] for rules in one.rules.values() for rule in rules}
