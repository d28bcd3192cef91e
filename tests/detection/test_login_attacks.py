"""Attacks on logins as a whole: spraying and stuffing from one client or many, and users who mistype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import U64s, kernel
from sensor.alert import Severity
from sensor.config import LoginAttacksSettings
from sensor.detection.detectors.login_attacks_kernel import WORDS, distinct
from sensor.detection.stage import DetectionStage
from sensor.schema import TransactionFlag
from tests.detection.tables import Pool, alone, join, login, real_alerts, run_transactions

FAILED = TransactionFlag.REQUEST | TransactionFlag.RESPONSE | TransactionFlag.LOGIN | TransactionFlag.LOGIN_FAILED
WELL = TransactionFlag.REQUEST | TransactionFlag.RESPONSE | TransactionFlag.LOGIN


def account(number: int) -> int:
    return (number + 1) * 0x9E3779B97F4A7C15 % 2**64


class Door:
    def __init__(self) -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []

    def fail(self, seconds: float, who: int, client: str = "10.0.0.1", agent: str = "", **given: Any) -> Door:
        values = {"flags": FAILED, "user_agent": agent or f"Browser of {client}"} | given
        row = login(self.pool, seconds, client, 401, account(who), **{k: v for k, v in values.items() if k != "flags"})
        row["flags"] = values["flags"]
        self.rows.append(row)
        return self

    def well(self, seconds: float, who: int, client: str = "10.0.0.1", agent: str = "") -> Door:
        self.fail(seconds, who, client, agent, flags=WELL)
        self.rows[-1]["status_code"] = 200
        return self

    def found(self, batch: int = 1 << 30) -> list[Any]:
        settings = alone(login_attacks=LoginAttacksSettings(entities_max=1_024))
        stage = DetectionStage(settings, self.pool)
        rows = join(self.rows)
        return run_transactions(stage, rows[np.argsort(rows["now"], kind="stable")], batch)

    def rules(self) -> set[str]:
        return {one.rule.id for one in self.found()}


def test_one_try_on_each_of_many_accounts_from_one_client():
    door = Door()
    for i in range(30):
        door.fail(5 * i, i)
    found = door.found()
    assert {one.rule.id for one in found} == {"password-spraying"}
    assert (found[0].entity.kind, found[0].entity.value) == ("client", "10.0.0.1")
    assert (found[0].numbers.observed, found[0].numbers.threshold) == (10, 10)
    assert found[0].severity is None


def test_what_is_told_of_a_client_adds_up_to_no_more_than_it_tried():
    door = Door()
    for i in range(200):
        door.fail(5 * i, i)
    last = {one.run: one.count for one in door.found() if one.entity.kind == "client"}
    assert 50 < sum(last.values()) <= 200


@pytest.mark.parametrize("gap", [300, 1_500])
def test_one_account_now_and_then_adds_up_over_a_day(gap):
    door = Door()
    for i in range(50):
        door.fail(gap * i, i)
    found = door.found()
    assert {(one.rule.id, one.severity) for one in found} == {("password-spraying", Severity.MEDIUM)}
    assert (found[0].numbers.observed, found[0].numbers.window_seconds) == (30, 86_400)
    assert Severity.CRITICAL in {one.severity for one in door.well(gap * 50, 999).found()}


def test_an_office_where_somebody_always_mistypes_is_no_slow_spraying():
    """Names that nobody has, all day long, and many more logins that go well."""
    door = Door()
    for i in range(60):
        door.fail(700 * i, 5_000 + i)
        door.well(700 * i + 100, i % 90)
    assert door.found() == []


def test_a_list_of_credentials_with_one_that_fits_is_critical():
    door = Door()
    for i in range(20):
        door.fail(5 * i, i)
    found = door.well(101, 77).found()
    assert found[-1].severity == Severity.CRITICAL
    assert found[-1].http.status_code == 200
    assert found[-1].details["succeeded"] is True


@pytest.mark.parametrize("batch", [1, 7])
def test_batches_make_no_difference(batch):
    door = Door()
    for i in range(60):
        door.fail(5 * i, i)
    assert door.found(batch) == door.found()


def test_a_login_that_is_answered_200_with_an_error_counts():
    door = Door()
    for i in range(12):
        door.fail(5 * i, i)
        door.rows[-1]["status_code"] = 200
    assert door.rules() == {"password-spraying"}


def test_many_users_behind_one_address_who_mistype_are_quiet():
    door = Door()
    for i in range(60):
        door.fail(5 * i, i).well(5 * i + 2, i)
    assert door.rules() == set()


def test_guessing_at_one_account_is_not_spraying():
    door = Door()
    for i in range(300):
        door.fail(0.1 * i, i % 2)
    assert door.rules() == set()


def test_slower_than_the_windows_is_quiet():
    door = Door()
    for i in range(40):
        door.fail((70 if i < 25 else 40_000) * i, i)
    assert door.rules() == set()


def test_many_addresses_with_one_kind_of_software():
    door = Door()
    for i in range(200):
        door.well(2 * i, 1_000 + i % 50, f"10.1.0.{i % 50}")
    for i in range(40):
        door.fail(100 + 5 * i, i, f"10.9.0.{i % 20}", "curl/8")
    found = [one for one in door.found() if one.rule.id == "password-spraying-distributed"]
    assert {(one.entity.kind, one.entity.value) for one in found} == {("software", "curl/*")}


def test_software_that_tells_another_version_each_time_is_one():
    door = Door()
    for i in range(200):
        door.well(2 * i, 1_000 + i % 50, f"10.1.0.{i % 50}")
    for i in range(60):
        door.fail(100 + 2 * i, i, f"10.9.0.{i % 20}", f"Mozilla/5.0 (X11; rv:{90 + i}.0) Firefox/{90 + i}.0")
    found = [one for one in door.found() if one.rule.id == "password-spraying-distributed"]
    assert {one.entity.value for one in found} == {"Mozilla/* (X*; rv:*) Firefox/*"}


def test_the_software_of_everybody_is_not_accused():
    door = Door()
    for i in range(100):
        door.well(2 * i, 1_000 + i % 50, f"10.1.0.{i % 50}", "Chrome")
    for i in range(12):
        door.fail(100 + 5 * i, i, f"10.9.0.{i}", "Chrome")
    assert door.rules() == set()


def test_an_endpoint_at_which_far_more_fails_than_usual():
    door = Door()
    for i in range(600):
        door.well(4 * i, 1_000 + i % 100, f"10.1.0.{i % 100}")
    assert door.rules() == set()
    for i in range(200):
        door.fail(2_400 + 2 * i, 5_000 + i, f"10.2.{i}.1", f"Agent {chr(65 + i % 26) * (1 + i // 26)}")
    found = door.found()
    assert {one.rule.id for one in found} == {"logins-failing"}
    assert found[0].entity.kind == "endpoint"
    assert found[0].numbers.baseline < 0.01


def test_an_endpoint_at_which_much_always_fails_is_as_usual():
    door = Door()
    for i in range(900):
        (door.fail if i % 2 else door.well)(3 * i, i, f"10.1.{i % 200}.1", f"Agent {i}")
    found = [one for one in door.found() if one.now > door.rows[300]["now"][0]]
    assert found == []


def test_basic_credentials_that_are_fine_are_no_logins():
    door = Door()
    for i in range(20):
        door.fail(5 * i, i)
        door.well(5 * i + 1, 500 + i)
        door.rows[-1]["auth_scheme"] = door.pool.code("basic")
    assert door.rules() == {"password-spraying"}


@kernel
def _distinct(bitmaps: U64s, minus: int) -> int:
    return distinct(bitmaps, 0, minus)


@given(st.sets(st.integers(0, 511), max_size=120), st.sets(st.integers(0, 511), max_size=60))
def test_the_count_of_accounts_is_nearly_right(failed, well):
    bitmaps = np.zeros(WORDS, np.uint64)
    for base, bits in ((0, failed), (8, well)):
        for bit in bits:
            bitmaps[base + bit // 64] |= np.uint64(1 << bit % 64)
    left = len(failed - well)
    assert abs(_distinct(bitmaps, 8) - left) <= 1 + left * left / 800


@pytest.mark.parametrize("name", ["01a-benign", "06-hydra", "15a-error-spike"])
def test_real_traffic_without_spraying_is_quiet(name):
    rules = {"password-spraying", "password-spraying-distributed", "logins-failing"}
    assert [alert["rule_id"] for alert in real_alerts(name) if alert["rule_id"] in rules] == []
