"""What may not leave: secrets in targets and referrers become `***`, unless an analyst asks for them."""

from __future__ import annotations

from urllib.parse import unquote

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
    ("/a?apikey=s3cr3t;s3cr3t&b=1", "/a?apikey=***&b=1"),
    ("/a?b=1;apikey=s3cr3t", "/a?b=1;apikey=***"),
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
    ("/a;jsessionid=s3cr3t?x=1", "/a;jsessionid=***?x=1"),
    ("/a;token=s3cr3t;b=1/c;pin=s3cr3t/d", "/a;token=***;b=1/c;pin=***/d"),
    ("/reset/token=s3cr3t", "/reset/token=***"),
    ("/a%3Btoken%3Ds3cr3t/b", "/a%3Btoken%3D***/b"),
    ("/a#/b?token=s3cr3t", "/a#/b?token=***"),
    ("/a?to%6ben=s3cr3t", "/a?to%6ben=***"),
    ("/a?to%256ben=s3cr3t", "/a?to%256ben=***"),
    ("/a?to%25%36ben=s3cr3t", "/a?to%25%36ben=***"),
    ("/a?%74%6f%6b%65%6e=s3%2526cr3t%26s3cr3t", "/a?%74%6f%6b%65%6e=***"),
    ("/a?to%u006ben=s3cr3t", "/a?to%u006ben=***"),
    ("/a?user%5Bpassword%5D=s3cr3t", "/a?user%5Bpassword%5D=***"),
    ("/a?user[pin]=s3cr3t&pin[0]=s3cr3t", "/a?user[pin]=***&pin[0]=***"),
    ("/a?userPin=s3cr3t&card.cvv=s3cr3t&pass2=s3cr3t", "/a?userPin=***&card.cvv=***&pass2=***"),
    ("/a?next=%2Fb%3Ftoken%3Ds3cr3t&x=1", "/a?next=%2Fb%3Ftoken%3D***&x=1"),
    ("/a?next=%252Fb%253Ftoken%253Ds3cr3t&x=1", "/a?next=%252Fb%253Ftoken%253D***&x=1"),
    ('/a?q={"password":"s3cr3t","x":1}&y=1', '/a?q={"password":***&y=1'),
    ("/a?q=%7B%22password%22%20:%20%22s3cr3t%22%7D&y=1", "/a?q=%7B%22password%22%20:***&y=1"),
    ("/pay?n=4111%201111%201111%201111&x=1", "/pay?n=***&x=1"),
    ("/pay?n=4111%2520-%25201111%2B11111111", "/pay?n=***"),
    ("/pay?n=%34%31%31%31111111111111", "/pay?n=***"),
    ("/pay/4111111111111111-25", "/pay/***-25"),
    ("/pay/7-4111-1111-1111-1111", "/pay/7-***"),
    ("/pay?n=card4111111111111111x", "/pay?n=card***x"),
    ("/go?to=http%3A%2F%2Fbob%3As3cr3t%40api.test%2F", "/go?to=http%3A%2F%2F***%40api.test%2F"),
    ("//bob:s3cr3t@api.test/a", "//***@api.test/a"),
    (f"/a/Bearer%20{JWT}", "/a/Bearer%20***"),
    (f"/a#{JWT}", "/a#***"),
    (f"/a?q={JWT.replace('.', '%2E')}", "/a?q=***"),
    (f"/a?q=%65%79%4a{JWT[3:]}", "/a?q=***"),
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
    "/a?when=2024-05-01T10:00:00", "//cdn/a@b", "/a%20b/c?d=%2Fe%3Ff", "/a?100%=1&%zz=2&%", "/a?tracking=1&mapping=2",
    "/a?q=%u12", "/a?keyboard=us&passage=2&author=x", '/a?q={"name":"x"}', "/a?x==&=&&=1",
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


def escaped(data: st.DataObject, text: str) -> str:
    """The text with some of its bytes escaped, some of these escapes escaped again."""
    if data.draw(st.booleans()):
        return text
    once = "".join(f"%{ord(x):02x}" if data.draw(st.booleans()) else x for x in text)
    if data.draw(st.booleans()):
        return once
    return "".join(f"%{ord(x):02X}" if x == "%" or data.draw(st.booleans()) else x for x in once)


@given(st.data(), st.sampled_from(["?a=1&{}", "?{}&a=1", ";{}/b?c", "#{}", "?u=http://h/?{}", "/{}/x"]),
       st.sampled_from(["token", "user[password]", "Card.Number", "apiKey", "otp", "x-api-key"]))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_escapes_hide_no_secret(data: st.DataObject, frame: str, name: str) -> None:
    """Whatever of name and value is escaped, once or twice, nothing of the value is shown, in any column."""
    value = "".join(data.draw(st.lists(st.sampled_from("ZQWX"), min_size=1, max_size=12)))
    target = "/p" + frame.format(escaped(data, name) + escaped(data, "=") + escaped(data, value))
    row = observe(talk(request(target, f"Referer: http://h{target}"), OK).packets).only
    for column in ("uri", "referrer", "endpoint"):
        assert not set("ZQWX") & set(unquote(unquote(row[column])))


@given(st.data(), st.sampled_from(["4111111111111111", "378282246310005", "6011000990139424"]))
@settings(max_examples=100, deadline=None)
def test_no_separator_or_escape_hides_a_card_number(data: st.DataObject, number: str) -> None:
    between = st.sampled_from(["-", "+", "%20", "%2B", "%2520", "%20-%20"])
    breaks = data.draw(st.dictionaries(st.integers(1, len(number) - 1), between, max_size=6))
    text = "".join(breaks.get(i, "") + escaped(data, digit) for i, digit in enumerate(number))
    assert observe(talk(request(f"/pay?n={text}&x=1"), OK).packets).only["uri"] == "/pay?n=***&x=1"


@given(st.text(alphabet="%2536beyJ.=&;/?#token:@\"4-+ u0", max_size=80))
@settings(max_examples=150, deadline=None)
def test_what_is_hidden_once_is_hidden_for_good(text: str) -> None:
    """Hiding what was hidden changes nothing more: no secret is put together by leaving another one out."""
    target = "/x" + text.replace(" ", "")
    once = observe(talk(request(target), OK).packets).only["uri"]
    assert observe(talk(request(once), OK).packets).only["uri"] == once


@given(st.lists(st.sampled_from(["token", "x", "password", "q"]), max_size=5), st.binary(max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_value_of_a_secret_parameter_never_leaves(names: list[str], noise: bytes) -> None:
    secret = b"zZ" + bytes(byte for byte in noise if byte > 32 and byte not in b"&#")
    query = b"&".join(name.encode() + b"=" + (secret if name in ("token", "password") else b"1") for name in names)
    row = observe(talk(b"GET /a?" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n", OK).packets).only
    assert "zZ" not in row["uri"]
