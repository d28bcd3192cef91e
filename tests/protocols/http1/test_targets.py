"""What a target asks for: object ids, pages, and secrets in it."""

from __future__ import annotations

import pytest

from sensor.config import ProtocolSettings
from tests.protocols.http1.messages import OK, one, request


def asked(target: str) -> tuple[int, int, bool]:
    row = one(request(target), OK)
    return row["object_id"], row["object_number"], row["url_secret"]


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("/users/17", 17),
        ("/users/17/orders/42", 42),
        ("/orders?owner=133", 133),
        ("/orders?user_id=9&sort=x", 9),
        ("/orders?orderId=10", 10),
        ("/users/0b6d4b9e-58a2-4c8e-9d8f-1d2a3b4c5d6e", -1),
        ("/users/bob@x.test", -1),
    ],
)
def test_ids_are_what_the_template_replaces_and_what_parameters_say(target: str, number: int) -> None:
    found, last, _ = asked(target)
    assert found != 0
    assert last == number


@pytest.mark.parametrize("target", ["/users", "/", "*", "/a?page=3", "/a?grid=4", "/a?bid=", "/a?session_id=1234567"])
def test_no_ids(target: str) -> None:
    assert asked(target)[:2] == (0, -1)


def test_each_combination_of_ids_is_another_object() -> None:
    targets = ["/a/1/b/2", "/a/2/b/1", "/a/12/b", "/a/1/b", "/a/2/b", "/a/3?id=2", "/b?id=1&user_id=4"]
    assert len({asked(target)[0] for target in targets}) == len(targets)
    assert asked("/a/1/b")[0] == asked("/c/1?x=y")[0]


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("page=4&limit=10", 4),
        ("limit=10&offset=200", 200),
        ("page=99999999999", 0x7FFFFFFF),
        ("cursor=abc", -2),
        ("after=", -1),
        ("page=two", -1),
        ("pageNumber=7", 7),
        ("limit=10", -1),
        ("pagetoken=x", -1),
    ],
)
def test_pages(query: str, page: int) -> None:
    assert one(request(f"/list?{query}"), OK)["page"] == page


@pytest.mark.parametrize("shown", [False, True])
def test_a_secret_in_the_target_is_marked_whether_or_not_it_is_shown(shown: bool) -> None:
    settings = ProtocolSettings(show_secrets=shown)
    assert one(request("/a?password=hunter22"), OK, protocols=settings)["url_secret"]
    assert not one(request("/a?q=hunter22"), OK, protocols=settings)["url_secret"]


def test_a_password_in_the_target_is_no_credential() -> None:
    assert one(request("/a?password=hunter22hunter22"), OK)["user"] == 0


def test_a_cursor_that_is_json_in_base64_is_no_credential():
    assert not one(request("/orders?cursor=eyJpZCI6IDQyLCAiYWZ0ZXIiOiB0cnVlfQ"), OK)["url_secret"]
    assert one(request("/orders?cursor=eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ."), OK)["url_secret"]
