"""Losses one by one, and whatever else a mirror leaves out, doubles or reorders: what is seen of it is right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.http1.exchanges import (
    SHORTEST,
    Exchanges,
    answer,
    chunked_answer,
    keep_alive,
    number_of,
    pairs,
    pipelined,
    target,
)
from tests.protocols.http1.messages import request, response
from tests.traffic import (
    ACK,
    HEADERS,
    PSH,
    Outcome,
    Row,
    Talk,
    doubled,
    in_new_order,
    merged,
    observe,
    one_way,
    snapped,
    without,
)


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
