"""What tells one client's software from another's."""

from sensor.structures.client_stack import differences
from tests.protocols.http1.messages import OK, one, request


def stack(*headers: str) -> int:
    return one(request("/a", *headers), OK)["stack"]


def test_the_order_of_the_usual_headers_and_their_case_tell():
    first = stack("User-Agent: a", "Accept: */*", "Accept-Encoding: gzip")
    assert first == stack("User-Agent: b", "Accept: text/html", "X-Other: 1", "Accept-Encoding: br", "Cookie: a=b")
    others = [
        stack("Accept: */*", "User-Agent: a", "Accept-Encoding: gzip"),
        stack("user-agent: a", "accept: */*", "accept-encoding: gzip"),
        stack("User-Agent: a", "Accept: */*"),
    ]
    for other in others:
        assert differences(first, other) == ["header order"]
    assert differences(first, first) == []


def test_parts_that_were_not_seen_do_not_differ():
    assert differences(0x1_00000000, 0x24) == []
    assert differences(0x1_00000024, 0x2_00000024) == ["TCP options"]
