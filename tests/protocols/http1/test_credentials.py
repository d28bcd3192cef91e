"""Who asks: schemes, fingerprints that stand for credentials, and the account that a login names; never the credential
itself.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

import pytest

from tests.oracles.siphash import fingerprint, siphash
from tests.protocols.http1.messages import OK, chunked, one, request, rows, talk
from tests.traffic import KEY, observe

TOKEN = "dG9rZW4tZm9yLWJvYg"


def basic(user: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def user_of(header: str, *more: str) -> tuple[str, int]:
    row = one(request("/a", header, *more), OK)
    return row["auth_scheme"], row["user"]


def test_the_twin_is_siphash() -> None:
    assert siphash(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


@pytest.mark.parametrize(
    ("header", "scheme", "hashed"),
    [
        (f"Authorization: Bearer {TOKEN}", "bearer", TOKEN),
        (f"authorization: BEARER   {TOKEN}", "bearer", TOKEN),
        ("Authorization: Digest username=bob", "digest", "username=bob"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=x", "", "AWS4-HMAC-SHA256 Credential=x"),
        (f"Authorization: {TOKEN}", "", TOKEN),
        (basic("bob", "pa:ss"), "basic", "bob"),
        ("X-Api-Key: k-123", "api-key", "k-123"),
        ("Api-Key: k-123", "api-key", "k-123"),
        (f"Cookie: theme=dark; sessionid={TOKEN}; x=1", "cookie", TOKEN),
        (f"Cookie: PHPSESSID={TOKEN}", "cookie", TOKEN),
        (f"Cookie: connect.sid={TOKEN}", "cookie", TOKEN),
        (f"Cookie: access_token={TOKEN}", "cookie", TOKEN),
    ],
)
def test_schemes_and_fingerprints(header: str, scheme: str, hashed: str) -> None:
    assert user_of(header) == (scheme, fingerprint(KEY, hashed.encode()))


@pytest.mark.parametrize("header", ["Cookie: theme=dark; lang=en", "Cookie: ", "X-Other: 1", "Authorization:"])
def test_no_credential(header: str) -> None:
    assert user_of(header) == ("", 0)


def test_authorization_comes_before_keys_and_cookies() -> None:
    scheme, user = user_of("Cookie: sid=1", "X-Api-Key: 2", f"Authorization: Bearer {TOKEN}")
    assert (scheme, user) == ("bearer", fingerprint(KEY, TOKEN.encode()))
    assert user_of("Cookie: sid=1", "X-Api-Key: 2") == ("api-key", fingerprint(KEY, b"2"))


def test_a_password_changes_nothing_about_who_it_is() -> None:
    assert user_of(basic("bob", "one")) == user_of(basic("bob", "another"))
    assert user_of(basic("bob", "one")) != user_of(basic("eve", "one"))


def test_basic_names_the_account() -> None:
    row = one(request("/a", basic("bob", "pw")), OK)
    assert row["login"]
    assert row["account"] == row["user"] == fingerprint(KEY, b"bob")


@pytest.mark.parametrize("value", ["", "===", "Ym9i", "A" * 60_000, "\xff\xfe", "Og=="])
def test_basic_credentials_that_are_none_do_no_harm(value: str) -> None:
    row = one(request("/a", f"Authorization: Basic {value}"), OK)
    assert row["uri"] == "/a"


@pytest.mark.parametrize("header", [f"Authorization: Bearer {TOKEN}", basic(TOKEN, TOKEN), f"Cookie: sid={TOKEN}",
                                    f"X-Api-Key: {TOKEN}"])  # fmt: skip
def test_the_credential_is_in_nothing_that_comes_out(header: str) -> None:
    row = one(request("/login", header, method="POST", body=f'{{"user":"{TOKEN}","password":"{TOKEN}"}}'.encode()), OK)
    assert row["user"] != 0
    assert TOKEN not in str(row)
    assert base64.b64encode(TOKEN.encode()).decode()[:16] not in str(row)


# --- logins ---------------------------------------------------------------------------------------------------------

BODIES = {
    "json": json.dumps({"username": "bob", "password": "x"}).encode(),
    "json, name last": json.dumps({"password": "a=b&user", "remember": True, "email": "bob"}).encode(),
    "json, indented": json.dumps({"user": "bob", "password": "x"}, indent="\t").encode(),
    "json, blanks": b'{ "user" : \r\n "bob" }',
    "json, nested": json.dumps({"credentials": {"login": "bob", "password": "x"}}).encode(),
    "json, name as a value before": json.dumps({"type": "username", "userName": "bob"}).encode(),
    "form": b"username=bob&password=x",
    "form, German": b"csrf=1&benutzername=bob&passwort=x",
    "json, French": json.dumps({"identifiant": "bob", "mot_de_passe": "x"}).encode(),
    "json, Spanish": json.dumps({"usuario": "bob", "clave": "x"}).encode(),
    "form, name last": b"csrf=1&password=user&email=bob",
    "form, escaped": b"csrf=1&user%6eame=%62o%62&password=x",
    "json, escaped": b'{"p":"\\\\","q":"\\"user\\":\\"eve\\"","user\\u006eame":"\\u0062o\\u0062"}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("mss", [1, 5, 1_460])
def test_the_account_of_a_login(name: str, mss: int) -> None:
    row = one(request("/api/login", method="POST", body=BODIES[name]), OK, mss=mss)
    assert row["login"]
    assert row["account"] == fingerprint(KEY, b"bob")


NAMES = ["a@b", "a b+c", 'say "hi"', "back\\slash", "x/y", "\u00e9\u20ac\U0001f600", "%41", "a&b=c", "tab\tnl\n",
         "\ud800"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_account_is_the_same_however_it_is_escaped(name: str) -> None:
    expected = fingerprint(KEY, name.encode("utf-8", "surrogatepass"))
    pairs = [("user", name), ("password", "x")]
    text = json.dumps(dict(pairs))
    bodies = [text.encode(), text.replace("/", "\\/").encode(),
              json.dumps(dict(pairs), ensure_ascii=False).encode("utf-8", "surrogatepass"),
              urlencode(pairs, errors="surrogatepass").encode(),
              urlencode(pairs, quote_via=quote, safe="@/", errors="surrogatepass").encode()]  # fmt: skip
    for body in bodies:
        assert one(request("/login", method="POST", body=body), OK)["account"] == expected, body


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_the_account_of_a_login_in_chunks(size: int) -> None:
    body = BODIES["json"]
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    row = one(request("/login", "Transfer-Encoding: chunked", method="POST") + chunked(*pieces), OK)
    assert row["account"] == fingerprint(KEY, b"bob")


def test_a_login_wherever_it_is_cut() -> None:
    asked = request("/login", method="POST", body=BODIES["form"])
    whole = one(asked, OK)
    for cut in range(1, len(asked)):
        conversation = talk()
        conversation = type(conversation)().open().client(asked, [cut]).server(OK).close()
        found = observe(conversation.packets).only
        assert (cut, found["account"], found["uri"]) == (cut, whole["account"], whole["uri"])


@pytest.mark.parametrize("body", [b"", b"x" * 100, b'{"user":null}', b'{"user":7}', b'{"user', b'{"user":"', b"user=",
                                  b"=", b'"' * 300, b"user=bob" * 2_000, b"\x00" * 50])  # fmt: skip
def test_bodies_that_name_nobody_do_no_harm(body: bytes) -> None:
    row = one(request("/login", method="POST", body=body), OK)
    assert row["status_code"] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/login", "/api/v1/Login", "/users/sign-in", "/users/sign_in", "/verify-otp", "/2fa", "/oauth/token",
        "/session", "/api/auth", "/anmelden", "/connexion", "/iniciar-sesion", "/accedi",
    ],
)  # fmt: skip
def test_paths_that_take_logins(path: str) -> None:
    assert one(request(path, method="POST", body=b"a"), OK)["login"]


@pytest.mark.parametrize(
    "path",
    ["/logout", "/token/refresh", "/register", "/registration", "/registrieren", "/author", "/orders", "/a?login"],
)
def test_paths_that_do_not(path: str) -> None:
    assert not one(request(path, method="POST", body=b"a"), OK)["login"]


def test_reading_a_page_is_no_login() -> None:
    assert not one(request("/login"), OK)["login"]


def test_each_login_on_a_connection_has_its_own_account() -> None:
    turns = [part for name in (b"bob", b"eve", b"") for part in (
        request("/login", method="POST", body=b"user=" + name + b"&p=1"), OK)]  # fmt: skip
    assert [row["account"] for row in rows(*turns)] == [fingerprint(KEY, name) for name in (b"bob", b"eve", b"")]
