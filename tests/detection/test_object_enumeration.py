"""Object enumeration: walks of any pace and order are found, and those whose work is to read many objects are not."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import kernel
from sensor.alert import Severity
from sensor.config import ObjectEnumerationSettings
from sensor.detection.detectors.object_enumeration_cohorts_kernel import bin_of
from sensor.detection.detectors.object_enumeration_kernel import estimate
from sensor.detection.stage import DetectionStage
from tests.detection.tables import Pool, alone, features_of, join, real_alerts, run_transactions, transaction

USER, AGENT, PARTNER = 0x11, 0x22, 0x33
DAY = 86_400


class Shop:
    """Forty customers who read their own record now and then, and whoever else a test lets in."""

    def __init__(self, customers: int = 40, role: int = USER) -> None:
        self.pool = Pool()
        self.rows: list[tuple[float, np.ndarray]] = []
        for i in range(customers):
            for turn in range(3):
                self.read(turn * 20 + i * 0.1, 0x1000 + i, 500 + i, role)

    def read(self, seconds: float, who: int, number: int, role: int = USER, status: int = 200, **given: Any) -> Shop:
        values = {
            "user": who, "subject": who, "role": role, "object_id": number * 0x9E3779B97F4A7C15 % 2**63 | 1,
            "object_number": number, "status_code": status, "endpoint": "/users/{id}",
        } | given  # fmt: skip
        self.rows.append((seconds, transaction(self.pool, seconds, f"10.0.{who % 250}.7", **values)))
        return self

    def found(self, batch: int = 1 << 30, **settings: Any) -> list[Any]:
        rows = join([row for _, row in sorted(self.rows, key=lambda pair: pair[0])])
        given = ObjectEnumerationSettings(cohorts_max=64, **settings)
        self.stage = DetectionStage(alone(object_enumeration=given), self.pool)
        return run_transactions(self.stage, rows, batch)


@pytest.mark.parametrize("gap", [0.05, 3.0, 600.0])
def test_a_customer_who_walks_through_the_records_of_others(gap):
    shop = Shop()
    for i in range(60):
        shop.read(100 + gap * i, 0xBAD, 1 + i)
    found = shop.found()
    assert {one.entity.value for one in found} == {f"{0xBAD:016x}"}
    assert (found[0].numbers.observed, found[0].numbers.threshold, found[0].numbers.baseline) == (12, 12, 1)
    assert found[0].rule.id == "object-enumeration"
    assert found[0].severity is None
    assert found[0].details["in_sequence"] > 0.9
    assert found[0].details["peers"] == 40


def test_in_any_order_and_from_many_addresses():
    shop = Shop()
    for i, number in enumerate(random.Random(3).sample(range(10_000), 40)):
        shop.read(100 + 30 * i, 0xBAD, number)
    found = shop.found()
    assert {one.entity.kind for one in found} == {"user"}
    assert found[0].details["in_sequence"] < 0.1


@pytest.mark.parametrize("batch", [1, 17])
def test_batches_make_no_difference(batch):
    shop = Shop()
    for i in range(60):
        shop.read(100 + i, 0xBAD, 1 + i)
    assert shop.found(batch) == shop.found()


def test_the_same_objects_again_and_again_are_quiet():
    shop = Shop()
    for i in range(500):
        shop.read(100 + i, 0x1001, 500 + i % 10)
    assert shop.found() == []


def test_a_support_agent_is_no_customer():
    shop = Shop()
    for i, number in enumerate(random.Random(3).sample(range(10_000), 400)):
        shop.read(30 + 3 * i, 0xA6, number, AGENT)
    assert shop.found() == []


def test_a_partner_who_reads_its_own_range_in_order_is_no_customer():
    shop = Shop()
    for i in range(400):
        shop.read(30 + 1.5 * i, 0xAA, 7_000 + i, PARTNER)
    assert shop.found() == []


def test_a_partner_who_is_suddenly_far_faster_is_found():
    shop = Shop()
    for i in range(400):
        shop.read(30 + 1.5 * i, 0xAA, 7_000 + i, PARTNER)
    for i in range(600):
        shop.read(700 + 0.05 * i, 0xAA, 8_000 + i, PARTNER)
    found = shop.found()
    assert {one.severity for one in found} == {Severity.MEDIUM}
    assert found[0].numbers.unit == "new objects a minute"


@pytest.mark.parametrize(("method", "told"), [("GET", True), ("PUT", False), ("DELETE", True)])
def test_who_stores_objects_of_his_own_ids_with_nobody_to_compare_reads_none(method, told):
    shop = Shop(0)
    for i, number in enumerate(random.Random(5).sample(range(1_000_000), 1_400)):
        seconds = 1.5 * i if i < 400 else 700 + 0.05 * i
        shop.read(seconds, 0xAA, number, method=method, endpoint="/files/{id}")
    assert bool(shop.found()) == told


def test_where_everybody_reads_much_much_is_usual():
    shop = Shop(0)
    for i in range(20):
        for n in range(30):
            shop.read(10 + n * 5 + i * 0.1, 0x1000 + i, 100 * i + n)
    for n in range(100):
        shop.read(60 + n, 0xBEE, 5_000 + 3 * n)
    assert shop.found() == []


@pytest.mark.parametrize("order", [True, False])
def test_an_endpoint_that_nobody_else_uses_is_compared_with_what_others_read_anywhere(order):
    shop = Shop()
    numbers = range(1, 40) if order else random.Random(3).sample(range(10_000), 40)
    for i, number in enumerate(numbers):
        shop.read(100 + 20 * i, 0xBAD, number, endpoint="/legacy/{id}")
    found = shop.found()
    assert {(one.entity.value, one.severity) for one in found} == {(f"{0xBAD:016x}", Severity.MEDIUM)}
    assert "hardly anyone" in found[0].details["compared_with"]
    assert found[0].details["peers"] == 40


@pytest.mark.parametrize("role", [AGENT, 0])
def test_somebody_whose_work_it_is_has_a_role_of_his_own_or_none(role):
    shop = Shop()
    for i, number in enumerate(random.Random(3).sample(range(10_000), 60)):
        shop.read(100 + 20 * i, 0xA6E, number, role, endpoint="/legacy/{id}")
    assert shop.found() == []


def test_who_stores_files_under_ids_of_his_own_where_nobody_else_does():
    shop = Shop()
    for i, number in enumerate(random.Random(3).sample(range(10_000), 60)):
        shop.read(100 + 20 * i, 0xBAD, number, endpoint="/files/{id}", method="PUT")
    assert shop.found() == []


def test_without_roles_it_takes_an_order_or_more():
    for step, rules in ((1, 1), (97, 0)):
        shop = Shop(role=0)
        for i in range(60):
            shop.read(100 + 4 * i, 0xBAD, 1 + step * i, 0)
        assert (len(shop.found()) > 0) == (rules > 0), step


def test_or_without_roles_a_pace_that_no_person_has():
    shop = Shop(role=0)
    for i, number in enumerate(random.Random(3).sample(range(10_000), 120)):
        shop.read(100 + i, 0xBAD, number, 0)
    found = shop.found()
    assert {one.severity for one in found} == {Severity.MEDIUM}
    assert (found[0].numbers.observed, found[0].numbers.threshold) == (48, 48)


def test_objects_that_a_list_has_named_are_no_theft_however_fast():
    shop = Shop(role=0)
    numbers = random.Random(3).sample(range(10_000), 120)
    shop.rows.append((90, transaction(shop.pool, 90, user=0xBAD, subject=0xBAD, endpoint="/users", records=120)))
    for i, number in enumerate(numbers):
        shop.read(100 + i, 0xBAD, number, 0)
    assert shop.found() == []
    for i in range(300):
        shop.read(300 + i, 0xBAD, 20_000 + 97 * i, 0)
    assert shop.found() != []


@pytest.mark.parametrize(("who", "given"), [
    ("a cookie", {}),
    ("an opaque token that an answer tied to an account", {"subject": 0xBAD}),
    ("no credential at all", {"user": 0}),
])  # fmt: skip
@pytest.mark.parametrize("gap", [1.5, 20.0])
def test_who_comes_without_a_role_where_all_others_have_one(who, given, gap):
    shop = Shop()
    for i, number in enumerate(random.Random(3).sample(range(10_000), 60)):
        shop.read(100 + gap * i, 0xBAD, number, 0, **{"subject": 0} | given)
    found = shop.found()
    assert {one.client_ip for one in found} == {f"10.0.{0xBAD % 250}.7"}, who
    assert found[0].severity == Severity.MEDIUM
    assert (found[0].details["peers"], found[0].details["role_known"]) == (40, False)


def test_a_program_with_a_key_that_was_at_work_when_watching_began_is_quiet():
    shop = Shop()
    for i in range(60):
        shop.read(1 + 2 * i, 0xBEE, 1_000 + i, 0, subject=0)
    assert shop.found() == []


def test_a_crawler_of_what_anonymous_visitors_read_too_is_quiet():
    shop = Shop()
    for i in range(6):
        for turn in range(3):
            shop.read(5 + turn * 20 + i, 0x2000 + i, 500 + i + turn, 0, user=0, subject=0)
    for i, number in enumerate(random.Random(3).sample(range(10_000), 100)):
        shop.read(100 + 2 * i, 0xBEE, number, 0, user=0, subject=0)
    assert shop.found() == []


def test_a_job_that_opens_what_a_list_gave_it_is_quiet_without_a_role():
    shop = Shop()
    shop.rows.append((90, transaction(shop.pool, 90, user=0xBEE, endpoint="/users", records=60)))
    for i, number in enumerate(random.Random(3).sample(range(10_000), 60)):
        shop.read(100 + i, 0xBEE, number, 0, subject=0)
    assert shop.found() == []


def test_programs_that_open_all_of_a_list_are_like_one_another():
    """Each of many pages asks for fifty objects at once: one who opens four of them is no thief."""
    shop = Shop(0)
    for who in range(20):
        for n in range(50):
            shop.read(10 + 30 * who + n * 0.1, 0x1000 + who, 1_000 * who + 7 * n, 0)
    for n in range(200):
        shop.read(700 + 60 * (n // 50) + n * 0.1, 0xBEE, 50_000 + 7 * n, 0)
    assert shop.found() == []


@pytest.mark.parametrize("status", [403, 404])
def test_who_is_refused_one_object_after_the_other_is_probing(status):
    shop = Shop()
    for i in range(40):
        shop.read(100 + i, 0xBAD, 1 + i, status=status)
    found = shop.found()
    assert (found[0].severity, found[0].numbers.unit) == (Severity.MEDIUM, "different objects refused")


def test_who_looks_whether_what_it_deleted_is_gone_is_quiet():
    shop = Shop()
    for i in range(40):
        shop.read(100 + 2 * i, 0x1001, 900 + 7 * i, AGENT).read(101 + 2 * i, 0x1001, 900 + 7 * i, AGENT, status=404)
    assert shop.found() == []


def test_a_tester_who_is_refused_much_all_day_long_is_quiet():
    shop = Shop()
    for i in range(200):
        shop.read(100 + 120 * i, 0x1001, 900 + i, status=404)
    assert shop.found() == []


def test_a_few_dead_links_among_many_objects_are_quiet():
    shop = Shop()
    for i in range(12):
        shop.read(100 + i, 0x1001, 900 + i, status=404)
    assert shop.found() == []


def test_each_day_begins_anew_and_a_habit_is_known():
    shop = Shop()
    for day in range(4):
        for i in range(10):
            shop.read(100 + day * DAY + i * 60, 0x1001, 1_000 * day + i)
    assert shop.found() == []


def test_before_the_others_are_known_nobody_is_judged():
    shop = Shop(5)
    for i in range(60):
        shop.read(20 + 0.2 * i, 0xBAD, 1 + i)
    assert shop.found() == []


def test_memory_outlives_a_restart():
    first = Shop()
    for i in range(8):
        first.read(100 + i, 0xBAD, 1 + i)
    assert first.found() == []
    saved = {name: array.copy() for name, array in first.stage.memories["detection.object_enumeration"].state().items()}
    second = Shop(0)
    second.pool = first.pool
    for i in range(8, 16):
        second.read(100 + i, 0xBAD, 1 + i)
    assert second.found() == []
    settings = alone(object_enumeration=ObjectEnumerationSettings(cohorts_max=64))
    stage = DetectionStage(settings, second.pool)
    assert stage.memories["detection.object_enumeration"].restore(saved)
    assert features_of(stage).restore(features_of(first.stage).state())
    found = run_transactions(stage, join([row for _, row in second.rows]))
    assert found[0].numbers.observed == 12


@kernel
def _estimate(bits: int, size: int) -> int:
    return estimate(bits, size)


@kernel
def _bin(count: int) -> int:
    return bin_of(count)


@given(st.integers(1, 2_000), st.integers(0, 2**32))
def test_the_count_of_objects_is_nearly_right(count, seed):
    bits = len({random.Random(seed + i).randrange(1_024) for i in range(count)})
    assert abs(_estimate(bits, 1_024) - count) <= 3 + 0.15 * count


@pytest.mark.parametrize(("count", "number"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1 << 20, 15)])
def test_bins_are_powers_of_two(count, number):
    assert _bin(count) == number


@pytest.mark.parametrize(
    ("name", "who"), [("08a-bola-fast", {"10.60.9.8"}), ("01a-benign", set()), ("13-stolen-token", set())]
)
def test_real_traffic(name, who):
    alerts = [alert for alert in real_alerts(name) if alert["rule_id"] == "object-enumeration"]
    assert {alert["client_ip"] for alert in alerts} == who
