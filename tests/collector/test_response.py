"""Automated response with a real script: off at first, never about who is protected, once, and undone in time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sensor.cli.app import app
from sensor.collector.audit import verify
from sensor.collector.response.act import Responder, listed
from sensor.collector.response.choose import Chooser
from sensor.collector.response.commands import nft_script
from sensor.collector.store import Store
from sensor.config import ActionSettings, ResponseSettings
from sensor.errors import SettingError
from tests.bus.alerts import an_alert
from tests.collector.test_store import ID, a_message, rows

NOON = 1_763_726_400.0
SCRIPT = """
import sys
with open(sys.argv[1], "ab") as file:
    file.write(sys.stdin.buffer.read())
sys.exit(int(sys.argv[2]))
"""


class Bench:
    """A store whose alerts ask for a script that notes what it is told."""

    def __init__(self, folder: Path, code: int = 0, store: str = "", **changes) -> None:
        self.told = folder / "told.jsonl"
        script = folder / "script.py"
        script.write_text(SCRIPT)
        command = (sys.executable, str(script), str(self.told), str(code))
        action = ActionSettings(name="block", command=command, ttl_seconds=1800)
        given = {"enabled": True, "dry_run": False, "actions": (action,)} | changes
        settings = ResponseSettings(**given)
        self.place = store or str(folder)
        self.store = Store(self.place)
        self.store.consequences.append(Chooser(self.store.base, settings))
        self.responder = Responder(self.store.base, settings)
        self.number = 0

    def alert(self, now: float = NOON, **changes) -> None:
        self.number += 1
        made = {"alert_id": ID(self.number), "severity": "critical", "confidence": 1.0} | changes
        self.store.commit([a_message(an_alert(self.number, **made))], now=now)
        self.responder.step(now)

    @property
    def verbs(self) -> list[tuple[str, str]]:
        lines = self.told.read_text().splitlines() if self.told.exists() else []
        return [(asked["verb"], asked["target"]) for asked in map(json.loads, lines)]

    @property
    def audit(self) -> list[str]:
        return [action for (action,) in rows(self.store, "SELECT action FROM audit") if action.startswith("response")]


def test_it_is_off_and_dry_by_default():
    assert (ResponseSettings().enabled, ResponseSettings().dry_run) == (False, True)


def test_off_means_nothing_is_even_wanted(tmp_path):
    bench = Bench(tmp_path, enabled=False)
    bench.alert()
    assert (bench.verbs, listed(bench.store.base)) == ([], [])


def test_a_dry_run_runs_nothing_and_says_what_it_would_have_done(tmp_path):
    bench = Bench(tmp_path, dry_run=True)
    bench.alert()
    bench.responder.step(NOON + 1800)
    assert bench.verbs == []
    assert bench.audit == [f"response {verb} (dry run: nothing was done)" for verb in ("apply", "undo")]


def test_it_is_done_once_and_undone_when_its_time_is_over(tmp_path, place):
    bench = Bench(tmp_path, store=place)
    bench.alert()
    bench.alert(NOON + 10)
    bench.responder.step(NOON + 1799)
    assert bench.verbs == [("apply", "192.0.2.7")]
    bench.responder.step(NOON + 1800)
    bench.responder.step(NOON + 1801)
    assert bench.verbs == [("apply", "192.0.2.7"), ("undo", "192.0.2.7")]
    assert bench.audit == ["response apply", "response undo"]
    assert verify(bench.store.base).breaks == ()
    bench.alert(NOON + 2000)
    assert len(bench.verbs) == 3, "another alert after that asks again"


def test_another_collector_undoes_what_an_ended_one_did(tmp_path):
    Bench(tmp_path).alert()
    later = Bench(tmp_path, enabled=False)
    later.responder.step(NOON + 1800)
    assert [verb for verb, _ in later.verbs] == ["apply", "undo"]


@pytest.mark.parametrize(
    ("client", "never"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("2001:db8::1", "2001:db8::/32"),
        ("127.0.0.1", "192.0.2.1"),
        ("fe80::1", "192.0.2.1"),
        ("224.0.0.1", "192.0.2.1"),
    ],
)
def test_who_is_protected_is_never_touched(tmp_path, client, never):
    bench = Bench(tmp_path, never=(never,))
    bench.alert(client_ip=client)
    assert (bench.verbs, bench.audit) == ([], ["response refused"])


def test_who_became_protected_since_it_was_wanted_is_not_touched(tmp_path):
    bench = Bench(tmp_path)
    bench.responder = Responder(bench.store.base, ResponseSettings(enabled=True, never=("192.0.2.7",)))
    bench.alert()
    assert (bench.verbs, bench.audit) == ([], ["response refused"])


@pytest.mark.parametrize("changes", [{"severity": "high"}, {"confidence": 0.5}, {"client_ip": None}])
def test_what_does_not_ask(tmp_path, changes):
    bench = Bench(tmp_path)
    bench.alert(**changes)
    assert listed(bench.store.base) == []


def test_a_script_that_fails_is_run_again_ever_later_and_given_up(tmp_path):
    bench = Bench(tmp_path, code=3)
    bench.alert()
    bench.responder.step(NOON + 4)
    assert len(bench.verbs) == 1
    for at in range(5, 1800, 5):
        bench.responder.step(NOON + at)
    assert len(bench.verbs) == 8
    assert rows(bench.store, "SELECT state FROM responses") == [("failed",)]
    assert rows(bench.store, "SELECT why FROM audit WHERE action = 'response failed'") == [
        ("apply block of 192.0.2.7: ended with 3",)
    ]


def test_listed_and_ended_by_people(tmp_path, place):
    bench = Bench(tmp_path, store=place)
    bench.alert()
    run = CliRunner().invoke
    place = ["--store", bench.place]
    assert "active   block  192.0.2.7" in run(app, ["responses", "list", *place]).output
    assert run(app, ["responses", "undo", "1", "--why", "ours", "--by", "ann", *place]).exit_code == 0
    bench.responder.step(rows(bench.store, "SELECT until FROM responses")[0][0])
    assert [verb for verb, _ in bench.verbs] == ["apply", "undo"]
    assert bench.audit == ["response apply", "response ended", "response undo"]
    assert run(app, ["responses", "undo", "1", "--why", "ours", *place]).exit_code == 2


class TestNftables:
    ACTION = ActionSettings(name="block", nft_set_ipv4="inet tapir blocked4", nft_set_ipv6="inet tapir blocked6")

    def test_commands(self):
        assert nft_script(self.ACTION, "apply", "192.0.2.7") == (
            "add element inet tapir blocked4 { 192.0.2.7 timeout 1800s }\n"
        )
        assert nft_script(self.ACTION, "undo", "2001:db8::1") == (
            "add element inet tapir blocked6 { 2001:db8::1 }\ndelete element inet tapir blocked6 { 2001:db8::1 }\n"
        )

    def test_what_is_no_address_never_gets_there(self):
        with pytest.raises(ValueError, match="does not appear to be"):
            nft_script(self.ACTION, "apply", "192.0.2.7 }; flush ruleset")

    def test_an_address_of_a_version_without_a_set_asks_for_nothing(self, tmp_path):
        bench = Bench(tmp_path, actions=(ActionSettings(name="block", nft_set_ipv4="inet tapir blocked4"),))
        bench.alert(client_ip="2001:db8::1")
        assert listed(bench.store.base) == []

    @pytest.mark.parametrize("changes", [{}, {"nft_set_ipv4": "blocked"}, {"nft_set_ipv4": "inet a b;c"}])
    def test_settings_that_cannot_work(self, tmp_path, changes):
        with pytest.raises(SettingError, match=r"collector\.response\.actions: block: "):
            Bench(tmp_path, actions=(ActionSettings(name="block", **changes),))


def test_a_protected_list_with_a_mistake_stops_the_collector(tmp_path):
    with pytest.raises(SettingError, match=r"collector\.response\.never: 'office'"):
        Bench(tmp_path, never=("office",))
