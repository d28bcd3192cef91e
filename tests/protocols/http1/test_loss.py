"""What a mirror loses costs what was in it and nothing more; a response is never given to a request it does not answer.

Every exchange has its number in the target and in the length of its answer, so a wrong pair shows.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.http1.clients import Client, converse
from tests.protocols.http1.messages import chunked, request, response
from tests.traffic import (
    ACK,
    HEADERS,
    PSH,
    SECOND,
    START,
    Outcome,
    Packet,
    Row,
    Talk,
    doubled,
    in_new_order,
    lossy,
    merged,
    observe,
    one_way,
    snapped,
    without,
)

SHORTEST = 1_000


def target(number: int) -> str:
    return f"/item/{number}"


def number_of(row: Row) -> int:
    return int(row["uri"].rsplit("/", 1)[1])


@dataclass
class Exchanges:
    """One connection; `heads[n]` are the packets in which the request and the answer of exchange n begin."""

    talk: Talk
    heads: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def packets(self) -> list[Packet]:
        return self.talk.packets

    def whole(self, kept: set[int]) -> set[int]:
        """Exchanges of which both heads are among the packets that were kept."""
        return {number for number, heads in self.heads.items() if kept.issuperset(heads)}


def answer(number: int) -> bytes:
    return response(b"x" * (SHORTEST + number), "Content-Type: text/plain")


def chunked_answer(number: int) -> bytes:
    body = b"y" * (SHORTEST + number)
    head = response(b"", "Transfer-Encoding: chunked", length=False)
    return head + chunked(*(body[i : i + 700] for i in range(0, len(body), 700)))


def keep_alive(count: int, answered: Callable[[int], bytes] = answer, **given: object) -> Exchanges:
    """One request after the other, the client acknowledging every second segment, as hosts do."""
    found = Exchanges(Talk(mss=1_000, **given).open())
    talk = found.talk
    for number in range(count):
        asked = len(talk.packets)
        talk.client(request(target(number))).pause(3_000_000)
        found.heads[number] = asked, len(talk.packets)
        for i, begin in enumerate(range(0, len(content := answered(number)), talk.mss)):
            talk.server(content[begin : begin + talk.mss])
            if i % 2:
                talk.acknowledge(0)
        talk.acknowledge(0).pause(20_000_000)
    talk.close()
    return found


def pipelined(count: int, depth: int = 4, **given: object) -> Exchanges:
    """Requests sent ahead, each in a segment of its own."""
    found = Exchanges(Talk(mss=1_000, **given).open())
    talk = found.talk
    for first in range(0, count, depth):
        asked = {}
        for number in range(first, first + depth):
            asked[number] = len(talk.packets)
            talk.client(request(target(number)))
        for number in range(first, first + depth):
            found.heads[number] = asked[number], len(talk.packets)
            talk.server(answer(number)).acknowledge(0)
        talk.pause(20_000_000)
    talk.close()
    return found


def pairs(outcome: Outcome) -> dict[int, Row]:
    """Rows with both heads by number of their request, after a check that none is of two exchanges."""
    found = {}
    for row in outcome.transactions:
        if row["request"] and row["response"]:
            number = number_of(row)
            assert row["response_body_len"] <= SHORTEST + number
            assert row["response_body_max"] in (-1, SHORTEST + number) or row["response_body_max"] >= SHORTEST + number
            found[number] = row
    return found


# --- random loss ----------------------------------------------------------------------------------------------------


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


def rolling(count: int, **given: object) -> Exchanges:
    """A client that always has three requests out, and sends the next one with each answer."""
    found = Exchanges(Talk(mss=1_000, **given).open())
    talk = found.talk
    asked = {}
    for step in range(count + 2):
        if step < count:
            asked[step] = len(talk.packets)
            talk.client(request(target(step)))
        if step >= 2:
            found.heads[step - 2] = asked[step - 2], len(talk.packets)
            talk.server(answer(step - 2)).acknowledge(0)
    talk.close()
    return found


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
@settings(max_examples=60, deadline=None)
def test_no_client_gets_a_wrong_pair(
    seed: int, share: float, ahead: int, batch: bool, near: int, far: int, service: int, think: int
) -> None:
    paired(Client(ahead, batch, near, far, service, think), share, random.Random(seed))


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


# --- losses one by one ----------------------------------------------------------------------------------------------


def outcome_without(
    *lost: tuple[int, int], make: Callable[..., Exchanges] = keep_alive
) -> tuple[Outcome, dict[int, Row]]:
    """Ten exchanges without the head of (exchange, side)."""
    exchanges = make(10)
    outcome = observe(without(exchanges.packets, *(exchanges.heads[number][side] for number, side in lost)))
    return outcome, pairs(outcome)


def test_a_lost_request_costs_one_pair() -> None:
    outcome, found = outcome_without((5, 0))
    assert found.keys() == set(range(10)) - {5}
    orphan = next(row for row in outcome.transactions if not row["request"])
    assert (orphan["status_code"], orphan["response_body_len"]) == (200, SHORTEST + 5)


def test_a_lost_answer_costs_one_pair() -> None:
    outcome, found = outcome_without((5, 1))
    assert found.keys() == set(range(10)) - {5}
    alone = next(row for row in outcome.transactions if not row["response"])
    assert (number_of(alone), alone["status_code"]) == (5, 0)


def test_an_answer_and_the_next_request_lost() -> None:
    outcome, found = outcome_without((5, 1), (6, 0))
    assert found.keys() == set(range(10)) - {5, 6}
    assert [number_of(row) for row in outcome.transactions if not row["response"]] == [5]
    assert [row["response_body_len"] for row in outcome.transactions if not row["request"]] == [SHORTEST + 6]


def test_every_other_request_lost() -> None:
    _, found = outcome_without(*((number, 0) for number in range(0, 10, 2)))
    assert found.keys() == set(range(1, 10, 2))


def test_a_lost_piece_of_a_body_costs_nothing() -> None:
    exchanges = keep_alive(5, lambda number: answer(number + 3_000))
    lost = [exchanges.heads[number][1] + 1 for number in range(5)]
    rows = observe(without(exchanges.packets, *lost)).transactions
    assert [(number_of(row), row["response_body_len"], row["response_body_max"]) for row in rows] == [
        (number, SHORTEST + 3_000 + number, SHORTEST + 3_000 + number) for number in range(5)
    ]
    assert all(row["anomalies"] == {"response_gap"} for row in rows)
    assert not any(row["complete"] for row in rows)


@pytest.mark.parametrize("behind", [1, 2])
def test_a_lost_piece_of_a_chunked_body_is_bounded(behind: int) -> None:
    exchanges = keep_alive(5, lambda number: chunked_answer(number + 3_000))
    outcome = observe(without(exchanges.packets, exchanges.heads[2][1] + behind))
    assert [number_of(row) for row in outcome.transactions] == list(range(5))
    for row in outcome.transactions:
        true = SHORTEST + 3_000 + number_of(row)
        assert row["response_body_len"] <= true
        assert row["response_body_max"] == -1 or true <= row["response_body_max"]
        if number_of(row) != 2:
            assert (row["response_body_len"], row["response_body_max"]) == (true, true)


def test_a_lost_piece_of_a_body_up_to_the_end() -> None:
    talk = Talk(mss=1_000).open().client(request("/a")).server(response(b"z" * 5_000, length=False)).close(1)
    row = observe(without(talk.packets, 6)).only
    assert (row["response_body_len"], row["response_body_max"]) == (5_000, 5_000)
    assert "response_gap" in row["anomalies"]


def test_a_lost_piece_of_an_upload() -> None:
    talk = Talk(mss=1_000).open()
    talk.client(request("/a", method="POST", body=b"u" * 5_000)).acknowledge(1).server(response(b"1"))
    talk.client(request("/b")).server(response(b"22"))
    rows = observe(without(talk.packets, 5)).transactions
    assert [(row["uri"], row["request_body_len"], row["response_body_len"]) for row in rows] == [
        ("/a", 5_000, 1), ("/b", 0, 2),
    ]  # fmt: skip


# --- what is seen of it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("snap_length", [96, 128, 200])
def test_snap_lengths_cut_bodies_not_lengths(snap_length: int) -> None:
    packets = snapped(keep_alive(20, lambda number: response(b"x" * (SHORTEST + number))).packets, snap_length)
    found = pairs(observe(packets))
    assert {number: row["response_body_len"] for number, row in found.items()} == {
        number: SHORTEST + number for number in range(20)
    }


def test_a_snap_length_that_cuts_heads_leaves_what_is_in_them() -> None:
    asked = request("/item/0", "User-Agent: " + "x" * 100)
    talk = Talk().open().client(asked).server(response(b"", "Server: " + "y" * 100)).acknowledge(0)
    row = observe(snapped(talk.packets, 96)).transactions[0]
    assert (row["uri"], row["host"], row["status_code"]) == ("/item/0", "api.test", 200)
    assert {"request_gap", "response_gap"} <= row["anomalies"]


def test_joined_midway_in_an_answer() -> None:
    exchanges = keep_alive(10)
    packets = exchanges.packets[exchanges.heads[3][1] + 1 :]
    outcome = observe(packets)
    assert pairs(outcome).keys() == set(range(4, 10))
    assert "midstream" in outcome.transactions[0]["anomalies"]


def test_without_a_handshake() -> None:
    exchanges = keep_alive(10)
    found = pairs(observe(exchanges.packets[3:]))
    assert found.keys() == set(range(10))
    assert all(row["complete"] for row in found.values())


def test_requests_only() -> None:
    rows = observe(one_way(keep_alive(10).packets, 0)).transactions
    assert [(number_of(row), row["status_code"]) for row in rows] == [(number, 0) for number in range(10)]


def test_answers_only() -> None:
    rows = observe(one_way(keep_alive(10).packets, 1)).transactions
    assert [row["response_body_len"] for row in rows] == [SHORTEST + number for number in range(10)]
    assert {row["method"] for row in rows} == {""}
    assert {(row["server_port"], row["client_port"]) for row in rows} == {(80, 40_000)}


def test_every_packet_twice() -> None:
    outcome = observe(doubled(keep_alive(10).packets))
    assert pairs(outcome).keys() == set(range(10))
    assert all(row["complete"] for row in outcome.transactions)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_reordering_and_doubling_change_no_transaction(data: st.DataObject) -> None:
    packets = data.draw(st.sampled_from([keep_alive, pipelined]))(8).packets
    packets = doubled(packets, data.draw(st.sets(st.integers(3, len(packets) - 1), max_size=8)))
    order = list(range(len(packets)))
    for place in data.draw(st.sets(st.integers(3, len(packets) - 2), max_size=8)):
        if order[place] == place and order[place + 1] == place + 1:
            order[place], order[place + 1] = place + 1, place
    outcome = observe(in_new_order(packets, order), batch=data.draw(st.sampled_from([0, 1, 5])))
    found = pairs(outcome)
    assert found.keys() == set(range(8))
    assert len(outcome.transactions) == 8
    for number, row in found.items():
        assert (row["response_body_len"], row["complete"], row["trans_depth"]) == (SHORTEST + number, True, number + 1)


def test_answers_seen_before_their_requests() -> None:
    exchanges = keep_alive(6, lambda number: response(b"x" * (SHORTEST + number)))
    packets = exchanges.packets
    order = list(range(len(packets)))
    for asked, answered in exchanges.heads.values():
        order[asked], order[answered] = order[answered], order[asked]
    found = pairs(observe(in_new_order(packets, order)))
    assert found.keys() == set(range(6))


def test_a_keep_alive_connection_that_is_reset_in_an_answer() -> None:
    talk = Talk().open().client(request(target(0))).send(1, PSH | ACK, answer(0)[:500])
    row = observe(talk.packets).only
    assert (row["response_body_max"], row["status_code"]) == (SHORTEST, 200)
    assert "response_unfinished" in row["anomalies"]


def test_many_connections_at_once() -> None:
    connections = [keep_alive(10, source_port=10_000 + i).packets for i in range(40)]
    outcome = observe(merged(*connections), batch=100)
    assert len(outcome.transactions) == 400
    assert all(row["complete"] for row in outcome.transactions)


def test_what_is_missing_of_a_message_is_counted_to_the_byte() -> None:
    """A lost body segment is missing from its response alone, and cut bytes are missing too; the length stays exact."""
    talk = Talk(mss=1_000).open()
    for size in (3_000, 5_000):
        talk.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)).acknowledge(0)
    lost = observe(without(talk.close().packets, 5)).transactions
    assert [(row["response_missing_bytes"], row["request_missing_bytes"]) for row in lost] == [(1_000, 0), (0, 0)]
    assert [row["response_body_len"] for row in lost] == [row["response_body_max"] for row in lost] == [3_000, 5_000]
    cut = observe(snapped(talk.packets, HEADERS + 400)).transactions
    assert [row["response_missing_bytes"] for row in cut] == [3 * 600, 5 * 600]
