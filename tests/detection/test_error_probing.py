"""Provoked errors: ever other requests that fail; a fault in a program, an outage, a clock in a target are none."""

from __future__ import annotations

import random

import pytest

from tests.detection.tables import real_alerts, run_transactions
from tests.detection.watched import Watched

CLIENT = "10.0.0.66"


class Wire(Watched):
    detector = "error_probing"

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        for number in range(100):  # what others do
            self.add(2 * number, f"10.0.0.{number % 5}", uri=f"/orders?page={number}", endpoint="/orders")

    def ask(self, seconds: float, target: str, status: int, client: str = CLIENT, **columns: object) -> Wire:
        endpoint = target.partition("?")[0]
        self.add(seconds, client, uri=target, endpoint=endpoint, status_code=status, **columns)
        return self

    def fuzz(self, status: int, count: int = 40, seed: int = 3, client: str = CLIENT) -> Wire:
        chance = random.Random(seed)
        for number in range(count):
            word = f"{chance.getrandbits(4 * chance.randrange(1, 20)):x}"
            self.ask(100 + 2 * number, f"/orders?sort={word}", status, client)
        return self


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
@pytest.mark.parametrize("status", [400, 422, 500])
def test_values_of_all_kinds_until_something_breaks(status: int, batch: int) -> None:
    hits = Wire().fuzz(status).found(batch)
    assert hits[0].numbers.observed == 20
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("error-probing", CLIENT)}
    assert hits[0].details["share_of_requests"] == 1.0


def test_bodies_to_several_endpoints() -> None:
    wire = Wire()
    for number in range(40):
        target = f"/{('orders', 'users', 'carts')[number % 3]}"
        wire.ask(100 + number, target, 400, method="POST", request_body_len=50 + 7 * number)
    assert {hit.entity.value for hit in wire.found()} == {CLIENT}


def test_one_import_whose_records_are_refused() -> None:
    wire = Wire()
    for number in range(60):
        wire.ask(100 + number, "/orders", 422, method="POST", request_body_len=50 + 7 * number)
    assert wire.found() == []


def test_one_request_that_fails_again_and_again() -> None:
    wire = Wire()
    for number in range(200):
        wire.ask(100 + number, f"/orders?sort={number % 3}", 500)
    assert wire.found() == []


def test_a_program_whose_time_is_written_in_the_wrong_way() -> None:
    wire = Wire()
    for number in range(100):
        wire.ask(100 + 5 * number, f"/orders?since={1_795_250_000 + 5 * number}", 400)
    assert wire.found() == []


def test_numbers_of_one_length_in_any_order() -> None:
    wire = Wire()
    for number, value in enumerate(random.Random(5).sample(range(10_000, 99_999), 40)):
        wire.ask(100 + number, f"/orders?sort={value}", 400)
    assert {hit.entity.value for hit in wire.found()} == {CLIENT}


def test_an_outage_of_the_server() -> None:
    wire = Wire()
    for who in range(6):
        wire.fuzz(500, 30, who, f"10.0.0.{who}")
    assert wire.found() == []


def test_an_outage_of_the_server_hits_a_large_office_most() -> None:
    wire = Wire().fuzz(500, 200)
    for who in range(4):
        wire.fuzz(500, 30, who, f"10.0.0.{who}")
    assert wire.found() == []


def test_others_who_mistype_now_and_then_do_not_hide_it() -> None:
    wire = Wire().fuzz(400, 60)
    for who in range(6):
        wire.ask(90 + 10 * who, f"/orders?sort={who}", 400, f"10.0.0.{who}")
    assert {hit.entity.value for hit in wire.found()} == {CLIENT}


def test_an_office_with_some_errors_among_much_else() -> None:
    wire = Wire().fuzz(400)
    for number in range(400):
        wire.ask(100 + number / 5, f"/orders?page={number}", 200)
    assert wire.found() == []


@pytest.mark.parametrize("batch", [13, 1 << 30])
def test_a_flood_is_looked_at_within_a_budget_that_does_not_depend_on_batches(batch: int) -> None:
    wire = Wire()
    for number in range(6_000):
        wire.ask(200 + number / 1_000, "/orders?sort=1", 500)
    stage = wire.stage()
    assert run_transactions(stage, wire.sorted(), batch) == []
    assert stage.detectors["error_probing"].evicted == pytest.approx(6_000 - (2_000 + 6_000 / 40 + 6 * 50), abs=2)


def test_a_restart_costs_nothing() -> None:
    wire = Wire().fuzz(500)
    assert wire.restarted(115) == wire.found()
    assert not wire.stage().memories["detection.error_probing"].restore({})


@pytest.mark.parametrize("name", ["01a-benign", "15a-error-spike"])
def test_real_traffic_has_none(name: str) -> None:
    assert "error-probing" not in {alert["rule_id"] for alert in real_alerts(name)}
