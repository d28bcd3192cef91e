"""What the answer to a login says: tokens that it hands out, refusals in whatever form, lock-outs; login endpoints that
are known by what they take.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.oracles.siphash import fingerprint
from tests.protocols.http1.messages import OK, one, request, response
from tests.traffic import KEY

JSON = "Content-Type: application/json"
TOKEN = "dG9rZW4tZm9yLWJvYg"
CREDENTIALS = json.dumps({"username": "bob", "password": "hunter2"}).encode()


def login(answer: bytes, target: str = "/login", body: bytes = CREDENTIALS, kind: str = JSON) -> dict[str, Any]:
    return one(request(target, kind, method="POST", body=body), answer)


def said(body: Any, *headers: str, status: str = "200 OK") -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return login(response(raw, JSON, *headers, status=status))


@pytest.mark.parametrize(
    "body",
    [
        {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600},
        {"refresh_token": "other-other", "token": TOKEN},
        {"data": {"user": {"id": 1}, "accessToken": TOKEN}},
        {"id_token": "other-other", "access_token": TOKEN, "error": None},
        {"session_id": TOKEN, "errors": []},
        {"csrf_token": "other-other", "jwt": TOKEN},
    ],
)
def test_the_token_in_the_answer(body: Any) -> None:
    row = said(body)
    assert row["issued"] == fingerprint(KEY, TOKEN.encode())
    assert (row["login_failed"], row["account"]) == (False, fingerprint(KEY, b"bob"))


@pytest.mark.parametrize(
    "body", [{"token": "short"}, {"token": 12345678}, {"refresh_token": TOKEN}, {"token_type": TOKEN}]
)
def test_what_is_no_token(body: Any) -> None:
    assert said(body)["issued"] == 0


def test_the_cookie_that_an_answer_sets() -> None:
    row = login(response(b"{}", JSON, "Set-Cookie: XSRF-TOKEN=aaaaaaaaaa", f"Set-Cookie: sessionid={TOKEN}; Path=/"))
    assert row["issued"] == fingerprint(KEY, TOKEN.encode())
    row = one(request("/a"), response(b"", f"Set-Cookie: sessionid={TOKEN}; HttpOnly"))
    assert row["issued"] == fingerprint(KEY, TOKEN.encode())
    assert login(response(b"", "Set-Cookie: sessionid=; Max-Age=0"))["issued"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_grant"},
        {"success": False},
        {"authenticated": False, "user": None},
        {"status": "failed"},
        {"message": "Incorrect user or password"},
        {"errors": [{"code": 17}]},
        b"<html>Wrong password</html>",
    ],
)
def test_a_refusal_answered_200(body: Any) -> None:
    assert said(body)["login_failed"]


@pytest.mark.parametrize(
    "body",
    [{"success": True}, {"error": None, "ok": True}, {"error": "", "user": 5}, b"<html>Welcome</html>", b"", b"{"],
)
def test_no_refusal(body: Any) -> None:
    assert not said(body)["login_failed"]


def test_words_count_for_nothing_beside_a_token() -> None:
    assert not said({"token": TOKEN, "message": "2 failed attempts since your last login"})["login_failed"]


@pytest.mark.parametrize(
    ("location", "failed"),
    [
        ("/login", True), ("/login?next=/", True), ("/users/sign_in", True), ("/home?error=credentials", True),
        ("/auth/failure", True), ("/home", False), ("/", False), ("/verify-otp", False),
    ],
)
def test_sent_back_to_the_form(location: str, failed: bool) -> None:
    row = login(response(b"", f"Location: {location}", status="302 Found"))
    assert row["login_failed"] is failed


@pytest.mark.parametrize(
    ("status", "location", "failed"),
    [
        ("302 Found", "/login?next=/account", True), ("302 Found", "https://sso.example/signin", True),
        ("302 Found", "/orders?error=1", False), ("201 Created", "/sessions/5", False),
    ],
)  # fmt: skip
def test_what_is_no_login_is_sent_to_one(status: str, location: str, failed: bool) -> None:
    row = one(request("/account"), response(b"", f"Location: {location}", status=status))
    assert row["login_failed"] is failed


def test_a_session_that_was_created_elsewhere_is_no_refusal() -> None:
    assert not login(response(b"", "Location: /sessions/5", status="201 Created"), "/sessions")["login_failed"]


@pytest.mark.parametrize(
    ("status", "failed", "locked"),
    [
        ("401 No", True, False), ("403 No", True, False), ("400 No", True, False), ("429 No", False, True),
        ("423 No", True, True), ("500 No", False, False),
    ],
)  # fmt: skip
def test_statuses(status: str, failed: bool, locked: bool) -> None:
    row = login(response(b"", status=status))
    assert (row["login_failed"], row["locked"]) == (failed, locked)


def test_a_lock_out_in_words() -> None:
    row = said({"error": "Account locked for 15 minutes"}, status="403 Forbidden")
    assert (row["login_failed"], row["locked"]) == (True, True)


def test_other_endpoints_are_not_judged() -> None:
    row = one(request("/orders", JSON, method="POST", body=b'{"a": 1}'), response(b'{"error": "no"}', JSON))
    assert (row["login"], row["login_failed"], row["issued"]) == (False, False, 0)


@pytest.mark.parametrize(
    ("target", "body", "kind", "known", "named"),
    [
        ("/connect", CREDENTIALS, JSON, True, True),
        ("/connect", b"email=bob&pwd=hunter2", "Content-Type: application/x-www-form-urlencoded", True, True),
        ("/connect", b'{"username": "bob"}', JSON, False, False),
        ("/connect", b'{"password": "x"}', JSON, False, False),
        ("/register", CREDENTIALS, JSON, False, True),
        ("/me/password", CREDENTIALS, JSON, False, True),
        ("/password/forgot", b'{"email": "bob@x.test"}', JSON, False, True),
        ("/username/available", b'{"username": "bob"}', JSON, False, True),
        ("/registrieren", b"email=bob", "Content-Type: application/x-www-form-urlencoded", False, True),
    ],
)
def test_a_login_is_known_by_what_it_takes(target: str, body: bytes, kind: str, known: bool, named: bool) -> None:
    row = login(response(b"", status="401 No"), target, body, kind)
    assert (row["login"], row["login_failed"], row["account"] != 0) == (known, known, named)


BOB = fingerprint(KEY, b"bob")
REFUSED = b'{"errors": [{"message": "Invalid credentials"}], "data": {"login": null}}'
RPC_REFUSED = b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "Login name is incorrect."}}'


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/graphql", {"query": 'mutation { login(username: "bob", password: "pw1") { token } }'}),
        ("/graphql", {"query": 'mutation {\n  a: signIn(input: {email: "bob", password: "pw1"}) { token }\n}'}),
        ("/graphql", {"query": "mutation M($i: In!) { authenticate(input: $i) { jwt } }", "operationName": "M",
                      "variables": {"i": {"email": "bob", "password": "pw1"}}}),
        ("/graphql", {"operationName": "LoginUser", "variables": {"username": "bob", "password": "x"},
                      "query": "mutation LoginUser($username: String!, $password: String!) { tokenCreate { token } }"}),
        ("/rpc", {"jsonrpc": "2.0", "method": "user.login", "params": {"user": "bob", "password": "x"}, "id": 1}),
    ],
)  # fmt: skip
def test_a_login_inside_of_an_operation(target: str, body: Any) -> None:
    granted = b'{"data": {"login": {"token": "abcdefgh"}}}'
    for answered, well in ((REFUSED, False), (RPC_REFUSED, False), (granted, True)):
        row = login(response(answered, JSON), target, json.dumps(body).encode(), JSON)
        assert (row["login"], row["login_failed"], row["account"], row["issued"] != 0) == (True, not well, BOB, well)


def test_a_login_by_json_rpc_that_names_nothing() -> None:
    body = json.dumps({"jsonrpc": "2.0", "method": "session.login", "params": ["bob", "x"], "id": 1}).encode()
    row = login(response(RPC_REFUSED, JSON), "/rpc", body, JSON)
    assert (row["login"], row["login_failed"], row["account"]) == (True, True, 0)


@pytest.mark.parametrize(
    "body",
    [
        {"query": "query LoginPage { texts }"},
        {"query": 'mutation { register(email: "bob", password: "pw1") { token } }'},
        {"query": 'mutation { changePassword(user: "bob", password: "pw1") { ok } }'},
        {"query": "{ users { id password_changed } }"},
    ],
)
def test_other_operations_are_no_logins(body: Any) -> None:
    row = login(response(REFUSED, JSON), "/graphql", json.dumps(body).encode(), JSON)
    assert (row["login"], row["account"]) == (False, BOB if "bob" in str(body) else 0)


@pytest.mark.parametrize(
    ("target", "body", "endpoint"),
    [
        ("/graphql", {"operationName": "GetUser", "query": "query GetUser { user }"}, "/graphql#GetUser"),
        ("/graphql", {"query": "mutation  Create($a: Int) { x }", "variables": {"method": "no"}}, "/graphql#Create"),
        ("/api/graphql", {"query": "{\n  users { id } }"}, "/api/graphql#users"),
        ("/graphql", {"query": "query ($id: ID!) { order(id: $id) { id } }"}, "/graphql#order"),
        ("/graphql", [{"operationName": "First"}, {"operationName": "Second"}], "/graphql#First"),
        ("/graphql", {"variables": {}}, "/graphql"),
        ("/rpc", {"jsonrpc": "2.0", "method": "user.get", "params": [1]}, "/rpc#user.get"),
        ("/rpc", {"method": "user.get", "jsonrpc": "2.0"}, "/rpc#user.get"),
        ("/rpc", {"method": "user.get"}, "/rpc"),
        ("/rpc", {"jsonrpc": "2.0", "method": "a b\r\n"}, "/rpc#a"),
    ],
)
def test_operations_are_endpoints_of_their_own(target: str, body: Any, endpoint: str) -> None:
    row = one(request(target, JSON, method="POST", body=json.dumps(body).encode()), OK)
    assert row["endpoint"] == endpoint


def test_broken_bodies_do_no_harm() -> None:
    chance = random.Random(11)
    members = {"query": "query A {b}", "jsonrpc": "2.0", "method": "x", "password": 'a"\\', "user": "u"}
    whole = json.dumps(members).encode()
    for i in range(120):
        body = bytearray(whole)
        for _ in range(chance.randrange(1, 5)):
            body[chance.randrange(len(body))] = chance.choice(b'{}[]":,\\ax\n')
        cut = bytes(body[: chance.randrange(1, len(body) + 1)])
        target = "/graphql" if i % 2 else "/login"
        row = login(response(cut, JSON), target, cut)
        assert row["status_code"] == 200
