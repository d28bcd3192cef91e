"""Made-up domains: who asks for many that do not exist is told; mail servers, resolvers and search lists are not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sensor.alert import Detection, Severity
from sensor.config import RandomDomainsSettings
from sensor.detection.detectors import random_domains
from sensor.detection.detectors.random_domains import RandomDomains
from sensor.detection.stage import DetectionStage
from tests.detection.lookups import CLIENT, MX, RESOLVER, A, Ask, batch_of, run_lookups
from tests.detection.tables import Pool, alone

CHANCE = random.Random(9)
WORDS = ["river", "stone", "cloud", "market", "green", "silver", "bridge", "forest", "garden", "window"]


def made_up(size: int = 14) -> str:
    return "".join(CHANCE.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(size)) + CHANCE.choice((".com", ".net"))


def found(asks: list[Ask], batch: int = 1 << 30, until: float = 90_000.0) -> list[Detection]:
    stage = DetectionStage(alone(random_domains=RandomDomainsSettings()), Pool())
    return run_lookups(stage, asks, batch, until)


def browsing(seconds: float, count: int, client: str = CLIENT) -> list[Ask]:
    return [Ask(n * seconds / count, f"www{n % 7}.site{n % 60}.com", client) for n in range(count)]


@pytest.mark.parametrize("batch", [1, 13, 1 << 30])
def test_a_list_of_made_up_domains(batch: int) -> None:
    chance = random.Random(2)
    names = ["".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(15)) + ".com" for _ in range(100)]
    asks = browsing(300, 150) + [Ask(2 * n, name, rcode=3) for n, name in enumerate(names)]
    (hit, *more) = found(asks, batch)
    assert (hit.rule.id, hit.entity.value, hit.severity) == ("dns-random-domains", CLIENT, None)
    assert hit.numbers.observed >= 40
    assert hit.details["odd_share"] > 0.5
    assert {each.run for each in more} == {hit.run}
    assert [(each.now, each.numbers) for each in found(asks)] == [(each.now, each.numbers) for each in (hit, *more)]


def test_a_slow_one_is_found_within_a_day() -> None:
    (hit, *_) = found([Ask(300 * n, made_up(), rcode=3) for n in range(250)])
    assert hit.numbers.window_seconds == 86_400


def test_made_of_words_it_is_told_more_mildly() -> None:
    names = [f"{a}{b}{n}.com" for n, (a, b) in enumerate((a, b) for a in WORDS for b in WORDS)]
    (hit, *_) = found([Ask(n, name, rcode=3) for n, name in enumerate(names)])
    assert hit.severity is Severity.LOW


TWINS: dict[str, Callable[[int], Ask]] = {
    "a search list": lambda n: Ask(n, f"host{n}.example.com.corp.example.org", rcode=3),
    "leaks of local names": lambda n: Ask(n, f"printer{n}.officelan", rcode=3),
    "probes of a browser": lambda n: Ask(n, made_up().split(".")[0], rcode=3),
    "reputation": lambda n: Ask(n, f"{n % 250}.2.0.192.zen.spamhaus.org", rcode=3),
    "a mail server": lambda n: Ask(n, made_up(), qtype=(MX, A)[n % 8 == 0], rcode=3 if n % 8 < 2 else 0),
    "a resolver for many": lambda n: Ask(n / 5, made_up() if n % 9 == 0 else f"site{n % 700}.com", RESOLVER,
                                         rcode=3 if n % 9 == 0 else 0),
    "domains that exist": lambda n: Ask(n, made_up()),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_what_else_asks_for_much_that_is_not_there(name: str) -> None:
    assert found([TWINS[name](n) for n in range(1_500)]) == []


def test_a_restart_costs_nothing() -> None:
    asks = [Ask(3 * n, made_up(), rcode=3) for n in range(100)]
    before, after, whole = (RandomDomains(RandomDomainsSettings(), Pool()) for _ in range(3))
    found = before.process(batch_of(asks[:50]))
    assert after.restore(before.state())
    found += after.process(batch_of(asks[50:]))
    expected = whole.process(batch_of(asks))
    assert expected
    assert [(each.now, each.numbers, each.run) for each in found] == [
        (each.now, each.numbers, each.run) for each in expected
    ]  # fmt: skip


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    one = RandomDomains(RandomDomainsSettings(), Pool())
    one.process(batch_of([Ask(40 * n, f"www.site{n % 9}.com") for n in range(3_000)]))
    ((_, client),) = one.clients.items()
    assert [len(steps) for steps in client.spans] == [10, 10]
    monkeypatch.setattr(random_domains, "DOMAINS_MAX", 100)
    one.process(batch_of([Ask(200_000 + n / 9, made_up(), f"10.1.{n % 50}.1", rcode=3) for n in range(2_000)]))
    assert one.domains == sum(client.domains for client in one.clients.values()) <= 100
    assert one.evicted > 0


def test_clients_that_find_no_room_give_way() -> None:
    one = RandomDomains(RandomDomainsSettings(clients_max=2), Pool())
    one.process(batch_of([Ask(n, made_up(), f"10.0.0.{n}", rcode=3) for n in range(5)]))
    assert one.evicted == 3
