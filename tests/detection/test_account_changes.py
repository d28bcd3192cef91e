"""Accounts in places too far apart, in countries new for them, and with tools that they never used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensor.alert import Severity
from sensor.config import AccountChangesSettings, DetectionSettings
from sensor.detection.places import Place, kilometres
from sensor.detection.stage import DetectionStage
from sensor.errors import SettingError
from tests.detection import mmdb
from tests.detection.tables import Pool, alone, features_of, join, real_alerts, run_transactions, transaction

BERLIN, MUNICH, TOKYO, SYDNEY = "10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"
BROWSER, TOOL, APP = "Mozilla/5.0 (X11) Firefox/140.0", "python-requests/2.32", "ShopApp/4 (Android)"
BOB = 0xB0B


def spot(country: str, latitude: float, longitude: float) -> dict[str, Any]:
    return {"country": {"iso_code": country}, "location": {"latitude": latitude, "longitude": longitude}}


@pytest.fixture(scope="session")
def cities(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("map") / "cities.mmdb"
    places = {
        "10.1.0.0/16": spot("DE", 52.5, 13.4), "10.2.0.0/16": spot("DE", 48.1, 11.6),
        "10.3.0.0/16": spot("JP", 35.7, 139.7), "10.4.0.0/16": {"country": {"iso_code": "AU"}},
    }  # fmt: skip
    path.write_bytes(mmdb.table(places))
    return str(path)


class Account:
    def __init__(self, table: str = "") -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []
        self.table = table

    def use(self, seconds: float, client: str = BERLIN, agent: str = BROWSER, **given: Any) -> Account:
        values = {"user": BOB, "subject": BOB, "user_agent": agent} | given
        self.rows.append(transaction(self.pool, seconds, client, **values))
        return self

    def work(self, start: float = 0.0, client: str = BERLIN, agent: str = BROWSER) -> Account:
        for i in range(25):
            self.use(start + i, client, agent)
        return self

    def found(self, batch: int = 1 << 30) -> list[Any]:
        settings = alone(account_changes=AccountChangesSettings(location_table=self.table))
        self.stage = DetectionStage(settings, self.pool)
        return run_transactions(self.stage, join(self.rows), batch)


def test_from_berlin_to_tokyo_in_an_hour(cities):
    (one,) = Account(cities).work().use(3_600, TOKYO).found()
    assert (one.rule.id, one.client_ip, one.entity.value) == ("impossible-travel", TOKYO, f"{BOB:016x}")
    assert one.details == {"country": "JP", "countries_before": ["DE"], "kilometres": pytest.approx(8_900, abs=100)}
    assert one.numbers.observed > 8_000


def test_by_aeroplane_it_is_only_a_new_country(cities):
    (one,) = Account(cities).work().use(15 * 3_600, TOKYO).found()
    assert (one.rule.id, one.severity) == ("new-country", None)


@pytest.mark.parametrize("batch", [1, 7])
def test_batches_make_no_difference(cities, batch):
    account = Account(cities).work().use(3_600, TOKYO).work(9_000, TOKYO).use(9_100, BERLIN, TOOL).use(9_200, SYDNEY)
    assert account.found(batch) == account.found()


def test_from_one_city_to_the_next_is_quiet(cities):
    assert Account(cities).work().use(60, MUNICH).use(70, BERLIN).use(80, "10.1.7.7").found() == []


def test_places_that_the_table_does_not_know_are_quiet(cities):
    assert Account(cities).work().use(60, "192.0.2.1").use(70, TOKYO).found() == []


def test_without_coordinates_only_countries_count(cities):
    assert [one.rule.id for one in Account(cities).work().use(60, SYDNEY).found()] == ["new-country"]


def test_who_is_refused_was_nowhere(cities):
    assert Account(cities).work().use(60, TOKYO, status_code=401).found() == []


def test_an_account_that_is_not_known_yet_has_no_new_country(cities):
    assert Account(cities).use(0).use(60_000, TOKYO).found() == []


def test_without_a_table_places_say_nothing():
    assert Account().work().use(60, TOKYO).found() == []


@pytest.mark.parametrize(("client", "severity"), [(BERLIN, None), (TOKYO, Severity.MEDIUM)])
def test_a_tool_in_an_account_of_browsers(client, severity):
    (one,) = Account().work().use(60, client, TOOL).use(61, client, TOOL).found()
    assert (one.rule.id, one.severity, one.http.user_agent) == ("tool-in-account", severity, TOOL)


def test_who_always_used_tools_may(cities):
    assert Account().work(agent=TOOL).use(60, TOKYO, "curl/8").found() == []
    assert Account().work().use(60, BERLIN, APP).use(70, TOKYO, TOOL).found() == []
    assert Account().work().use(60, BERLIN, "Mozilla/5.0 (X11) Firefox/141.0").found() == []


def test_anonymous_clients_have_no_account():
    account = Account()
    for i in range(40):
        account.use(i, BERLIN, BROWSER if i < 30 else TOOL, user=0, subject=0)
    assert account.found() == []


def test_memory_outlives_a_restart():
    first = Account().work()
    assert first.found() == []
    saved = {name: array.copy() for name, array in first.stage.memories["detection.account_changes"].state().items()}
    second = Account()
    second.pool = first.pool
    second.use(100, BERLIN, TOOL)
    stage = DetectionStage(alone(account_changes=DetectionSettings().account_changes), second.pool)
    assert stage.memories["detection.account_changes"].restore(saved)
    assert features_of(stage).restore(features_of(first.stage).state())
    assert [one.rule.id for one in run_transactions(stage, join(second.rows))] == ["tool-in-account"]


def test_a_table_that_is_none_is_refused(tmp_path: Path):
    for path in (tmp_path / "missing.mmdb", tmp_path):
        with pytest.raises(SettingError, match=r"location_table.*MaxMind DB is expected"):
            Account(str(path)).use(0).found()
    (tmp_path / "text.mmdb").write_text("no table")
    with pytest.raises(SettingError, match="location_table"):
        Account(str(tmp_path / "text.mmdb")).use(0).found()


def test_distances():
    berlin, tokyo = Place("DE", 52.5, 13.4), Place("JP", 35.7, 139.7)
    assert kilometres(berlin, tokyo) == pytest.approx(8_920, abs=60)
    assert kilometres(berlin, berlin) == 0
    assert kilometres(Place("DE", 0.0, 0.0), Place("DE", 0.0, 180.0)) == pytest.approx(20_015, abs=10)
    assert kilometres(berlin, Place("AU", None, None)) == 0


def people(account: Account, number: int = 60, agent: str = "ShopApp/4.{} (Android; SM-{})") -> Account:
    """Others of the same server, each from a network like all others'."""
    for i in range(number):
        who = {"user": 0x1000 + i, "subject": 0x1000 + i}
        account.use(i / 10, f"10.1.2.{i}", agent.format(i % 7, i), **who)
    return account


