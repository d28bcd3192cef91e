"""What may not leave: secrets in targets and referrers become `***`, unless an analyst asks for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.config import ProtocolSettings
from tests.protocols.http1.messages import OK, one, request, talk
from tests.traffic import observe

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl"
SHOWN = ProtocolSettings(show_secrets=True)

REPLACED = [
    ("/a?token=s3cr3t", "/a?token=***"),
    ("/a?x=1&access_token=s3cr3t&y=2", "/a?x=1&access_token=***&y=2"),
    ("/a?TOKEN=s3cr3t", "/a?TOKEN=***"),
    ("/a?apikey=s3cr3t;b=1", "/a?apikey=***;b=1"),
    ("/a?api_key=s3cr3t", "/a?api_key=***"),
    ("/a?X-Api-Key=s3cr3t", "/a?X-Api-Key=***"),
    ("/a?key=s3cr3t", "/a?key=***"),
    ("/a?password=s3cr3t", "/a?password=***"),
    ("/a?newPassword=s3cr3t", "/a?newPassword=***"),
    ("/a?passwd=s3cr3t&pwd=s3cr3t&pass=s3cr3t", "/a?passwd=***&pwd=***&pass=***"),
    ("/a?client_secret=s3cr3t", "/a?client_secret=***"),
    ("/a?sessionid=s3cr3t&PHPSESSID=s3cr3t", "/a?sessionid=***&PHPSESSID=***"),
    ("/a?sig=s3cr3t&X-Amz-Signature=s3cr3t", "/a?sig=***&X-Amz-Signature=***"),
    ("/a?otp=123456&pin=1234", "/a?otp=***&pin=***"),
    ("/a?password=s3cr3t#part", "/a?password=***#part"),
    ("/a#access_token=s3cr3t", "/a#access_token=***"),
    ("/a;jsessionid=s3cr3t?x=1", "/a;jsessionid=***"),
    (f"/a?q={JWT}", "/a?q=***"),
    ("/pay/4111111111111111/now", "/pay/***/now"),
    ("/pay?n=4111-1111-1111-1111&x=1", "/pay?n=***&x=1"),
    ("/pay?n=4111+1111+1111+1111", "/pay?n=***"),
    ("/pay?n=378282246310005", "/pay?n=***"),
    ("http://bob:s3cr3t@api.test/a", "http://***@api.test/a"),
    ("http://bob:s3cr3t@s3cr3t@api.test/a", "http://***@api.test/a"),
    ("http://bob:s3cr3t@api.test", "http://***@api.test"),
    (f"/verify/{JWT}", "/verify/***"),
    (f"/verify/{JWT}/done?x=1", "/verify/***/done?x=1"),
    ("/go?to=http://bob:s3cr3t@api.test/", "/go?to=http://***@api.test/"),
]
LEFT = [
    "/a?tok=1", "/a?q=token", "/a?page=2&sort=name", "/orders/1234567890123456", "/monkey=1", "/a?token=", "/a?token",
    "/pay/4111111111111112", "/a?x=12345678901234567890123", "/users/bob@example.org", "/a?x=eyJ", "/eyJ/1",
    "/a?when=2024-05-01T10:00:00", "//cdn/a@b",
]  # fmt: skip


@pytest.mark.parametrize(("target", "uri"), REPLACED)
def test_secrets_are_replaced(target: str, uri: str) -> None:
    row = one(request(target, f"Referer: {target}"), OK)
    assert (row["uri"], row["referrer"]) == (uri, uri)
    assert "s3cr3t" not in str(row)


@pytest.mark.parametrize("target", LEFT)
def test_the_rest_is_left_as_it_is(target: str) -> None:
    row = one(request(target, f"Referer: {target}"), OK)
    assert (row["uri"], row["referrer"]) == (target, target)


@pytest.mark.parametrize("target", [target for target, _ in REPLACED])
def test_an_analyst_may_see_them(target: str) -> None:
    row = one(request(target, f"Referer: {target}"), OK, protocols=SHOWN)
    assert (row["uri"], row["referrer"]) == (target, target)


def test_an_authority_with_a_password_as_target() -> None:
    row = one(b"CONNECT bob:s3cr3t@api.test:443 HTTP/1.1\r\nHost: a\r\n\r\n", OK)
    assert "s3cr3t" not in str(row)


def test_a_target_in_pieces_is_replaced_too() -> None:
    row = one(request("/a?token=s3cr3t&x=1"), OK, mss=3)
    assert row["uri"] == "/a?token=***&x=1"


def test_endpoints_hold_no_query() -> None:
    row = one(request("/login;jsessionid=s3cr3t?password=s3cr3t#s3cr3t"), OK)
    assert row["endpoint"] == "/login"


def test_hostile_targets_full_of_secrets_fit() -> None:
    row = one(request("/?" + "&pin=1" * 8_000), OK, mss=60_000)
    assert row["uri"] == "/?" + "&pin=***" * 8_000


def luhn(digits: str) -> bool:
    return sum(sum(divmod(int(x) * (1 + i % 2), 10)) for i, x in enumerate(reversed(digits))) % 10 == 0


@given(st.integers(2, 6), st.text("0123456789", min_size=11, max_size=18))
@settings(max_examples=60, deadline=None)
def test_card_numbers_are_those_that_satisfy_luhn(first: int, rest: str) -> None:
    digits = f"{first}{rest}"
    expected = "***" if 13 <= len(digits) <= 19 and luhn(digits) else digits
    packets = talk(request(f"/pay?n={digits}"), OK).packets
    assert observe(packets).only["uri"] == f"/pay?n={expected}"


@given(st.lists(st.sampled_from(["token", "x", "password", "q"]), max_size=5), st.binary(max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_value_of_a_secret_parameter_never_leaves(names: list[str], noise: bytes) -> None:
    secret = b"zZ" + bytes(byte for byte in noise if byte > 32 and byte not in b"&;#")
    query = b"&".join(name.encode() + b"=" + (secret if name in ("token", "password") else b"1") for name in names)
    row = observe(talk(b"GET /a?" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n", OK).packets).only
    assert "zZ" not in row["uri"]
