"""Request rates: limits that were set, and surges above one's own average; bursts and growing use are none."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from sensor.alert import Detection
from sensor.config import DetectionSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import Pool, join, run_transactions, transaction

CLIENT = "10.0.0.9"


def found(rows: list[np.ndarray], pool: Pool, batch: int = 1 << 30, **settings: Any) -> list[Detection]:
    others: dict[str, Any] = {name: {"enabled": False} for name in DetectionSettings.__struct_fields__}
    others["request_rate"] = settings
    stage = DetectionStage(msgspec.convert(others, DetectionSettings), pool)
    last = transaction(pool, 20_000, "10.0.0.250", endpoint="/quiet", uri="/quiet")
    return run_transactions(stage, join([*sorted(rows, key=lambda row: row["now"][0]), last]), batch)


def requests(pool: Pool, start: int, minutes: int, each: int) -> list[np.ndarray]:
    """So many requests in each minute from minute `start` on."""
    return [
        transaction(pool, 60 * (start + minute) + 59 * n / each, CLIENT, uri=f"/things/{n}")
        for minute in range(minutes)
        for n in range(each)
    ]


@pytest.mark.parametrize("batch", [7, 1 << 30])
def test_a_limit_that_was_set(batch: int) -> None:
    pool = Pool()
    hits = found(requests(pool, 0, 5, 90), pool, batch, client_per_minute_max=60, burst_max=100)
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("request-rate-limit", CLIENT)}
    assert hits[0].numbers.threshold == 400
    assert hits[0].numbers.observed > 400
    whole = found(requests(pool, 0, 5, 90), pool, client_per_minute_max=60, burst_max=100)
    assert [(hit.now, hit.numbers, hit.http) for hit in hits] == [(hit.now, hit.numbers, hit.http) for hit in whole]


def test_a_burst_within_the_limit() -> None:
    pool = Pool()
    rows = requests(pool, 0, 5, 60) + requests(pool, 2, 1, 90)
    assert found(rows, pool, client_per_minute_max=60, burst_max=100) == []


def test_without_limits_a_high_rate_is_none() -> None:
    pool = Pool()
    assert found(requests(pool, 0, 10, 400), pool) == []


SMALL = {"surge_per_minute_min": 40, "known_minutes_min": 10}


def test_a_surge_above_ones_own_average() -> None:
    pool = Pool()
    rows = requests(pool, 0, 20, 12) + requests(pool, 20, 8, 60)
    hits = [hit for hit in found(rows, pool, **SMALL) if hit.entity.kind == "client"]
    assert {hit.rule.id for hit in hits} == {"request-rate-surge"}
    assert [hit.details["minutes_above"] for hit in hits] == [5, 6, 7, 8]
    assert hits[-1].numbers.baseline == pytest.approx(12, abs=0.5)


@pytest.mark.parametrize(("minutes", "each"), [(4, 60), (8, 35)])
def test_short_bursts_and_some_more_are_no_surge(minutes: int, each: int) -> None:
    pool = Pool()
    assert found(requests(pool, 0, 20, 12) + requests(pool, 20, minutes, each), pool, **SMALL) == []


def test_who_is_new_has_no_average() -> None:
    pool = Pool()
    assert found(requests(pool, 0, 5, 5) + requests(pool, 5, 4, 60), pool, **SMALL) == []


def crowd(pool: Pool, minutes: int, each: int = 20) -> list[np.ndarray]:
    """Twelve accounts with so many requests a minute."""
    return [
        transaction(pool, 60 * minute + 59 * n / each, f"10.0.1.{person}", user=0x900 + person, uri=f"/things/{n}")
        for person in range(12)
        for minute in range(minutes)
        for n in range(each)
    ]


def rushing(pool: Pool, requests: int, **columns: Any) -> list[np.ndarray]:
    """So many requests within half a minute."""
    return [transaction(pool, 62 + 30 * n / requests, CLIENT, uri=f"/things/{n}", **columns) for n in range(requests)]


@pytest.mark.parametrize("batch", [7, 1 << 30])
def test_an_account_far_above_all_others_in_its_minute(batch: int) -> None:
    pool = Pool()
    hits = found(crowd(pool, 3) + rushing(pool, 320, user=0x77), pool, batch)
    assert [(hit.rule.id, hit.entity.kind, hit.client_ip) for hit in hits] == [
        ("request-rate-outlier", "user", CLIENT)
    ]
    assert (hits[0].numbers.observed, hits[0].numbers.threshold, hits[0].numbers.baseline) == (320, 120, 20)


@pytest.mark.parametrize(
    ("each", "requests", "columns"),
    [
        (20, 250, {"user": 0x77}),  # few in all
        (60, 320, {"user": 0x77}),  # the others make many as well
        (40, 400, {}),  # an address without credentials may be a NAT
    ],
)
def test_who_does_not_stand_out(each: int, requests: int, columns: dict[str, Any]) -> None:
    pool = Pool()
    assert found(crowd(pool, 3, each) + rushing(pool, requests, **columns), pool) == []


def test_an_address_that_stands_out_is_told_of_as_a_client() -> None:
    pool = Pool()
    hits = found(crowd(pool, 3) + rushing(pool, 400), pool)
    assert [(hit.rule.id, hit.entity.kind, hit.entity.value) for hit in hits] == [
        ("request-rate-outlier", "client", CLIENT)
    ]


def test_alone_nobody_stands_out() -> None:
    pool = Pool()
    assert found(rushing(pool, 2_000, user=0x77), pool) == []


@pytest.mark.parametrize("batch", [7, 1 << 30])
def test_going_on_while_the_answer_is_429(batch: int) -> None:
    pool = Pool()
    hits = found(rushing(pool, 40, user=0x77, status_code=429), pool, batch)
    assert [(hit.rule.id, hit.numbers.observed, hit.client_ip) for hit in hits] == [("rate-limit-ignored", 40, CLIENT)]
    assert found(rushing(pool, 25, user=0x77, status_code=429), pool, batch) == []  # slows down when told


def test_a_limiter_that_refuses_everybody_is_nobody_s_fault() -> None:
    pool = Pool()
    many = [
        transaction(pool, second, f"10.0.3.{who}", user=500 + who, status_code=429)
        for who in range(8) for second in range(8 * who, 8 * who + 22 + 3 * who)
    ]  # fmt: skip
    assert found(sorted(many, key=lambda row: int(row["now"][0])), pool) == []
