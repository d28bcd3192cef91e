"""Clients behind one address: a proxy that is not trusted is told of; offices, gateways and small services are not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.detection.watched import Watched

PROXY = "10.0.0.66"


class Wire(Watched):
    detector = "hidden_clients"

    def accounts(self, count: int, client: str = PROXY, first: int = 0, agents: int = 6, **columns: Any) -> Wire:
        for number in range(first, first + count):
            who = {"user": 0x1000 + number, "subject": 0x1000 + number, "user_agent": f"agent {number % agents}"}
            self.add(number, client, **(who | columns))
        return self


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
def test_all_accounts_come_from_one_address(batch: int) -> None:
    hits = Wire().accounts(150).found(batch)
    assert {(hit.rule.id, hit.entity.value, hit.client_ip) for hit in hits} == {
        ("clients-behind-one-address", "10.0.1.1:80", None)
    }
    assert hits[0].details == {"address": PROXY, "share": 1.0, "setting": "protocols.trusted_proxies"}


@pytest.mark.parametrize(
    "quiet",
    [
        lambda wire: wire.accounts(10),  # a small service
        lambda wire: wire.accounts(150, agents=1),  # a gateway that asks on behalf of people
        lambda wire: wire.accounts(150, user=0, subject=0),  # nobody logs in
        lambda wire: wire.accounts(150, user=5, subject=5),  # one account that is busy
    ],
)
def test_others_are_quiet(quiet: Any) -> None:
    assert quiet(Wire()).found() == []


def test_an_office_among_others_is_quiet() -> None:
    wire = Wire().accounts(150)
    for number in range(30):
        wire.accounts(1, f"10.0.3.{number}", 100 + number)
        wire.add(2.5 * number, f"10.0.3.{number}", user=0x5000 + number, subject=0x5000 + number)
    assert wire.found() == []


def test_a_restart_costs_nothing() -> None:
    wire = Wire().accounts(150)
    assert [hit.run for hit in wire.restarted(75)] == [hit.run for hit in wire.found()]
    assert not wire.stage().memories["detection.hidden_clients"].restore({})
