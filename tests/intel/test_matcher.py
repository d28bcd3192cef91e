"""What a matcher says of addresses, names, URLs, user agents and fingerprints, and what it leaves alone."""

from __future__ import annotations

import pytest

from sensor.config import FeedSettings
from sensor.intel.ask import ask
from sensor.intel.compiled import Status, compiled
from sensor.intel.formats import parse
from sensor.intel.matcher import Matcher

NOW = 1_795_250_000.0
JA3 = "e7d705a3286e19ea42f587b344ee6865"
JA4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"


def feed(name: str, text: str, **given: object) -> tuple[Status, object]:
    settings = FeedSettings(name=name, url="file:///x", **given)  # type: ignore[arg-type]
    return Status(name=name, confidence=settings.confidence), compiled(parse(text.encode(), settings, NOW).indicators)


MATCHER = Matcher([
    feed("mixed", f"45.9.8.0/24 # botnet\nevil.example.org\nhttp://drop.example.org/kit/\n{JA4}\nhttp://a.example.org/x?y=1"),
    feed("agents", "Evil/1.0\n*havij*\n", kind="user_agent", confidence=0.9),
    feed("tls", JA3, kind="ja3"),
    feed("narrow", "45.9.8.7", confidence=0.4, expire_seconds=60),
])  # fmt: skip  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("45.9.8.9", [("mixed", "45.9.8.0/24")]),
        ("45.9.8.7", [("narrow", "45.9.8.7"), ("mixed", "45.9.8.0/24")]),
        ("45.9.9.1", []),
        ("evil.example.org", [("mixed", "evil.example.org")]),
        ("WWW.evil.example.org.", [("mixed", "evil.example.org")]),
        ("notevil.example.org", []),
        ("example.org", []),
        ("https://drop.example.org/kit/stage2.bin?x=1", [("mixed", "drop.example.org/kit/")]),
        ("http://drop.example.org/", []),
        ("http://a.example.org/x?y=1", [("mixed", "a.example.org/x?y=1")]),
        ("http://a.example.org/x?y=2", []),
        ("evil/1.0", [("agents", "evil/1.0")]),
        ("Mozilla (HAVIJ 1.1)", [("agents", "*havij*")]),
        ("curl/8.5", []),
        (JA3.upper(), [("tls", JA3)]),
        (JA4, [("mixed", JA4)]),
    ],
)
def test_what_is_named(value: str, named: list[tuple[str, str]]) -> None:
    assert [(hit.feed, hit.value) for hit in ask(MATCHER, value, NOW)] == named


def test_what_has_expired_is_not_there() -> None:
    assert [hit.feed for hit in ask(MATCHER, "45.9.8.7", NOW + 61)] == ["mixed"]


def test_confidence_and_note_are_the_entrys_or_the_feeds() -> None:
    hit = ask(MATCHER, "45.9.8.9", NOW)[0]
    assert (hit.confidence, hit.note, hit.expires) == (0.7, "botnet", 0)
    assert ask(MATCHER, "evil/1.0", NOW)[0].confidence == 0.9


def test_nothing_is_known_without_feeds() -> None:
    assert len(Matcher()) == 0
    assert ask(Matcher(), "45.9.8.7", NOW) == ask(Matcher(), "evil.example.org", NOW) == []
