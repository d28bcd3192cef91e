"""`tapir incidents`: what people see of a store and do to it, and that nobody changes what was done."""

from __future__ import annotations

import json
import tomllib

import pytest
from typer.testing import CliRunner

from sensor.alerting.allowed import load_allowances
from sensor.cli.app import app
from sensor.collector.audit import verify
from sensor.collector.store import Store
from tests.bus.alerts import an_alert
from tests.collector.test_store import ID, a_message


@pytest.fixture
def place(place: str) -> str:
    with Store(place) as store:
        store.commit([a_message(an_alert(1)), a_message(an_alert(2, alert_id=ID(2), client_ip="192.0.2.9"))])
    return place


def run(place: str, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["incidents", *arguments, "--store", place])
    return done.exit_code, done.output


def test_list_and_show(place):
    code, text = run(place, "list")
    assert (code, len(text.splitlines())) == (0, 2)
    assert "192.0.2.7" in text
    code, text = run(place, "show", "1")
    assert code == 0
    assert "credential access" in text
    assert "tapir: opened" in text
    shown = json.loads(run(place, "show", "1", "--json")[1])
    assert shown["timeline"][0]["rule_id"] == "brute-force-login"


def test_an_incident_is_taken_on_noted_and_closed_with_who_and_why(place):
    assert run(place, "ack", "1", "--by", "ann")[0] == 0
    assert run(place, "note", "1", "asked the owner", "--by", "bob")[0] == 0
    assert run(place, "resolve", "1", "--why", "password changed", "--by", "ann")[0] == 0
    shown = json.loads(run(place, "show", "1", "--json")[1])
    assert (shown["state"], shown["owner"]) == ("resolved", "ann")
    assert [(entry["who"], entry["action"], entry["why"]) for entry in shown["history"]] == [
        ("tapir", "opened", "high: brute-force-login"),
        ("ann", "acknowledged", ""),
        ("bob", "note", "asked the owner"),
        ("ann", "resolved", "password changed"),
    ]
    assert [row["id"] for row in json.loads(run(place, "list", "--json")[1])] == [2]
    assert len(json.loads(run(place, "list", "--json", "--all")[1])) == 2


def test_a_closed_incident_stays_closed_and_the_actors_next_alert_opens_another(place):
    assert run(place, "resolve", "1", "--false-positive", "--why", "a test of ours")[0] == 0
    code, text = run(place, "ack", "1")
    assert code == 2
    assert "incident 1 is false_positive" in text
    with Store(place) as store:
        store.commit([a_message(an_alert(3, revision=2)), a_message(an_alert(4, alert_id=ID(4)))])
        found = [tuple(row) for row in store.base.execute("SELECT incident FROM alerts WHERE sequence > 2")]
    assert found == [(1,), (3,)]


def test_a_false_positive_offers_the_allowance_that_would_have_prevented_it(place, tmp_path):
    code, text = run(place, "resolve", "1", "--false-positive", "--why", 'the "nightly" test')
    file = tmp_path / "allow.toml"
    file.write_text(text)
    (entry,) = tomllib.loads(text)["allow"]
    assert (code, len(load_allowances(str(file)))) == (0, 1)
    assert (entry["rule"], entry["entity"]) == ("brute-force-login", "client:192.0.2.7")
    assert entry["reason"] == 'incident 1: the "nightly" test'


@pytest.mark.parametrize("arguments", [("show", "9"), ("ack", "9"), ("note", "9", "x"), ("resolve", "9", "--why", "x")])
def test_a_number_that_is_none_is_wrong_usage(place, arguments):
    code, text = run(place, *arguments)
    assert code == 2
    assert "incident 9" in text


def test_no_store_is_said(tmp_path):
    code, text = run(str(tmp_path / "none"), "list")
    assert code == 1
    assert "no such store" in text


def unguarded(store: Store) -> None:
    """Without what makes the database refuse changes of the audit trail."""
    if store.base.place.startswith("postgresql"):
        store.base.execute("DROP TRIGGER audit_stays ON audit")
        return
    store.base.execute("DROP TRIGGER audit_stays")
    store.base.execute("DROP TRIGGER audit_keeps")


class TestAuditTrail:
    def test_whole(self, place):
        code, text = run(place, "verify")
        assert code == 0
        assert text.startswith("2 entries")

    @pytest.mark.parametrize("change", ["UPDATE audit SET who = 'eve'", "DELETE FROM audit"])
    def test_the_database_itself_refuses_changes(self, place, change):
        with Store(place) as store, pytest.raises(Exception, match="only added to"):
            store.base.execute(change)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE audit SET why = 'nothing' WHERE id = 1",
            "DELETE FROM audit WHERE id = 1",
            "UPDATE audit SET id = id + 1 WHERE id = 2",
        ],
    )
    def test_who_gets_around_that_is_found_out(self, place, change):
        with Store(place) as store:
            unguarded(store)
            store.base.execute(change)
            assert verify(store.base).breaks
        assert run(place, "verify")[0] == 1
