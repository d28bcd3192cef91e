"""Paths that nobody asked for before: guessed ones that all get one answer, and names opened one after the other; site
visits, crawlers, pages of people's own and catalogues are none.
"""

from __future__ import annotations

import random

import pytest

from tests.detection.tables import real_alerts, run_transactions
from tests.detection.watched import Watched

CLIENT = "10.0.0.66"
FRONT = {"status_code": 200, "response_body_len": 612}
LOGIN = {"status_code": 302, "response_body_len": 0}


class Wire(Watched):
    detector = "novel_paths"

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.add(0, "10.0.0.1")

    def ask(self, seconds: float, path: str, client: str = CLIENT, **columns: object) -> Wire:
        self.add(seconds, client, endpoint=path, uri=path, **columns)
        return self

    def guess(self, answer: dict, count: int = 60, start: float = 100, **columns: object) -> Wire:
        for number in range(count):
            self.ask(start + 2 * number, f"/guess{number}.bak", **(answer | columns))
        return self

    def opens(self, who: int, names: int, start: float = 100, role: int = 7) -> Wire:
        for number in range(names):
            self.ask(
                start + number, f"/profiles/p{who}.name{chr(97 + number % 26)}{number}", f"10.0.1.{who}", role=role,
                user=0x500 + who, subject=0x500 + who, response_content_type="application/json",
                response_body_len=100 + number,
            )  # fmt: skip
        return self


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
@pytest.mark.parametrize("answer", [FRONT, LOGIN])
def test_guessed_paths_that_all_get_one_answer(batch: int, answer: dict) -> None:
    hits = Wire().guess(answer).found(batch)
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("path-probing", CLIENT)}
    assert (hits[0].numbers.observed, hits[-1].numbers.observed) == (30, 58)


def test_a_site_whose_pages_differ() -> None:
    wire = Wire()
    for number in range(80):
        wire.ask(100 + number, f"/page{number}", response_body_len=500 + 13 * number)
    assert wire.found() == []


def test_paths_that_others_ask_for_too() -> None:
    wire = Wire()
    for number in range(80):
        wire.ask(70 + number / 10, f"/guess{number}.bak", f"10.0.2.{number}", **FRONT)
    assert wire.guess(FRONT).found() == []


def test_what_is_asked_for_in_the_first_minute_is_only_learned() -> None:
    assert Wire().guess(FRONT, 29, 1).found() == []


def test_a_crawler_that_says_so() -> None:
    assert Wire().guess(FRONT, user_agent="Mozilla/5.0 (compatible; Googlebot/2.1)").found() == []


@pytest.mark.parametrize(
    "given", [{"method": "PUT"}, {"method": "HEAD"}, {"status_code": 304, "response_body_len": 0}, {"status_code": 204}]
)
def test_files_that_are_stored_or_looked_for_or_are_known_already(given: dict) -> None:
    assert Wire().guess(FRONT, **given).found() == []


def test_a_server_that_sends_everybody_elsewhere() -> None:
    wire = Wire().guess(LOGIN)
    for who in range(4):
        for number in range(3):
            wire.ask(90 + number, f"/old/{who}-{number}", f"10.0.3.{who}", **LOGIN)
    assert wire.found() == []


def test_an_office_that_does_much_else() -> None:
    wire = Wire().guess(FRONT)
    for number in range(300):
        wire.ask(100 + number / 3, "/orders", **FRONT)
    assert wire.found() == []


@pytest.mark.parametrize("batch", [1, 1 << 30])
def test_names_opened_one_after_the_other(batch: int) -> None:
    wire = Wire()
    for who in range(12):
        wire.opens(who, 1 + who % 2, 70)
    hits = wire.opens(60, 40, 200).found(batch)
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("names-opened", f"{0x500 + 60:016x}")}
    assert (hits[0].numbers.observed, hits[0].details["peers"]) == (25, 12)


def test_an_agent_has_a_role_of_its_own() -> None:
    wire = Wire()
    for who in range(12):
        wire.opens(who, 1, 70)
    assert wire.opens(60, 40, 200, role=9).found() == []


def test_a_catalogue_that_everybody_leafs_through() -> None:
    wire, chance = Wire(), random.Random(3)
    for who in range(12):
        wire.opens(who, chance.randrange(4, 15), 70)
    assert wire.opens(60, 40, 200).found() == []


def test_a_restart_costs_nothing() -> None:
    wire = Wire().guess(FRONT)
    for who in range(12):
        wire.opens(who, 1, 70)
    wire.opens(60, 40, 300)
    assert wire.restarted(35) == wire.restarted(90) == wire.found() != []
    assert not wire.stage().memories["detection.novel_paths"].restore({})


def test_what_is_remembered_is_bounded() -> None:
    wire = Wire(paths_max=10, clients_max=4).guess(FRONT)
    stage = wire.stage()
    assert run_transactions(stage, wire.sorted()) != []
    assert stage.detectors["novel_paths"].evicted == 51


@pytest.mark.parametrize("name", ["01a-benign", "15a-error-spike"])
def test_real_traffic_has_none(name: str) -> None:
    assert not {"path-probing", "names-opened"} & {alert["rule_id"] for alert in real_alerts(name)}


def test_of_a_flood_of_new_paths_only_so_many_are_looked_at() -> None:
    wire = Wire()
    for number in range(4_000):
        wire.ask(100 + number / 1_000, f"/flood{number}", f"10.1.{number // 250}.{number % 250}")
    stage = wire.stage()
    run_transactions(stage, wire.sorted())
    assert 1_500 <= stage.detectors["novel_paths"].evicted <= 2_100
