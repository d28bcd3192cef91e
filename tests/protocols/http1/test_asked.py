"""Objects that bodies ask for: GraphQL variables and arguments, JSON-RPC parameters, requests that only read."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.protocols.http1.messages import OK, one, request


def asked(target: str, body: Any, method: str = "POST") -> tuple[int, int]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    row = one(request(target, "Content-Type: application/json", method=method, body=content), OK)
    return row["object_id"], row["object_number"]


def query(text: str, **variables: Any) -> dict[str, Any]:
    return {"query": text, "variables": variables}


@pytest.mark.parametrize(
    ("target", "body", "number"),
    [
        ("/graphql", query("query U($id: ID!) { user(id: $id) { id } }", id="17"), 17),
        ("/graphql", query("query U($userId: Int) { user(id: $userId) { id } }", userId=17), 17),
        ("/graphql", query("query U($in: In!) { user(in: $in) { id } }", **{"in": {"customer_id": 17}}), 17),
        ("/graphql", query("{ user(id: 17) { id name } }"), 17),
        ("/graphql", query('{ user(id: "17") { id name } }'), 17),
        ("/graphql", query('{ user(first: 3, customerId: "a7f-3c") { id } }'), -1),
        ("/rpc", {"jsonrpc": "2.0", "id": 99, "method": "user.get", "params": {"user_id": 17}}, 17),
        ("/getCustomer", {"customerId": 17}, 17),
        ("/api/v1/customers/lookup", {"id": "17"}, 17),
        ("/api/v1/customers/lookup", {"email": "a17@x.test"}, -1),
        ("/api/v1/orders/find", {"filter": {"owner": "17"}}, 17),
    ],
)
def test_ids_that_a_body_asks_for(target: str, body: Any, number: int) -> None:
    found, last = asked(target, body)
    assert found != 0
    assert last == number


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/graphql", query("query U { users { id name } }")),  # fields are no arguments
        ("/graphql", query("query U($id: ID!) { user(id: $id) { id } }")),  # nor are types and variables
        ("/graphql", query("mutation M($id: ID!) { remove(id: $id) }", id="17")),
        ("/graphql", {"id": "a9c3f1", "query": "query U { users { name } }"}),  # a stored query's
        ("/rpc", {"jsonrpc": "2.0", "id": 99, "method": "ping"}),
        ("/rpc", {"jsonrpc": "2.0", "id": 99, "method": "ping", "params": {"session_id": "17abcdef"}}),
        ("/orders", {"product_id": 17}),  # what it creates is no object that it reads
        ("/getCustomers", {"ids": [1, 2, 3], "page": 2}),
        ("/getCustomer", {"customerId": {"deep": 1}}),
        ("/getCustomer", {"customerId": "x" * 65}),
    ],
)
def test_what_is_no_object(target: str, body: Any) -> None:
    assert asked(target, body) == (0, -1)


def test_an_id_in_a_body_is_the_object_that_it_is_in_a_path() -> None:
    assert asked("/getCustomer", {"customerId": 17})[0] == asked("/customers/17", {"customerId": 4}, "GET")[0]
    assert len({asked("/getCustomer", {"customerId": each})[0] for each in range(20)}) == 20


def test_broken_bodies_do_no_harm() -> None:
    chance = random.Random(5)
    whole = json.dumps(query('query U($id: ID!) { a(id: "17") b(userId: 4) }', id={"id": "3"}, user_id=[1])).encode()
    for number in range(200):
        body = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            body[chance.randrange(len(body))] = chance.choice(b'{}[]":,\\()$id \n\xff')
        cut = bytes(body[: chance.randrange(1, len(body) + 1)])
        found, last = asked("/graphql" if number % 2 else "/getThing", cut)
        assert found >= 0
        assert last >= -1
