"""What a mirror loses at random costs what was in it and nothing more; a response is never given to a request it does
not answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.protocols.http1.clients import Client, converse
from tests.protocols.http1.exchanges import (
    SHORTEST,
    Exchanges,
    keep_alive,
    number_of,
    pairs,
    pipelined,
    rolling,
    target,
)
from tests.protocols.http1.messages import request, response
from tests.traffic import SECOND, START, Outcome, Talk, lossy, observe, without


def survey(share: float, make: Callable[..., Exchanges], seeds: range) -> tuple[int, int, int]:
    """Exchanges with both heads, how many of these came out paired, and pairs of which the length is not exact."""
    survived = found = inexact = 0
    for seed in seeds:
        chance = random.Random(seed)
        connections = [make(24, source_port=10_000 + i, start=START + i * SECOND) for i in range(12)]
        packets = []
        for connection in connections:
            numbers = [i for i in range(len(connection.packets)) if chance.random() >= share]
            packets += [(connection.packets[i], connection, i) for i in numbers]
        outcome = observe(sorted((packet for packet, _, _ in packets), key=lambda packet: packet.ts))
        for connection in connections:
            kept = {i for _, owner, i in packets if owner is connection}
            mine = [row for row in outcome.transactions if row["client_port"] == connection.talk.source_port]
            paired = pairs(Outcome(mine, [], {}, {}, {}, {}))
            wanted = connection.whole(kept)
            survived += len(wanted)
            found += len(wanted & paired.keys())
            inexact += sum(
                row["response_body_len"] != SHORTEST + number or row["response_body_max"] != SHORTEST + number
                for number, row in paired.items()
            )
    return survived, found, inexact


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_random_loss(share: float) -> None:
    """At least 99.9 % of the exchanges of which both heads were seen, less where requests are sent ahead of answers;
    and no wrong pair.
    """
    one_by_one, ahead = survey(share, keep_alive, range(6)), survey(share, pipelined, range(6))
    survived, found, inexact = (first + second for first, second in zip(one_by_one, ahead, strict=True))
    assert survived > 2_400
    assert one_by_one[1] >= 0.999 * one_by_one[0]
    assert ahead[1] >= (0.99 if share < 0.05 else 0.95) * ahead[0]  # two losses in the first batch leave a choice
    assert found >= 0.97 * survived
    assert inexact == 0


@given(st.integers(0, 2**32), st.sampled_from([0.01, 0.05, 0.2]), st.sampled_from([keep_alive, pipelined]))
@settings(max_examples=40, deadline=None)
def test_no_loss_makes_a_wrong_pair(seed: int, share: float, make: Callable[..., Exchanges]) -> None:
    pairs(observe(lossy(make(12).packets, share, random.Random(seed))))


@given(st.integers(0, 2**32), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=40, deadline=None)
def test_no_loss_misleads_about_a_client_that_never_waits_for_all_answers(seed: int, share: float) -> None:
    """Nothing but counting tells where its answers stand after a loss, also when its first requests are lost. Of one
    that was joined midway nothing tells it from a client that waits.
    """
    packets = rolling(12).packets
    pairs(observe(packets[:3] + lossy(packets[3:], share, random.Random(seed))))


@given(st.sets(st.integers(3, 14), max_size=10))
@settings(max_examples=120, deadline=None)
def test_no_choice_of_first_packets_misleads_about_it(lost: set[int]) -> None:
    pairs(observe(without(rolling(10).packets, *lost)))


def paired(client: Client, share: float, chance: random.Random, size: int = 20) -> tuple[int, int]:
    """Of one connection: exchanges with both heads, how many of these came out paired; no pair is of two exchanges."""
    asked = [request(target(number), "User-Agent: some/1.0") for number in range(24)]
    whole = converse(client, asked, lambda number: response(b"x" * (size + number), "Content-Type: text/plain"))
    kept = [i for i in range(len(whole.packets)) if i < 3 or chance.random() >= share]
    rows = observe([whole.packets[i] for i in kept]).transactions
    found = {number_of(row): row["response_body_max"] - size for row in rows if row["request"] and row["response"]}
    assert all(number == body for number, body in found.items())
    survived = {number for number, heads in whole.heads.items() if set(kept).issuperset(heads)}
    return len(survived), len(survived & found.keys())


CLIENTS = {
    "waits": Client(),
    "waits, far away": Client(near=20, far=1, service=10),
    "asks four and waits": Client(ahead=4, batch=True),
    "asks four and waits, far away": Client(ahead=4, batch=True, near=20, service=10),
    "has two out": Client(ahead=2),
    "has three out": Client(ahead=3, near=5, far=5, service=1),
    "has five out": Client(ahead=5, near=0, far=0, service=20),
}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(("share", "least"), [(0.0, 1.0), (0.01, 0.93), (0.05, 0.85)])
def test_any_client_loses_little_and_gets_no_wrong_pair(name: str, share: float, least: float) -> None:
    counts = [paired(CLIENTS[name], share, random.Random(seed), size) for seed in range(12) for size in (0, 20, 1_500)]
    survived, found = (sum(numbers) for numbers in zip(*counts, strict=True))
    assert found >= (0.999 if name.startswith("waits") else least) * survived


@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.1, 0.2]), st.integers(1, 5), st.booleans(), st.integers(0, 5),
       st.integers(0, 5), st.sampled_from([0, 1, 3, 20]), st.sampled_from([0, 2, 50]))  # fmt: skip
@example(3, 0.2, 3, False, 0, 0, 20, 50)  # it stops waiting for all while an answer is lost
@settings(max_examples=60, deadline=None)
def test_no_client_gets_a_wrong_pair(
    seed: int, share: float, ahead: int, batch: bool, near: int, far: int, service: int, think: int
) -> None:
    paired(Client(ahead, batch, near, far, service, think), share, random.Random(seed))


@pytest.mark.parametrize("seed", [*range(60), 51_857, 52_780])
def test_requests_of_uneven_sizes_get_no_wrong_pair(seed: int) -> None:
    """The size of a hole tells little of how many requests were in it."""
    chance = random.Random(seed)
    client = Client(chance.randint(1, 6), chance.random() < 0.4, chance.choice([0, 1, 2, 5, 20]),
                    chance.choice([0, 1, 5, 20]), chance.choice([0, 1, 3, 20, 60]),
                    chance.choice([0, 0, 0, 2, 50, 300]), mss=chance.choice([1_000, 1_460, 300]))  # fmt: skip
    count, share = chance.randint(4, 30), chance.choice([0.01, 0.03, 0.05])
    size = chance.choice([0, 20, 20, 1_500, 4_000]) + chance.choice([0, 0, 0, 0])
    asked = []
    for number in range(count):
        query = "a" * chance.choice([0, 0, 30, 90])
        more = ["X-Pad: " + "y" * chance.choice([1, 40])] if chance.random() < 0.5 else []
        asked.append(request(f"{target(number)}?{query}", *more))
    whole = converse(client, asked, lambda number: response(b"x" * (size + number)))
    first = chance.choice([0, 3, 3])
    kept = [packet for i, packet in enumerate(whole.packets) if i < first or chance.random() >= share]
    for row in observe(kept).transactions:
        if row["request"] and row["response"] and row["response_body_max"] >= 0:
            assert row["uri"].split("?")[0] == target(row["response_body_max"] - size)


@pytest.mark.parametrize("lost", [(), (3,), (6,), (3, 6), (6, 9), (4, 7)])
def test_answers_to_head_have_no_body_after_a_loss_either(lost: tuple[int, ...]) -> None:
    """Their Content-Length is that of the body they would have had."""
    talk = Talk().open()
    for number in range(8):
        talk.client(request(target(number), method="HEAD" if number % 2 else "GET"))
        body = b"x" * (100 + number)
        talk.server(response(body) if number % 2 == 0 else response(body).removesuffix(body)).acknowledge(0)
    rows = observe(without(talk.close().packets, *lost)).transactions
    found = {number_of(row): row for row in rows if row["request"] and row["response"]}
    assert len(found) >= 8 - len(lost)
    for number, row in found.items():
        expected = 0 if number % 2 else 100 + number
        assert (row["response_body_len"], row["response_body_max"]) == (expected, expected)


@given(st.sets(st.integers(3, 60), max_size=12), st.sampled_from([keep_alive, pipelined]), st.integers(0, 30))
@settings(max_examples=80, deadline=None)
def test_no_choice_of_lost_packets_makes_a_wrong_pair(
    lost: set[int], make: Callable[..., Exchanges], joined_at: int
) -> None:
    packets = without(make(8).packets, *lost)[joined_at:]
    pairs(observe(packets))


def test_an_answer_that_acknowledged_more_than_the_last_request_is_not_its() -> None:
    """The start, the last answer but one's head, the last request: what is left of the end could be one exchange."""
    found = pairs(observe(without(keep_alive(8).packets, 3, 4, 5, 6, 8, 34, 38)))
    assert found.keys() == {2, 3, 4, 5}
