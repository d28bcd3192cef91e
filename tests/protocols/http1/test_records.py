"""How many records a JSON answer holds: counted while it streams by, against json.loads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.http1.messages import chunked, one, request, response, rows, talk
from tests.traffic import observe, without

GET = request("/items")
JSON = "Content-Type: application/json"


def in_arrays(value: Any) -> int:
    """The slow twin: objects that are elements of arrays and do not lie in such an object."""
    if isinstance(value, list):
        return sum(1 if isinstance(item, dict) else in_arrays(item) for item in value)
    if isinstance(value, dict):
        return sum(in_arrays(item) for item in value.values())
    return 0


def expected(*documents: Any) -> int:
    """Records of a body of documents: where there are none in arrays, each object is one."""
    return sum(map(in_arrays, documents)) or sum(isinstance(document, dict) for document in documents)


def records(body: bytes, content_type: str = JSON, mss: int = 1_460) -> int:
    return one(GET, response(body, content_type), mss=mss)["records"]


@pytest.mark.parametrize(
    "document",
    [
        [], {}, 7, "text", None, [1, 2], [{}], [{}, {}, {}], {"a": 1}, {"items": [{"id": 1}, {"id": 2}], "total": 2},
        {"data": {"rows": [{"x": [{"y": 1}]}, {"x": []}]}}, [[{"a": 1}], [{"b": 2}, {"c": 3}]],
        {"a": [{"id": 1}], "b": [{"id": 2}, {"id": 3}]}, {"text": '{"not": [{}]}'}, {'{"[': ["}]", {"a": "\\"}]},
        ["\\\"{", {"a": '\\"}'}], [{"a": {"b": {"c": [1, 2, {"d": {}}]}}}] * 5,
    ],
)  # fmt: skip
@pytest.mark.parametrize("mss", [1, 1_460])
def test_records_are_those_json_has(document: Any, mss: int) -> None:
    assert records(json.dumps(document).encode(), mss=mss) == expected(document)
    assert records(json.dumps(document, indent=2).encode(), mss=mss) == expected(document)


def test_lines_of_json() -> None:
    assert records(b'{"a":1}\n{"a":2}\n{"a":3}\n', "Content-Type: application/x-ndjson") == 3


def test_other_types_are_not_counted() -> None:
    assert records(b'[{"a":1}]', "Content-Type: text/html") == -1
    assert one(GET, response(b"\x1f\x8b[{}]", JSON, "Content-Encoding: gzip"))["records"] == -1
    assert one(request("/a", method="HEAD"), response(b"", JSON, "Content-Length: 9", length=False))["records"] == -1


def test_json_by_its_suffix() -> None:
    assert records(b"[{},{}]", "Content-Type: application/hal+JSON; charset=utf-8") == 2


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_in_chunks(size: int) -> None:
    body = json.dumps({"items": [{"id": i, "text": "}{"} for i in range(40)]}).encode()
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    head = response(b"", JSON, "Transfer-Encoding: chunked", length=False)
    assert one(GET, head + chunked(*pieces), mss=100)["records"] == 40


def test_each_answer_of_a_connection_is_counted_afresh() -> None:
    bodies = [b'{"a":["', b"[{},{}]", b"[[[", b"[{}]"]
    found = rows(*[part for body in bodies for part in (GET, response(body, JSON))])
    assert [row["records"] for row in found] == [1, 2, 0, 1]


def test_long_answers_are_extrapolated() -> None:
    body = json.dumps([{"id": 10_000 + i, "name": "customer"} for i in range(20_000)]).encode()
    assert len(body) > 9 * 65_536
    assert records(body) == pytest.approx(20_000, rel=0.02)


def test_answers_with_a_hole_are_extrapolated() -> None:
    body = json.dumps([{"id": i, "name": f"customer {i:06}"} for i in range(2_000)]).encode()
    packets = talk(GET, response(body, JSON)).packets
    row = observe(without(packets, 20)).only
    assert row["response_body_len"] == len(body)
    assert row["records"] == pytest.approx(2_000, rel=0.05)


@pytest.mark.parametrize(
    "body", [b"]}]}", b'"', b"[" * 500, b'{"a":' * 200, b"\\\\\\", b"}" * 100 + b"[{}]", b"\xff" * 300]
)
def test_what_is_no_json_does_no_harm(body: bytes) -> None:
    row = one(GET, response(body, JSON))
    assert row["complete"]
    assert 0 <= row["records"] <= len(body)


leaves = st.one_of(st.none(), st.integers(), st.text('{}[]"\\,:ab', max_size=6))
names = st.text('{"\\[a', max_size=3)
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=25,
)  # fmt: skip


@given(documents, st.sampled_from([1, 2, 7, 63, 64, 65, 1_460]), st.sampled_from([None, 1]))
@settings(max_examples=150, deadline=None)
def test_any_document_however_it_is_cut(document: Any, mss: int, indent: int | None) -> None:
    body = json.dumps(document, indent=indent).encode()
    row = observe(talk(GET, response(body, JSON), mss=mss).packets).only
    assert row["records"] == (expected(document) if body else -1)
