"""Guessed tokens: many that are refused; stale ones of a program, and offices whose tokens ran out, are none."""

from __future__ import annotations

from typing import Any

import pytest

from sensor.schema import TransactionFlag
from tests.detection.tables import join, real_alerts, run_transactions
from tests.detection.watched import Watched

CLIENT = "10.0.0.66"


class Wire(Watched):
    detector = "token_guessing"

    def ask(self, seconds: float, user: int, status: int = 401, client: str = CLIENT, **columns: Any) -> Wire:
        self.add(seconds, client, **{"user": user, "status_code": status, **columns})
        return self

    def guess(self, tokens: int, step: float = 2.0, start: float = 100.0) -> Wire:
        for number in range(tokens):
            self.ask(start + step * number, 0x9000 + number)
        return self


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_many_tokens_that_are_refused(batch: int) -> None:
    hits = Wire().ask(1, 5, 200, "10.0.0.1").guess(20).found(batch)
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("token-guessing", CLIENT)}
    assert (hits[0].numbers.observed, hits[-1].numbers.observed) == (15, 20)


def test_many_keys_that_are_forbidden() -> None:
    for scheme, told in (("api-key", True), ("bearer", False)):
        wire = Wire()
        for number in range(20):
            wire.ask(100 + number, 0x9000 + number, 403, auth_scheme=scheme)
        assert bool(wire.found()) is told


AWAY = {"status_code": 302, "auth_scheme": "cookie", "flags": 3 | TransactionFlag.LOGIN_FAILED}


def test_many_cookies_that_are_sent_to_the_login() -> None:
    wire = Wire()
    for number in range(20):
        wire.ask(100 + number, 0x9000 + number, **AWAY)
    assert {(hit.rule.id, hit.entity.value) for hit in wire.found()} == {("token-guessing", CLIENT)}


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_cookies_that_the_server_handed_out_are_no_guesses(batch: int) -> None:
    wire = Wire()
    for number in range(60):
        wire.ask(100 + number, 0, 200, issued=0x9000 + number).ask(100.5 + number, 0x9000 + number, **AWAY)
    assert wire.found(batch) == []


def test_one_stale_token_again_and_again() -> None:
    wire = Wire()
    for turn in range(500):
        wire.ask(turn, 0x77 + turn % 3)
    assert wire.found() == []


@pytest.mark.parametrize("batch", [1, 1 << 30])
def test_an_office_whose_tokens_ran_out(batch: int) -> None:
    wire = Wire()
    for who in range(40):
        wire.ask(who, 0x100 + who, 200).ask(100 + who, 0x100 + who).ask(150 + who, 0x200 + who, 200)
    assert wire.found(batch) == []


def test_guesses_that_are_few_or_old() -> None:
    assert Wire().guess(14).found() == []
    assert Wire().guess(60, step=100).found() == []


def test_the_first_that_is_served_is_none_of_them() -> None:
    wire = Wire().guess(15)
    wire.ask(120.5, 0x9003, 200)
    assert wire.found() == []


def test_passwords_are_the_business_of_others() -> None:
    wire = Wire()
    for number in range(60):
        wire.ask(number, 0x9000 + number, endpoint="/x", auth_scheme="basic", flags=3 | 16)
    assert wire.found() == []


def test_a_restart_costs_nothing() -> None:
    wire = Wire().guess(20)
    assert wire.restarted(10) == wire.found()
    assert not wire.stage().memories["detection.token_guessing"].restore({})


def test_what_is_remembered_is_bounded() -> None:
    wire = Wire(clients_max=8)
    for number in range(40):
        wire.ask(number, 5, 401, f"10.0.9.{number}")
    stage = wire.stage()
    assert run_transactions(stage, join(wire.rows)) == []
    assert stage.detectors["token_guessing"].evicted == 32


def test_real_traffic_has_none() -> None:
    assert "token-guessing" not in {alert["rule_id"] for alert in real_alerts("01a-benign")}
