"""Tokens: a second holder is found and moving phones are not; what should not work and does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensor.alert import Severity
from sensor.config import TokenAbuseSettings
from sensor.detection.stage import DetectionStage
from sensor.schema import Anomaly, TokenFlag, TransactionFlag
from tests.detection.tables import START, Pool, alone, features_of, join, real_alerts, run_transactions, transaction

TOKEN, OTHER, BOB = 0x70, 0x71, 0xB0B
OWNER, THIEF = "10.0.0.1", "10.0.9.9"
PHONE, TOOL = "ShopApp/4 (Android)", "python-requests/2"
REQUEST = TransactionFlag.REQUEST | TransactionFlag.RESPONSE


class Day:
    """Requests one after the other, at the seconds given."""

    def __init__(self, **settings: Any) -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []
        self.settings = TokenAbuseSettings(**({"sessions_max": 256} | settings))

    def use(self, seconds: float, client: str = OWNER, agent: str = PHONE, user: int = TOKEN, **given: Any) -> Day:
        self.rows.append(transaction(self.pool, seconds, client, user=user, user_agent=agent, **given))
        return self

    def guard(self) -> Day:
        """Before all else the endpoint refuses who has no token."""
        return self.use(0, user=0, status_code=401)

    def found(self, batch: int = 1 << 30) -> list[Any]:
        self.stage = DetectionStage(alone(token_abuse=self.settings), self.pool)
        return run_transactions(self.stage, join(self.rows), batch)

    def rules(self) -> list[str]:
        return [one.rule.id for one in self.found()]


def test_two_holders_who_take_turns_are_found_and_the_second_is_shown():
    day = Day()
    for i in range(10):
        day.use(10 * i).use(10 * i + 5, THIEF, TOOL)
    found = day.found()
    assert {one.rule.id for one in found} == {"token-shared"}
    assert (found[0].entity.kind, found[0].entity.value) == ("user", f"{TOKEN:016x}")
    assert found[0].client_ip == THIEF
    assert found[0].details["first_holder"] == OWNER
    assert found[0].details["differs_in"] == ["user agent"]
    assert (found[0].now - START, found[0].numbers.observed) == (15 * 10**9, 3)
    assert len(found) <= 4


def test_a_second_holder_who_copies_the_agent_is_known_by_the_order_of_headers():
    day = Day()
    for i in range(4):
        day.use(10 * i, stack=0x24).use(10 * i + 5, THIEF, stack=0x42)
    assert day.found()[0].details["differs_in"] == ["header order"]


@pytest.mark.parametrize("batch", [1, 3])
def test_batches_make_no_difference(batch):
    day = Day()
    for i in range(20):
        day.use(10 * i).use(10 * i + 5, THIEF, TOOL)
    assert day.found(batch) == day.found()


def test_one_token_in_many_places_of_which_each_is_new():
    day = Day().use(0)
    for i in range(4):
        day.use(5 + i, f"10.61.{i}.20", f"Agent{i}/1.0")
    (told,) = day.found()
    assert (told.rule.id, told.client_ip, told.numbers.observed) == ("token-shared", "10.61.2.20", 3)


def test_a_device_with_three_kinds_of_software_that_moves_is_quiet():
    day = Day()
    for i in range(90):
        day.use(i, f"10.0.0.{2 + i // 20}", (PHONE, "WebView", "Downloader/1")[i % 3])
    assert day.rules() == []


def test_a_key_that_two_programs_have_is_less_grave_than_a_persons_token():
    day = Day()
    for i in range(10):
        day.use(10 * i, auth_scheme="api-key").use(10 * i + 5, THIEF, TOOL, auth_scheme="api-key")
    assert {(one.rule.id, one.severity) for one in day.found()} == {("token-shared", Severity.MEDIUM)}


def test_a_phone_that_moves_from_network_to_network_is_quiet():
    day = Day()
    for i in range(60):
        day.use(i, OWNER if i % 7 < 3 else "10.0.0.2")
    assert day.rules() == []


def test_a_phone_with_two_kinds_of_software_that_moves_is_quiet():
    day = Day()
    for i in range(60):
        day.use(i, OWNER if i < 30 else "10.0.0.2", PHONE if i % 2 else "WebView")
    assert day.rules() == []


def test_software_that_is_replaced_is_quiet():
    day = Day()
    for i in range(20):
        day.use(i, OWNER if i < 10 else "10.0.0.2", PHONE if i < 10 else "ShopApp/5 (Android)")
    assert day.rules() == []


def test_a_gateway_that_uses_many_tokens_is_no_second_holder():
    day = Day()
    for i in range(12):
        day.use(i, "10.0.5.5", "Gateway/1", user=0x900 + i)
    for i in range(20):
        day.use(20 + 2 * i).use(21 + 2 * i, "10.0.5.5", "Gateway/1")
    assert day.rules() == []


def test_a_holder_behind_a_nat_still_has_a_thief():
    day = Day()
    for i in range(15):
        day.use(i, OWNER, f"Agent/{i}", user=0x900 + i)
    for i in range(4):
        day.use(20 + 2 * i).use(21 + 2 * i, THIEF, TOOL)
    assert day.found()[0].client_ip == THIEF


def test_two_addresses_of_one_ipv6_network_are_one_place():
    day = Day()
    for i in range(20):
        day.use(i, f"2001:db8::{i % 2 + 1}", PHONE if i % 2 else TOOL)
    assert day.rules() == []


def test_a_second_holder_who_is_refused_is_none():
    day = Day()
    for i in range(20):
        day.use(2 * i).use(2 * i + 1, THIEF, TOOL, status_code=401)
    assert day.rules() == []


def past(seconds: float) -> int:
    return START + round(seconds * 10**9)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"token_flags": TokenFlag.JWT | TokenFlag.EXPIRED, "token_expires": past(10)}, "token-expired"),
        ({"token_flags": TokenFlag.JWT | TokenFlag.UNSIGNED, "token_expires": past(900)}, "token-unsigned"),
        ({"token_flags": TokenFlag.JWT | TokenFlag.ENDLESS}, "token-lifetime"),
        ({"token_flags": TokenFlag.JWT, "token_seconds": 90 * 86_400}, "token-lifetime"),
        ({"token_flags": TokenFlag.JWT | TokenFlag.IN_URL}, "token-in-url"),
    ],
)
def test_tokens_that_should_not_work_and_do(given, rule):
    assert Day().guard().use(100, **given).use(101, **given).rules() == [rule]
    assert Day().guard().use(100, **given, status_code=401).rules() == []
    assert Day().use(1, user=0).use(100, **given).rules() == [], "the endpoint serves anybody"


def test_an_expired_token_may_be_a_little_late():
    late = {"token_flags": TokenFlag.JWT | TokenFlag.EXPIRED, "token_expires": past(50)}
    assert Day().guard().use(100, **late).rules() == []


def test_an_endpoint_needs_a_token_when_nobody_is_served_without():
    unsigned = {"token_flags": TokenFlag.JWT | TokenFlag.UNSIGNED}
    day = Day()
    for i in range(25):
        day.use(i, user=0x900 + i)
    assert day.use(30, **unsigned).rules() == ["token-unsigned"]


def test_use_after_logout():
    logout = {"flags": REQUEST | TransactionFlag.LOGOUT, "method": "POST", "endpoint": "/logout"}
    day = Day().guard().use(1).use(2, **logout).use(8)
    assert day.rules() == []
    assert day.use(20).rules() == ["token-after-logout"]


def test_a_session_cookie_that_never_ends():
    day = Day().use(1, token_flags=TokenFlag.COOKIE).use(31 * 86_400, token_flags=TokenFlag.COOKIE)
    assert day.rules() == ["session-lifetime"]


def test_an_account_that_gets_another_role():
    day = Day()
    for i in range(25):
        day.use(i, subject=BOB, role=7)
    assert day.rules() == []
    day.use(30, subject=BOB, role=9, user=OTHER)
    for i in range(5):
        day.use(31 + i, subject=BOB, role=7)
    assert day.rules() == ["role-change"]


def test_an_account_with_two_applications_has_two_roles():
    day = Day()
    for i in range(60):
        day.use(i, subject=BOB, role=7 + i % 2)
    assert day.rules() == []


def test_memory_outlives_a_restart():
    first = Day()
    first.use(0).use(5, THIEF, TOOL)
    assert first.rules() == []
    saved = {name: array.copy() for name, array in first.stage.memories["detection.token_abuse"].state().items()}
    second = Day().use(10).use(15, THIEF, TOOL)
    second.pool = first.pool
    assert second.rules() == []
    stage = DetectionStage(alone(token_abuse=second.settings), second.pool)
    assert stage.memories["detection.token_abuse"].restore(saved)
    features = features_of(stage)
    assert features.restore(features_of(first.stage).state())
    assert {one.rule.id for one in run_transactions(stage, join(second.rows))} == {"token-shared"}


@pytest.mark.parametrize(
    ("name", "thieves"), [("13-stolen-token", {"10.60.9.13"}), ("01a-benign", set()), ("06-hydra", set())]
)
def test_real_traffic(name, thieves):
    alerts = [alert for alert in real_alerts(name) if alert["rule_id"].startswith("token-")]
    assert {alert["client_ip"] for alert in alerts} == thieves
    assert {alert["rule_id"] for alert in alerts} <= {"token-shared"}


def test_a_request_of_which_bytes_were_lost_does_not_open_an_endpoint():
    unsigned = {"token_flags": TokenFlag.JWT | TokenFlag.UNSIGNED}
    for anomalies, expected in ((Anomaly.REQUEST_GAP, ["token-unsigned"]), (0, [])):
        assert Day().guard().use(1, user=0, anomalies=anomalies).use(2, **unsigned).rules() == expected
