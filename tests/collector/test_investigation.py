"""What is attached to an incident when it opens, and that a slow or broken source of it holds up nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import polars
import pytest
from typer.testing import CliRunner

from sensor.alert import Entity, Severity
from sensor.bus.memory_log import MemoryLog
from sensor.bus.stream import AlertStream
from sensor.cli.app import app
from sensor.collector.investigation import playbooks
from sensor.collector.investigation.gather import Investigation, kept
from sensor.collector.investigation.investigate import Investigator
from sensor.collector.investigation.recent import TOPIC, Recent
from sensor.collector.store import Store
from sensor.config import BusSettings, InvestigationSettings
from sensor.errors import SettingError
from tests.bus.alerts import an_alert
from tests.collector.test_incidents import run
from tests.collector.test_store import ID, a_message
from tests.detection import mmdb

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 90


def looked_into(place: str, incident: int = 1, recent: Recent | None = None, **settings) -> Investigation:
    with Store(place) as store:
        Investigator(store.base, InvestigationSettings(**settings), recent).step(2e9)
        found = kept(store.base, incident)
    assert found is not None
    return found


def store_alerts(place: str, *alerts) -> None:
    with Store(place) as store:
        store.commit([a_message(alert) for alert in alerts], now=2e9)


def test_the_playbook_and_what_it_says_to_contain_with_the_names_of_the_alert(place):
    store_alerts(place, an_alert())
    found = looked_into(place)
    assert found.playbook == "credential-attacks"
    assert any("Block 192.0.2.7" in step for step in found.contain)
    code, text = run(place, "show", "1")
    assert code == 0
    assert "playbook credential-attacks: Guessed and stolen passwords" in text
    assert "contain: Block 192.0.2.7" in text
    assert "check: Did any login succeed?" in text
    assert json.loads(run(place, "show", "1", "--json")[1])["investigation"]["playbook"] == "credential-attacks"


def test_other_alerts_of_the_same_entity_or_actor_in_other_incidents(place):
    days = 30 * 86_400.0
    before = {"first_seen": 1763722900.0 - days, "last_seen": 1763722950.5 - days}
    account = Entity("account", "a1")
    store_alerts(
        place,
        an_alert(1, alert_id=ID(1), **before),
        an_alert(2, alert_id=ID(1), revision=2, severity="critical", **before),
        an_alert(3, alert_id=ID(2), rule_id="web-scan", client_ip="203.0.113.1", entity=account),
        an_alert(4, alert_id=ID(3), rule_id="port-scan", client_ip="203.0.113.2"),
        an_alert(5, alert_id=ID(4), rule_id="beaconing", client_ip="203.0.113.3", entity=Entity("client", "other")),
    )
    last = an_alert(6, alert_id=ID(5), rule_id="token-shared", entity=account)
    store_alerts(place, last)
    found = looked_into(place, incident=5)
    told = {other.rule_id: (other.alerts, other.severity, other.incidents) for other in found.others}
    assert told == {
        "brute-force-login": (1, Severity.CRITICAL, [1]),  # the same address, a month ago
        "web-scan": (1, Severity.HIGH, [2]),               # the same account, from elsewhere
    }


def test_where_the_client_is(place, tmp_path):
    cities, networks = tmp_path / "cities.mmdb", tmp_path / "networks.mmdb"
    porto = {"country": {"iso_code": "PT"}, "city": {"names": {"en": "Porto"}}}
    cities.write_bytes(mmdb.table({"192.0.2.0/24": porto}))
    networks.write_bytes(mmdb.table({"192.0.2.0/24": {"autonomous_system_number": 64500, "as_name": "Example"}}))
    store_alerts(place, an_alert(1), an_alert(2, alert_id=ID(2), client_ip="198.51.100.1"))
    tables = (str(cities), str(networks))
    place_of = looked_into(place, location_tables=tables).place
    assert (place_of.country, place_of.city, place_of.network) == ("PT", "Porto", "AS64500 Example")
    assert looked_into(place, incident=2, location_tables=tables).place is None
    assert "from: Porto, PT, AS64500 Example" in run(place, "show", "1")[1]


def test_a_table_that_is_none_is_said_at_the_start(place, tmp_path):
    (tmp_path / "text.mmdb").write_text("no table")
    store_alerts(place, an_alert())
    with pytest.raises(SettingError, match=r"location_tables: .*text\.mmdb: .*a MaxMind DB is expected"):
        looked_into(place, location_tables=(str(tmp_path / "text.mmdb"),))


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import json,sys; print('seen', json.load(sys.stdin)['client_ip'], '\\x1b[2J')", "seen 192.0.2.7 \x1b[2J"),
        ("import sys; sys.exit(3)", "no answer: ended with 3"),
        ("import signal; signal.pause()", "no answer: took longer than 0.5 s"),
    ],
)
def test_a_program_of_ones_own_is_asked_for_intelligence(place, program, told):
    store_alerts(place, an_alert())
    seconds = 0.5 if "pause" in program else LIMIT_SECONDS
    found = looked_into(place, command=(sys.executable, "-c", program), command_seconds=seconds)
    assert found.intelligence == (told,)
    assert "\x1b" not in run(place, "show", "1")[1]


def test_it_is_done_once_and_again_when_the_incident_gets_worse(place):
    store_alerts(place, an_alert())
    with Store(place) as store:
        investigator = Investigator(store.base, InvestigationSettings())
        for now in (1.0, 2.0):
            investigator.step(now)
        assert kept(store.base, 1).at == 1.0
        worse = an_alert(2, alert_id=ID(2), rule_id="bulk-transfer", category="exfiltration", severity="critical")
        store.commit([a_message(worse)], now=3.0)
        investigator.step(4.0)
        assert (kept(store.base, 1).at, kept(store.base, 1).playbook) == (4.0, "data-theft")


def test_recent_transactions_come_from_a_sensor_that_publishes_them(tmp_path):
    settings = BusSettings(publish="tcp://127.0.0.1:*", heartbeat_seconds=0.05, linger_seconds=0)
    with AlertStream(settings, MemoryLog(), "tap-1") as stream:
        recent = Recent([stream.address], "", plaintext=True, rows_max=30)
        end = time.monotonic() + LIMIT_SECONDS
        while not stream.wants(TOPIC):
            recent.take()
            assert time.monotonic() < end
        stream.put_table(TOPIC, b"no table")
        for batch in range(3):
            stream.put_table(TOPIC, transactions(first=batch * 20, count=20))
        while not recent.malformed or not any(row["ts"] == 58.0 for row in recent.of("192.0.2.7", 1e9, 100)):
            recent.take()
            assert time.monotonic() < end
        found, kept_rows = recent.of("192.0.2.7", 58.0, 5), recent.of("192.0.2.7", 1e9, 100)
        recent.close()
    assert [row["ts"] for row in kept_rows] == [float(number) for number in range(30, 60, 2)]
    assert [row["ts"] for row in found] == [50.0, 52.0, 54.0, 56.0, 58.0]
    store_alerts(str(tmp_path), an_alert())
    assert [row["uri"] for row in found][-1] == "/orders/58"


def transactions(first: int, count: int) -> bytes:
    """Every other one is of 192.0.2.7; one a second."""
    numbers = range(first, first + count)
    rows = {
        "ts": [datetime.fromtimestamp(number, UTC) for number in numbers],
        "client_ip": ["192.0.2.7" if number % 2 == 0 else "192.0.2.8" for number in numbers],
        "server_ip": "192.0.2.80", "method": "GET", "host": "shop", "uri": [f"/orders/{number}" for number in numbers],
        "status_code": 200, "response_body_len": 512, "user_agent": "curl",
    }  # fmt: skip
    stream = polars.DataFrame(rows).write_ipc_stream(None)
    return stream.getvalue()


def test_a_whole_run_of_sensor_and_collector(tmp_path):
    """Alerts, and transactions behind them, by real processes."""
    capture = ROOT.parent / "shared" / "real" / "06-hydra.pcap.xz"
    if not capture.exists():
        pytest.skip(f"{capture} is not there")
    tapir, address = [sys.executable, "-m", "sensor"], f"ipc://{tmp_path}/alerts"
    store = str(tmp_path / "store")
    keeping = ["--set", "collector.investigation.transactions_kept=5000"]
    collecting = [*tapir, "collect", address, "--store", store, *keeping]
    reading = [*tapir, "read", str(capture), "--publish", address, "--publish-tables", "--wait-subscribers", "2"]
    with subprocess.Popen(collecting, stdout=subprocess.DEVNULL) as collector:
        try:
            subprocess.run(reading, check=True, timeout=600, stdout=subprocess.DEVNULL)
            end = time.monotonic() + LIMIT_SECONDS
            found: list[dict] = []
            while not any(row["method"] == "POST" for rows in found for row in rows or ()):
                assert time.monotonic() < end
                shown = (json.loads(run(store, "show", str(row["id"]), "--json")[1])
                         for row in json.loads(run(store, "list", "--json")[1]))
                found = [(one["investigation"] or {}).get("transactions") for one in shown]
        finally:
            collector.terminate()
    measured = CliRunner().invoke(app, ["kpi", "--store", store, "--json"])
    rules = {row["id"]: sum(map(len, row["rules"].values())) for row in json.loads(measured.output)["owasp"]}
    assert len(rules) == 10
    assert min(rules.values()) > 0, "each of the ten has a rule that ships"


class TestPlaybooks:
    def test_each_says_what_to_check_and_to_do(self):
        for page in set(playbooks.playbooks().values()):
            assert page.covers[0], page.name
            assert page.check, page.name
            assert page.contain, page.name
            assert page.afterwards, page.name

    def test_no_two_are_for_the_same(self):
        pages = {page.name: page for page in playbooks.playbooks().values()}
        covered = [one for page in pages.values() for one in page.covers]
        assert len(covered) == len(set(covered))
        assert len(pages) == len(list(playbooks.folder().glob("*.md")))

    def test_a_rule_comes_before_its_category_and_what_nobody_knows_has_the_general_one(self):
        assert playbooks.playbook_for("tls-self-signed", "exposure").name == "clear-text"
        assert playbooks.playbook_for("stack-trace", "exposure").name == "exposure"
        assert playbooks.playbook_for("mine", "of-mine").name == "any-detection"
