"""Probing for virtual hosts: names that a server does not know; tenants, browsing and typing errors are none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.detection.tables import join, real_alerts, run_transactions
from tests.detection.watched import Watched

CLIENT = "10.0.0.66"
REFUSED = {"status_code": 404, "response_body_len": 24}
FRONT = {"status_code": 200, "response_body_len": 612, "endpoint": "/", "uri": "/"}


class Wire(Watched):
    detector = "vhost_probing"

    def ask(self, seconds: float, host: str, client: str = CLIENT, **columns: Any) -> Wire:
        self.add(seconds, client, host=host, **columns)
        return self

    def names(self, count: int, step: float = 1.0, **columns: Any) -> Wire:
        for number in range(count):
            self.ask(10 + step * number, f"name{number}.shop.test", **columns)
        return self


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
@pytest.mark.parametrize("answer", [REFUSED, FRONT, {"status_code": 421}])
def test_names_that_the_server_does_not_know(batch: int, answer: dict[str, Any]) -> None:
    hits = Wire().ask(1, "api.shop.test", "10.0.0.1").names(30, **answer).found(batch)
    assert {(hit.rule.id, hit.entity.value) for hit in hits} == {("vhost-probing", CLIENT)}
    assert (hits[0].numbers.observed, hits[-1].numbers.observed) == (20, 30)
    assert hits[0].details["usual_status"] == answer["status_code"]
    assert hits[0].details["names"][-1] == "name19.shop.test"


def test_one_name_every_two_minutes() -> None:
    hits = Wire().names(30, 120, **REFUSED).found()
    assert {(hit.entity.value, hit.run) for hit in hits} == {(CLIENT, hits[0].run)}


def test_a_gateway_that_asks_for_many_tenants() -> None:
    wire = Wire()
    for number in range(60):
        wire.ask(number, f"tenant{number}.saas.test", response_body_len=900 + 7 * number, endpoint="/", uri="/")
    assert wire.found() == []


def test_a_monitor_that_looks_at_the_health_of_many_tenants() -> None:
    assert Wire().names(60, response_body_len=15, endpoint="/healthz", uri="/healthz").found() == []


def test_names_that_somebody_else_uses() -> None:
    wire = Wire()
    for number in range(60):
        wire.ask(number / 10, f"name{number}.shop.test", "10.0.0.1", response_body_len=number)
    assert wire.names(60, **REFUSED).found() == []


def test_few_names_and_old_ones() -> None:
    assert Wire().names(15, **REFUSED).found() == []
    assert Wire().names(60, 400, **REFUSED).found() == []


def test_ports_and_case_make_no_name() -> None:
    wire = Wire()
    for number in range(60):
        wire.ask(number, f"{'API' if number % 2 else 'api'}.shop.test:{8000 + number}", **REFUSED)
    assert wire.found() == []


def test_a_restart_costs_nothing() -> None:
    wire = Wire().names(30, **REFUSED)
    assert wire.restarted(12) == wire.found()
    assert not wire.stage().memories["detection.vhost_probing"].restore({})


def test_what_is_remembered_is_bounded() -> None:
    wire = Wire(hosts_max=10, clients_max=2, tries_max=4)
    stage = wire.stage()
    for number in range(40):
        wire.ask(number, f"n{number}.shop.test", f"10.0.9.{number}", **REFUSED)
    assert run_transactions(stage, join(wire.rows)) == []
    assert len(stage.memories["detection.vhost_probing"].state()["words"]) < 2_000


@pytest.mark.parametrize("batch", [13, 1 << 30])
def test_a_flood_of_names_is_looked_at_within_a_budget_that_does_not_depend_on_batches(batch: int) -> None:
    wire = Wire().names(6_000, 0.001, response_body_len=7, endpoint="/a", uri="/a")
    stage = wire.stage()
    assert run_transactions(stage, join(wire.rows), batch) == []
    assert stage.detectors["vhost_probing"].evicted == pytest.approx(6_000 - (2_000 + 6_000 / 40 + 6 * 50), abs=2)


def test_real_traffic_has_none() -> None:
    assert "vhost-probing" not in {alert["rule_id"] for alert in real_alerts("01a-benign")}
