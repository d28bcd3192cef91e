"""Plain data needs no judge: what ordinary APIs send is plain, and nothing is that a judge would find something in."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sensor.detection.injection import plain_words
from sensor.detection.injection.finding import WEAK
from sensor.detection.injection.judge import worst
from sensor.detection.injection.plain import byte_classes, word_table
from sensor.detection.injection.plain_kernel import choose
from sensor.detection.injection.search import judge_piece
from sensor.detection.unseen import Unseen
from sensor.detection.unseen_kernel import PieceKind
from tests.detection.injection.test_judge import ATTACKS
from tests.detection.test_unseen import batch, head

PLAIN = [
    "/api/v1/products?page=8&per_page=25&sort=name", "/users/7f3a9c1e-22b0-4c11-9d3e-1f2a3b4c5d6e/orders",
    "/search?q=red%20shoes&lang=de", "/v2/items/000000290272", "/?a=", "/",
]  # fmt: skip
PLAIN_BODIES = [
    '{"id": 7378053, "name": "Larch Haven", "email": "amber.grove@example.test", "balance": 6403.15, "active": true, '
    '"tags": ["knoll", "delta"], "created": "2026-11-11T10:00:57Z", "lines": [482, -7.5], "note": null}',
    '{"customerReference":"A-1093","isDefault":false,"city":"Köln","owner":"Anna O\'Brien"}',
    '{\n  "type": "home",\n  "text": "Thank you, see you tomorrow!"\n}',
    "username=bob&age=34&remember=yes",
]


def is_plain(kind: PieceKind, octets: bytes) -> bool:
    """Whether the only piece of this kind is not chosen."""
    reader = Unseen().reader("one", (kind,))
    if kind == PieceKind.LINE:
        contents, arena = batch((head(target=octets), b""))
    elif kind == PieceKind.HEADER:
        contents, arena = batch((head(octets), b""))
    else:
        contents, arena = batch((head(), octets))
    pieces = reader.pieces(contents, arena)
    chosen = np.zeros(len(pieces), np.uint8)
    choose(pieces, arena, reader.wants, reader.bit, byte_classes(), *word_table(), chosen)
    return not chosen.any()


@pytest.mark.parametrize("target", PLAIN)
def test_ordinary_targets_are_plain(target: str) -> None:
    assert is_plain(PieceKind.LINE, target.encode())


@pytest.mark.parametrize("body", PLAIN_BODIES)
def test_ordinary_bodies_are_plain(body: str) -> None:
    assert is_plain(PieceKind.BODY, body.encode())


@pytest.mark.parametrize("target", PLAIN)
def test_links_with_ordinary_targets_are_plain(target: str) -> None:
    assert is_plain(PieceKind.HEADER, f"Referer: https://api.shop.test:8443{target}".encode())


@pytest.mark.parametrize(
    "link",
    [b"https://shop.test", b"https:///a", b"https://a@b/c", b"https:/a/b", b"ftp://a/b", b"httpx://a/b", b"https://a?b/c",
     b"https://$b/c", b"//a/b", b"https://a/../b", b"https://a/etc/passwd"],
)  # fmt: skip
def test_unusual_links_are_not(link: bytes) -> None:
    assert not is_plain(PieceKind.HEADER, b"Referer: " + link)


@pytest.mark.parametrize("line", [b"X-Request-Id: 000000003072", b"Authorization: %00", b"X-Page: 7"])
def test_ordinary_headers_are_plain(line: bytes) -> None:
    assert is_plain(PieceKind.HEADER, line)


@pytest.mark.parametrize("value", [value for values in ATTACKS.values() for value in values])
def test_attacks_are_not(value: str) -> None:
    octets = value.encode()
    quoted = "".join(f"\\u{ord(char):04x}" if char in '"\\\r\n' else char for char in value).encode()
    assert not is_plain(PieceKind.LINE, b"/a?b=" + b"".join(b"%%%02x" % byte for byte in octets))
    assert not is_plain(PieceKind.BODY, b'{"a":"' + quoted + b'"}')
    assert b"\n" in octets or not is_plain(PieceKind.HEADER, b"X-A: " + octets)
    assert b"\n" in octets or not is_plain(PieceKind.HEADER, b"Referer: https://a.test/b?c=" + octets)


@pytest.mark.parametrize(
    "octets",
    [b"__proto__=1", b'{"is_admin": true}', b'{"admin":1}', b'{"$ne":"a"}', b"a=1&a=x=1", b'{"a":"b', b'{"a":"b"c"}',
     b"a=%2e", b"a=\xc0\xaf", b"a=x\xbcscript", b'{"a":"//b"}', b'{"a":1;}', b"a=" + 200 * b"A", b"x=rO0ABXNy"],
)  # fmt: skip
def test_what_a_judge_must_see_is_not_plain(octets: bytes) -> None:
    assert not is_plain(PieceKind.BODY, octets)


WORDS = sorted(" ".join((plain_words.HARD, plain_words.ALONE, plain_words.SOFT, plain_words.STARTS)).split())
ORDINARY = ["name", "user", "table", "of", "the", "red", "1", "17", "3.5", "a", "x", "plan", "and", "or", "in"]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_plain_makes_a_judge_speak(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        words = [chance.choice(chance.choice((WORDS, ORDINARY))) for _ in range(chance.randint(1, 5))]
        text = words[0] + "".join(chance.choice((" ", " ", "-", "_", ", ", ".", ":", "=")) + word for word in words[1:])
        target = "/" + text.replace(", ", "/").replace(" ", chance.choice(("%20", "+", "/")))
        for kind, octets in (
            (PieceKind.BODY, f'{{"name": "{text}"}}'.encode()),
            (PieceKind.LINE, b"/a?q=" + text.replace(" ", "%20").encode()),
            (PieceKind.LINE, target.encode()),
            (PieceKind.HEADER, b"X-Name: " + text.encode()),
            (PieceKind.HEADER, b"Referer: http://a.test" + target.encode()),
        ):
            if is_plain(kind, octets):
                content_type = b"application/json" if kind == PieceKind.BODY else b""
                found = [finding for finding, _ in judge_piece(octets, kind, content_type)]
                assert worst(found) < WEAK, (octets, found)
