"""Concurrent sessions: accounts in many hands are found; people with several devices and services with replicas not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.detection import mmdb
from tests.detection.tables import (
    START,
    real_alerts,
)
from tests.detection.watched import Watched

ALICE = 0xA11CE
CHROME, SAFARI, APP = "Mozilla/5.0 Chrome/131", "Mozilla/5.0 Safari/17", "ShopApp/4 (Android)"
DAY = 86_400


class Days(Watched):
    """Requests of one account, at the seconds given."""

    detector = "concurrent_sessions"

    def use(self, seconds: float, client: str, agent: str, credential: int, **given: Any) -> None:
        given = {"subject": ALICE, "user": credential, "user_agent": agent} | given
        self.add(seconds, client, **given)

    def at_once(self, start: float, *places: tuple[str, str, int], rounds: int = 6) -> Days:
        """The places in turn, a request every five seconds."""
        for n in range(rounds * len(places)):
            self.use(start + 5 * n, *places[n % len(places)])
        return self


HOME, WORK, MOBILE, FAR = "192.0.2.10", "198.51.100.20", "203.0.113.30", "100.64.7.7"
MANY = [(HOME, CHROME, 1), (WORK, CHROME, 2), (MOBILE, CHROME, 3), (FAR, CHROME, 4)]


@pytest.mark.parametrize("batch", [1, 5, 1 << 30])
def test_an_account_in_many_hands(batch: int) -> None:
    found = Days().at_once(0, *MANY).found(batch)
    assert [(one.rule.id, one.entity.kind, one.entity.value) for one in found[:1]] == [
        ("concurrent-sessions", "user", f"{ALICE:016x}")
    ]
    assert found[0].client_ip in (WORK, MOBILE, FAR)
    assert found[0].numbers.observed == 4
    assert len(found[0].details["networks"]) == 4
    assert found[0].severity is None
    assert found == Days().at_once(0, *MANY).found()


def test_networks_of_one_carrier_are_one(tmp_path: Path) -> None:
    path = tmp_path / "networks.mmdb"
    holder = {"autonomous_system_number": 64_500, "autonomous_system_organization": "Carrier"}
    path.write_bytes(mmdb.table({"192.0.0.0/8": holder, "198.0.0.0/8": holder}))
    assert Days(network_table=str(path)).at_once(0, *MANY).found() == []
    assert Days(network_table=str(path)).at_once(0, *MANY, ("100.99.1.1", CHROME, 5)).found() != []


def test_a_laptop_a_phone_and_a_tablet() -> None:
    devices = [(HOME, CHROME, 1), (MOBILE, APP, 2), (HOME, SAFARI, 3), (WORK, CHROME, 4)]
    assert Days().at_once(0, *devices, rounds=40).found() == []


def test_replicas_in_one_network_and_in_several() -> None:
    pods = [(f"10.0.3.{n}", f"svc-{n}/1.0", n) for n in range(1, 40)]
    assert Days().at_once(0, *pods, rounds=10).found() == []
    regions = [(f"10.{n}.0.7", "worker/2.1", n) for n in range(1, 5)]
    assert Days().at_once(0, *regions, rounds=40).found() == []


def test_a_phone_that_moves_and_renews_its_token() -> None:
    days = Days()
    for n in range(400):
        days.use(10 * n, f"100.64.{n % 5}.1", CHROME, 1 + n // 9)
    assert days.found() == []


def usual(days: Days, *places: tuple[str, str, int]) -> Days:
    for day in range(4):
        days.at_once(day * DAY, *places)
    return days


def test_more_places_than_ever_is_worse_once_that_is_known() -> None:
    found = usual(Days(), (HOME, CHROME, 1), (MOBILE, APP, 2)).at_once(4 * DAY, *MANY).found()
    assert {one.severity for one in found} == {"medium"}
    assert found[0].numbers.baseline == 2


def test_a_second_place_with_new_software_of_one_who_never_had_two() -> None:
    thief = (FAR, "python-requests/2", 9)
    found = usual(Days(), (HOME, CHROME, 1)).at_once(4 * DAY, (HOME, CHROME, 1), thief).found()
    assert {(one.client_ip, one.severity) for one in found} == {(FAR, None)}
    assert found[0].numbers.threshold == 2


def test_a_new_phone_of_one_who_has_two_devices_and_known_software() -> None:
    two = usual(Days(), (HOME, CHROME, 1), (MOBILE, APP, 2))
    assert two.at_once(4 * DAY, (HOME, CHROME, 3), (FAR, "ShopApp/5 (iOS)", 4)).found() == []
    one = usual(Days(), (HOME, CHROME, 1))
    assert one.at_once(4 * DAY, (HOME, CHROME, 1), (WORK, CHROME, 5)).found() == []


def test_what_stays_for_days_is_a_habit() -> None:
    days = Days()
    for day in range(10):
        days.at_once(day * DAY, *MANY)
    found = days.found()
    assert max(one.now for one in found) < START + 3 * DAY * 10**9


def test_refused_credentials_and_logins_count_nothing() -> None:
    days = Days()
    days.at_once(0, (HOME, CHROME, 1))
    for n in range(40):
        days.use(100 + n, f"100.{n}.0.1", f"tool/{n}", 100 + n, status_code=401)
    assert days.found() == []


def test_it_outlives_a_restart() -> None:
    days = usual(Days(), (HOME, CHROME, 1)).at_once(4 * DAY, *MANY)
    restarted, expected = days.restarted(-11), days.found()
    assert [(one.now, one.numbers) for one in restarted] == [(one.now, one.numbers) for one in expected] != []


def test_real_people_are_at_one_place() -> None:
    for name in ("01a-benign", "13-stolen-token"):
        assert [alert for alert in real_alerts(name) if alert["rule_id"] == "concurrent-sessions"] == []
