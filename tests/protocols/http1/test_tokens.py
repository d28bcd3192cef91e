"""What a JSON Web Token says of its holder, and that no bytes of one can hurt."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from sensor.config import ProtocolSettings
from sensor.schema import TokenFlag
from tests.oracles.siphash import fingerprint
from tests.protocols.http1.messages import OK, one, request, rows
from tests.traffic import KEY

SECOND = 10**9


def jwt(claims: Any, header: Any = None) -> str:
    def part(value: Any) -> str:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.c2lnbmF0dXJl"


def bearer(claims: Any, header: Any = None) -> dict[str, Any]:
    return one(request("/a", f"Authorization: Bearer {jwt(claims, header)}"), OK)


def name(text: str) -> int:
    return fingerprint(KEY, text.encode())


@pytest.mark.parametrize(
    ("claims", "subject"),
    [
        ({"sub": "bob", "exp": 1}, "bob"),
        ({"exp": 1, "sub": 4711, "n": None}, "4711"),
        ({"email": "b@x.test", "sub": "bob"}, "bob"),
        ({"username": "bob"}, "bob"),
        ({"uid": "u-1", "email": "b@x.test"}, "u-1"),
        ({"act": {"sub": "not-him"}, "sub": "bob"}, "bob"),
        ({"note": '"sub":"not-him"', "sub": "bob"}, "bob"),
    ],
)
def test_the_subject_is_who_the_token_names(claims: Any, subject: str) -> None:
    assert bearer(claims)["subject"] == name(subject)


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": None}, {"sub": ["bob"]}, {"act": {"sub": "bob"}}, [1]])
def test_a_token_that_names_nobody_has_no_subject(claims: Any) -> None:
    assert bearer(claims)["subject"] == 0


def test_two_tokens_of_one_account_are_one_subject_and_two_credentials() -> None:
    one_token, other = bearer({"sub": "bob", "exp": 1}), bearer({"sub": "bob", "exp": 2})
    assert one_token["subject"] == other["subject"] != 0
    assert one_token["user"] != other["user"]


def test_times_are_those_of_the_token() -> None:
    row = bearer({"sub": "bob", "iat": 1_800_000_000, "exp": 1_800_000_900})
    assert (row["token_expires"], row["token_seconds"]) == (1_800_000_900 * SECOND, 900)
    row = bearer({"sub": "bob", "exp": 1_800_000_900_123})
    assert (row["token_expires"], row["token_seconds"]) == (1_800_000_900 * SECOND, 0)


@pytest.mark.parametrize(
    ("header", "claims", "flags"),
    [
        ({"alg": "HS256"}, {"sub": "bob", "exp": 9_000_000_000 - 1}, TokenFlag.JWT),
        ({"alg": "HS256"}, {"sub": "bob"}, TokenFlag.JWT | TokenFlag.ENDLESS),
        ({"alg": "None"}, {"sub": "bob", "exp": 8_999_999_999}, TokenFlag.JWT | TokenFlag.UNSIGNED),
        ({"typ": "none", "alg": "RS256"}, {"sub": "bob", "exp": 1}, TokenFlag.JWT | TokenFlag.EXPIRED),
    ],
)
def test_what_is_wrong_with_a_token(header: Any, claims: Any, flags: int) -> None:
    assert bearer(claims, header)["token_flags"] == flags


def test_roles_are_one_fingerprint() -> None:
    roles = [bearer({"sub": "bob", "exp": 1, **more})["role"] for more in ({}, {"role": "user"}, {"role": "admin"})]
    assert roles[0] == 0
    assert len(set(roles)) == 3
    assert bearer({"sub": "eve", "exp": 2, "role": "admin"})["role"] == roles[2]


def test_a_token_used_again_says_the_same() -> None:
    header = f"Authorization: Bearer {jwt({'sub': 'bob', 'exp': 5})}"
    found = rows(request("/a", header), OK, request("/b", header), OK)
    assert [row["subject"] for row in found] == [name("bob")] * 2
    assert [row["token_flags"] for row in found] == [TokenFlag.JWT | TokenFlag.EXPIRED] * 2


def test_basic_names_its_subject() -> None:
    basic = base64.b64encode(b"bob:secret").decode()
    row = one(request("/a", f"Authorization: Basic {basic}"), OK)
    assert row["subject"] == row["user"] == name("bob")


def test_a_token_in_the_target_or_a_cookie_counts_too() -> None:
    token = jwt({"sub": "bob", "exp": 1})
    row = one(request(f"/a?x=1&access_token={token}"), OK)
    assert (row["auth_scheme"], row["subject"], row["url_secret"]) == ("query", name("bob"), True)
    assert row["token_flags"] == TokenFlag.JWT | TokenFlag.EXPIRED | TokenFlag.IN_URL
    row = one(request("/a", f"Cookie: session={token}"), OK)
    assert row["token_flags"] == TokenFlag.JWT | TokenFlag.EXPIRED | TokenFlag.COOKIE


def test_names_are_shown_only_when_asked_for() -> None:
    header = f"Authorization: Bearer {jwt({'sub': 'bob', 'exp': 5})}"
    assert one(request("/a", header), OK)["subject_name"] == ""
    shown = ProtocolSettings(show_names=True)
    assert one(request("/a", header), OK, protocols=shown)["subject_name"] == "bob"
    basic = "Authorization: Basic " + base64.b64encode(b"eve:secret").decode()
    assert one(request("/a", basic), OK, protocols=shown)["subject_name"] == "eve"


def test_broken_tokens_are_credentials_and_no_more() -> None:
    chance = random.Random(7)
    whole = jwt({"sub": "bob", "exp": 5, "roles": ["a", {"b": "c"}]})
    for _ in range(150):
        token = bytearray(whole.encode())
        for _ in range(chance.randrange(1, 4)):
            token[chance.randrange(len(token))] = chance.choice(b"eyJ.AZaz09-_{}\"")
        cut = bytes(token[: chance.randrange(1, len(token) + 1)]).decode()
        row = one(request("/a", f"Authorization: Bearer {cut}"), OK)
        assert row["user"] == fingerprint(KEY, cut.encode())
