"""Random Sigma rules and the rows that they are tried on: in: a seed; out: documents as YAML gives them, and rows.

Texts are cut out of few words over few fields, so that most tests hold for some rows and not for others. The one law:
the same seed gives the same rules and rows.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

WORDS = (
    "admin", "Login", "a*b", "c?d", "x\\y", "..\\", "../", "%2e%2e", "SELECT 1", " -enc", "/etc/passwd", "q=1&r=2",
    ".php",
    "{{7*7}}", "${jndi:", "'--", "\\\\host", "foobar", "Zm9vYmFy", "b29iYX", "ZgBvAG8A", "=", "*", "?", "\\", "\\*",
    "a.b",
    "curl/8", "Mozilla", " ", "[x]", "(y)", "+", "$",
)  # fmt: skip
TEXTS: Mapping[str, tuple[str, ...]] = {
    "webserver": (
        "cs-method", "cs-host", "cs-uri", "cs-uri-stem", "cs-uri-query", "cs-uri-extension", "c-uri", "cs-user-agent",
        "cs-referer", "sc-content-type",
    ),
    "proxy": ("c-uri", "c-uri-query", "c-uri-extension", "c-useragent", "cs-host", "r-dns", "cs-method", "cs-referrer"),
    "zeek": ("uri", "host", "user_agent", "referrer", "method", "resp_mime_types", "status_msg"),
    "api": ("endpoint", "uri", "host", "user_agent", "auth_scheme", "response_content_type"),
}  # fmt: skip
NUMBERS: Mapping[str, tuple[str, ...]] = {
    "webserver": ("sc-status", "cs-bytes", "sc-bytes", "s-port", "time-taken"),
    "proxy": ("sc-status", "cs-bytes", "sc-bytes"),
    "zeek": ("status_code", "request_body_len", "response_body_len", "id.resp_p", "trans_depth"),
    "api": ("status_code", "records", "wait_ms", "page", "object_number"),
}
ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "webserver": ("c-ip", "s-ip"), "proxy": ("src_ip", "dst_ip"), "zeek": ("id.orig_h", "id.resp_h"),
    "api": ("client_ip", "server_ip"),
}  # fmt: skip
SOURCES = {
    "webserver": {"category": "webserver"}, "proxy": {"category": "proxy"}, "api": {"category": "api"},
    "zeek": {"product": "zeek", "service": "http"},
}  # fmt: skip
CLIENTS = ("10.1.2.3", "10.2.0.9", "192.0.2.77", "2001:db8::7", "2001:db9:1::1", "fe80::1", "::1")
NETWORKS = (
    "10.0.0.0/8",
    "10.1.2.3/32",
    "192.0.2.64/26",
    "2001:db8::/32",
    "fe80::/10",
    "::/0",
    "0.0.0.0/0",
    "2001:db9:1::1/128",
)
PATTERNS = (
    "^/a", "[0-9]+", "admin|login", "(?i)LOGIN", r"\.php$", "a.b", r"^.{3,9}$", "x\\\\y", "(foo|SEL)", r"\s-enc", "^$",
    r"q=\d(&r=\d)?", "[^a-z]{4}", "(?:ab)+|c\\?d", r"\bMozilla\b",
)  # fmt: skip


class Made(NamedTuple):
    """A random rule: the log source by its short name, and the document."""

    source: str
    document: dict[str, Any]


def text(chance: random.Random) -> str:
    """A value of a field."""
    return "".join(chance.choice(WORDS) for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3))))


def row(chance: random.Random, number: int) -> dict[str, Any]:
    """Columns of a transaction, for `tests.detection.tables.transaction`."""
    target = "/" + text(chance).lstrip("/") + chance.choice(("", "", "?" + text(chance)))
    return {
        "seconds": float(number), "client": chance.choice(CLIENTS), "server": chance.choice(CLIENTS),
        "method": chance.choice(("GET", "POST", "get", "PROPFIND")), "host": chance.choice(("", text(chance),
        "a.test")),
        "uri": chance.choice((target, target, target, "", "http://a.test/x?y", "*")), "user_agent": text(chance),
        "referrer": chance.choice(("", text(chance), "a.test", "https://a.test/")),
        "status_code": chance.choice((0, 200, 204, 302, 404, 500, 503)), "status_msg": chance.choice(("", "OK")),
        "request_body_len": chance.choice((0, 1, 99, 100, 5_000_000_000)), "endpoint": chance.choice(("/a/{id}",
        target)),
        "response_body_len": chance.choice((0, 7, 100, 101, 1_000_000)), "records": chance.choice((-1, 0, 5, 1001)),
        "response_content_type": chance.choice(("", "text/html", "application/json")),
        "trans_depth": chance.choice((0, 3)),
        "page": chance.choice((-1, 1, 40)), "object_number": chance.choice((-1, 12, 99_999)),
        "auth_scheme": chance.choice(("", "bearer", "Basic")), "wait_ns": chance.choice((0, 1_500_000, 250_000_000)),
    }  # fmt: skip


def _escaped(value: str, chance: random.Random) -> str:
    """A text as a rule writes it: its signs sometimes kept from being wildcards, sometimes made into some."""
    kind = chance.randrange(4)
    if kind == 0:
        return value
    escaped = value.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    if kind == 1 or not escaped:
        return escaped
    cut = chance.randrange(len(escaped) + 1)
    return escaped[:cut] + chance.choice(("*", "?", "**", "\\\\*")) + escaped[cut:]


def _test_of_text(chance: random.Random, fields: tuple[str, ...]) -> tuple[str, Any]:
    field = chance.choice(fields)
    kind = chance.randrange(16)
    if kind == 0:
        return field, chance.choice((None, "", "*", "?*", [None, "a*"]))
    if kind == 1:
        return f"{field}|exists", chance.random() < 0.5
    if kind == 2:
        place = chance.choice(("", "|startswith", "|endswith", "|contains"))
        return f"{field}|fieldref{place}", chance.choice(fields)
    if kind in (3, 4):
        flags = "".join(f"|{flag}" for flag in "ims" if chance.random() < 0.3)
        return f"{field}|re{flags}", _one_or_more(chance, lambda: chance.choice(PATTERNS))
    if kind == 5:
        coding = chance.choice(("", "wide|", "utf16|", "utf16be|", "utf16le|"))
        form = chance.choice(("base64", "base64offset"))
        return f"{field}|{coding}{form}|contains", _one_or_more(
            chance, lambda: chance.choice(("foo", "foobar", "admin"))
        )
    if kind == 6:
        return f"{field}|windash|contains", _one_or_more(chance, lambda: chance.choice((" -enc", "/enc", "-a -b")))
    names = ["contains", "contains", "contains", "startswith", "endswith", ""]
    chosen = [each for each in (chance.choice(names), chance.choice(("", "", "cased"))) if each]
    chance.shuffle(chosen)
    values = _one_or_more(chance, lambda: _escaped(text(chance), chance))
    if isinstance(values, list) and "contains" in chosen and chance.random() < 0.3:
        chosen.append("all")
    if not chosen and chance.random() < 0.15:
        chosen.append("neq")
    return "|".join([field, *chosen]), values


def _one_or_more(chance: random.Random, make: Any) -> Any:
    return make() if chance.random() < 0.6 else [make() for _ in range(chance.randrange(2, 5))]


def _test_of_number(chance: random.Random, fields: tuple[str, ...]) -> tuple[str, Any]:
    field, kind = chance.choice(fields), chance.randrange(8)
    number = chance.choice((0, 1, 7, 99, 100, 100.5, 200, 404, 500, 1000, 1.5, 5_000_000_000))
    if kind < 4:
        return f"{field}|{chance.choice(('lt', 'lte', 'gt', 'gte', 'neq'))}", number
    if kind == 4:
        return field, _one_or_more(chance, lambda: chance.choice((200, "404", 500, "5*", "2?4", 0)))
    if kind == 5:
        return f"{field}|{chance.choice(('contains', 'startswith', 'endswith'))}", chance.choice(
            ("0", "5", "40", 5, 40)
        )
    if kind == 6:
        return f"{field}|re", chance.choice(("^5", "0$", "^[45]..$"))
    return chance.choice(((f"{field}|exists", chance.random() < 0.5), (field, None)))


def _map(chance: random.Random, source: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        kind = chance.randrange(10)
        if kind < 7:
            key, value = _test_of_text(chance, TEXTS[source])
        elif kind < 9:
            key, value = _test_of_number(chance, NUMBERS[source])
        else:
            field = chance.choice(ADDRESSES[source])
            key, value = chance.choice(
                (
                    (f"{field}|cidr", _one_or_more(chance, lambda: chance.choice(NETWORKS))),
                    (field, chance.choice(CLIENTS)),
                )
            )
        found[key] = value
    return found


def _section(chance: random.Random, source: str) -> Any:
    kind = chance.randrange(10)
    if kind < 7:
        return _map(chance, source)
    if kind == 7:
        return [_map(chance, source) for _ in range(chance.randrange(1, 4))]
    words = [chance.choice((_escaped(chance.choice(WORDS), chance), 8, 77)) for _ in range(chance.randrange(1, 4))]
    return {"|all": words} if kind == 8 and len(words) > 1 else words


def _expression(chance: random.Random, names: list[str], depth: int) -> str:
    kind = chance.randrange(7 if depth else 3)
    if kind < 2:
        return chance.choice(names)
    if kind == 2:
        return chance.choice(("1 of", "all of", "any of")) + " " + chance.choice(("them", "s*", "filter*", "sel_1*"))
    if kind == 3:
        return f"not {_bracketed(_expression(chance, names, depth - 1))}"
    word = chance.choice(("and", "or", "and not"))
    sides = [_expression(chance, names, depth - 1) for _ in range(2)]
    if chance.random() < 0.5:
        sides = [_bracketed(side) for side in sides]
    return f" {word} ".join(sides)


def _bracketed(text: str) -> str:
    return f"({text})" if " " in text else text


def rule(chance: random.Random, number: int) -> Made:
    """One random rule."""
    source = chance.choice(tuple(SOURCES))
    names = chance.sample(("sel_1", "sel_1b", "s2", "filter_x", "filter_y", "_hidden"), chance.randrange(1, 5))
    detection: dict[str, Any] = {name: _section(chance, source) for name in names}
    condition = _expression(chance, names, 2)
    detection["condition"] = condition if chance.random() < 0.95 else [condition, names[0]]
    return Made(source, {"title": f"rule {number}", "logsource": SOURCES[source], "detection": detection})