def test_software_that_hardly_anyone_has():
    account = people(Account()).work(100, agent=APP).use(200, BERLIN, "evil-dumper/0.1")
    (one,) = account.found()
    assert (one.rule.id, one.http.user_agent) == ("rare-agent", "evil-dumper/0.1")
    assert (one.numbers.observed, one.numbers.baseline) == (0, 61)
    assert account.found(3) == [one]


@pytest.mark.parametrize("agent", ["ShopApp/5.1.2 (Android 15; Rare Phone)", "ShopApp/4"])
def test_a_newer_version_and_another_phone_are_the_same_software(agent):
    assert people(Account()).work(100, agent=APP).use(200, BERLIN, agent).found() == []


def test_software_that_others_have_is_not_rare():
    account = people(people(Account()), 4, "curl/8.{} {}").work(100, agent=APP).use(200, BERLIN, "curl/8.9")
    assert account.found() == []


def test_among_few_accounts_nothing_is_rare():
    assert people(Account(), 20).work(100, agent=APP).use(200, BERLIN, "evil-dumper/0.1").found() == []


def test_who_comes_and_goes_with_software_of_its_own_from_the_first():
    account = people(Account()).work(100, agent="svc-billing/2.1").use(200, BERLIN, "svc-billing/2.2")
    assert account.found() == []


@pytest.fixture(scope="session")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("networks") / "networks.mmdb"
    names = {"10.1.0.0/16": (64_501, "Home"), "10.2.0.0/16": (64_502, "Mobile"), "10.3.0.0/16": (64_503, "Hosting")}
    path.write_bytes(
        mmdb.table(
            {
                network: {"autonomous_system_number": number, "autonomous_system_organization": name}
                for network, (number, name) in names.items()
            }
        )
    )
    return str(path)


def in_networks(account: Account, carriers: str) -> list[Any]:
    settings = AccountChangesSettings(network_table=carriers)
    return run_transactions(DetectionStage(alone(account_changes=settings), account.pool), join(account.rows))


def test_a_network_that_hardly_anyone_is_in(carriers):
    (one,) = in_networks(people(Account()).work(100, agent=APP).use(200, TOKYO, APP).use(300, BERLIN, APP), carriers)
    assert (one.rule.id, one.client_ip) == ("new-network", TOKYO)
    assert one.details == {"network": 64_503, "holder": "Hosting", "before": [64_501]}


def test_networks_that_others_are_in_and_addresses_within_one(carriers):
    account = people(Account())
    for i in range(5):
        account.use(50 + i, f"10.2.0.{i}", APP, user=0x2000 + i, subject=0x2000 + i)
    assert in_networks(account.work(100, agent=APP).use(200, MUNICH, APP).use(300, "10.1.99.9", APP), carriers) == []


def test_networks_outlive_a_restart(carriers):
    first = people(Account()).work(100, agent=APP)
    settings = alone(account_changes=AccountChangesSettings(network_table=carriers))
    before, after = DetectionStage(settings, first.pool), DetectionStage(settings, first.pool)
    assert run_transactions(before, join(first.rows)) == []
    saved = {name: array.copy() for name, array in before.memories["detection.account_changes"].state().items()}
    assert after.memories["detection.account_changes"].restore(saved)
    assert features_of(after).restore(features_of(before).state())
    first.rows = []
    found = run_transactions(after, join(first.use(300, TOKYO, APP).rows))
    assert [one.rule.id for one in found] == ["new-network"]


@pytest.mark.parametrize(("name", "who"), [("01a-benign", set()), ("13-stolen-token", {"10.60.9.13"})])
def test_real_traffic(name, who):
    alerts = [alert for alert in real_alerts(name) if alert["rule_id"] in ("tool-in-account", "rare-agent")]
    assert {alert["client_ip"] for alert in alerts} <= who
