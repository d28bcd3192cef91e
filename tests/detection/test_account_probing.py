"""Which accounts exist: many names asked about by one client, whose answers differ; offices, gateways, forms that ask
letter by letter and questions about products are none.
"""

from __future__ import annotations

import random

import pytest

from tests.detection.tables import real_alerts, run_transactions
from tests.detection.watched import Watched

CLIENT = "10.0.0.66"
FORGOT, FREE = "/api/v1/password/forgot", "/api/username-available"


class Wire(Watched):
    detector = "account_probing"

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.chance = random.Random(7)

    def forgot(self, seconds: float, name: int, status: int = 200, size: int = 20, client: str = CLIENT) -> Wire:
        self.add(
            seconds, client, method="POST", endpoint=FORGOT, uri=FORGOT, account=0x77_0000 + name, status_code=status,
            response_body_len=size, request_body_len=self.chance.randrange(20, 60),
        )  # fmt: skip
        return self

    def free(self, seconds: float, name: str, taken: bool, endpoint: str = FREE, key: str = "username") -> Wire:
        target = f"{endpoint}?{key}={name}"
        self.add(seconds, CLIENT, endpoint=endpoint, uri=target, response_body_len=20 + taken)
        return self

    def browsing(self, requests: int, span: float) -> Wire:
        for number in range(requests):
            self.add(100 + number * span / requests, CLIENT, uri=f"/orders?page={number}")
        return self


def who(hits: list) -> set[tuple[str, str]]:
    return {(hit.rule.id, hit.entity.value) for hit in hits}


FOUND = {("account-enumeration", CLIENT)}


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
@pytest.mark.parametrize(("status", "size"), [(404, 20), (200, 44), (409, 20)])
def test_names_of_which_some_are_not_there(batch: int, status: int, size: int) -> None:
    wire = Wire()
    for name in range(40):
        wire.forgot(100 + 5 * name, name, *((200, 20) if name % 4 == 0 else (status, size)))
    hits = wire.found(batch)
    assert who(hits) == FOUND
    assert hits[0].numbers.observed == 20


def test_one_name_every_ten_minutes() -> None:
    wire = Wire()
    for name in range(100):
        wire.forgot(100 + 600 * name, name, 404)
    assert next((hit.numbers.unit, hit.numbers.observed) for hit in wire.found()) == ("names of accounts", 60)


def test_is_this_name_free() -> None:
    wire = Wire()
    for number in range(30):
        name = f"{wire.chance.getrandbits(4 * wire.chance.randrange(4, 12)):x}"
        wire.free(100 + 2 * number, name, number % 5 == 0)
    assert who(wire.found()) == FOUND


def test_somebody_types_a_name_and_the_page_asks_at_each_letter() -> None:
    wire = Wire()
    for number in range(30):
        wire.free(100 + number / 4, "alexandra.winterbottom-the-third"[: number + 1], number in (3, 4, 5))
    assert wire.found() == []


@pytest.mark.parametrize(("names", "user", "told"), [(35, 0, False), (60, 0, True), (60, 0x77, False)])
def test_of_answers_that_are_all_alike_twice_as_many(names: int, user: int, told: bool) -> None:
    """By who shows no credential: a service that sends invitations has one."""
    wire = Wire()
    for name in range(names):
        wire.forgot(100 + 5 * name, name)
        wire.rows[-1]["user"] = user
    hits = wire.found()
    assert bool(hits) is told
    assert all(hit.numbers.threshold == 40 and hit.details["answers_all_alike"] for hit in hits)


def test_a_gateway_through_which_everybody_comes() -> None:
    wire = Wire().browsing(2_000, 900)
    for name in range(60):
        wire.forgot(100 + 15 * name, name, 404 if name % 2 else 200)
    assert wire.found() == []


def test_many_products_whose_availability_somebody_asks_for() -> None:
    wire = Wire()
    for number in range(60):
        wire.free(100 + 3 * number, str(number), number % 2 == 0, "/products/availability", "sku")
    assert wire.found() == []


def test_the_same_name_again_and_again() -> None:
    wire = Wire()
    for number in range(60):
        wire.forgot(100 + 5 * number, number % 3, 404)
    assert wire.found() == []


def test_who_is_not_let_in_learns_nothing() -> None:
    wire = Wire()
    for name in range(60):
        wire.forgot(100 + 5 * name, name, 429 if name % 2 else 403)
    assert wire.found() == []


def test_a_restart_costs_nothing() -> None:
    wire = Wire()
    for name in range(40):
        wire.forgot(100 + 5 * name, name, 404)
    assert wire.restarted(13) == wire.found()
    assert not wire.stage().memories["detection.account_probing"].restore({})


def test_what_is_remembered_is_bounded() -> None:
    wire = Wire(clients_max=4)
    for name in range(40):
        wire.forgot(100 + 5 * name, name, 404, client=f"10.0.9.{name}")
    stage = wire.stage()
    assert run_transactions(stage, wire.sorted()) == []
    assert stage.detectors["account_probing"].evicted == 36


def test_real_traffic_has_none() -> None:
    assert "account-enumeration" not in {alert["rule_id"] for alert in real_alerts("01a-benign")}
