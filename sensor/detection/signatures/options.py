"""Options with arguments of their own: in: their text; out: tests, bits, thresholds.

The one law: every argument that is not understood is an error that names the keyword and shows it.
"""

from __future__ import annotations

from collections.abc import Callable

from sensor.detection.signatures.parser import RuleError
from sensor.detection.signatures.rule import Bits, ByteTest, IsDataAt, Size, Test, Threshold

LENGTH_MAX = 1 << 30


def integer(keyword: str, value: str) -> int:
    try:
        return int(value, 0)
    except ValueError:
        raise RuleError(f"{keyword}: {value!r} is no number", keyword) from None


def size_of(keyword: str, value: str) -> Size:
    """N, <N, >N, <=N, >=N, A<>B (between, both left out)."""
    text = value.replace(" ", "")
    low, between, high = text.partition("<>")
    if between:
        return Size(integer(keyword, low) + 1, integer(keyword, high) - 1)
    if text.startswith("<="):
        return Size(0, integer(keyword, text[2:]))
    if text.startswith(">="):
        return Size(integer(keyword, text[2:]), LENGTH_MAX)
    if text.startswith("<"):
        return Size(0, integer(keyword, text[1:]) - 1)
    if text.startswith(">"):
        return Size(integer(keyword, text[1:]) + 1, LENGTH_MAX)
    number = integer(keyword, text)
    return Size(number, number)


def add_test(add: Callable[[Test], None], keyword: str, value: str) -> None:
    words = [word.strip() for word in value.split(",")]
    add(_is_data_at(words) if keyword == "isdataat" else _byte_test(words))


def _is_data_at(words: list[str]) -> IsDataAt:
    negated = words[0].startswith("!")
    for word in words[1:]:
        if word not in ("relative", "rawbytes"):
            raise RuleError(f"isdataat: {word!r} is not known", "isdataat")
    return IsDataAt(integer("isdataat", words[0].lstrip("!").strip()), negated, "relative" in words[1:])


def _byte_test(words: list[str]) -> ByteTest:
    if len(words) < 4:
        raise RuleError("byte_test: expected bytes, operator, value, offset", "byte_test")
    negated, operator = words[1].startswith("!") and words[1] != "!", words[1]
    if negated:
        operator = operator[1:].strip()
    if operator == "!":
        negated, operator = True, "="
    if operator not in ("<", ">", "=", "<=", ">=", "&", "^"):
        raise RuleError(f"byte_test: {words[1]!r} is no operator", "byte_test")
    base, rest = 0, words[4:]
    for word in rest:
        if word not in ("relative", "big", "little", "string", "hex", "dec", "oct"):
            raise RuleError(f"byte_test: {word!r} is not known", "byte_test")
    if "string" in rest:
        base = 16 if "hex" in rest else 8 if "oct" in rest else 10
    return ByteTest(
        integer("byte_test", words[0]), operator, negated, integer("byte_test", words[2]),
        integer("byte_test", words[3]), "relative" in rest, "little" in rest, base,
    )  # fmt: skip


def bits_of(keyword: str, value: str) -> Bits:
    """flowbits:COMMAND,NAME[|NAME] and xbits:COMMAND,NAME,track TRACK[,expire SECONDS]."""
    words = [word.strip() for word in value.split(",")]
    if len(words) < 2 or words[0] not in ("set", "unset", "isset", "isnotset", "toggle"):
        raise RuleError(f"{keyword}: expected set, unset, isset, isnotset or toggle, and a name", keyword)
    names = tuple(name.strip() for name in words[1].split("|"))
    if keyword == "flowbits":
        return Bits("flow", words[0], names)
    scope, seconds = "", 30.0
    for word in words[2:]:
        key, _, argument = word.partition(" ")
        if key == "track" and argument.strip() in ("ip_src", "ip_dst", "ip_pair"):
            scope = argument.strip()
        elif key == "expire":
            seconds = float(integer(keyword, argument.strip()))
        else:
            raise RuleError(f"{keyword}: {word!r} is not known", keyword)
    if not scope:
        raise RuleError(f"{keyword}: expected track ip_src, ip_dst or ip_pair", keyword)
    return Bits(scope, words[0], names, seconds)


def filter_of(keyword: str, value: str) -> Threshold:
    """Raises RuleError unless track, count and seconds are there."""
    given: dict[str, str] = {}
    for item in value.split(","):
        key, _, argument = item.strip().partition(" ")
        given[key] = argument.strip()
    kind = "filter" if keyword == "detection_filter" else given.get("type", "")
    if kind not in ("filter", "limit", "threshold", "both"):
        raise RuleError(f"{keyword}: type {kind!r} is not known", keyword)
    track = given.get("track", "")
    if track not in ("by_src", "by_dst", "by_rule", "by_both", "by_flow"):
        raise RuleError(f"{keyword}: track {track!r} is not known", keyword)
    unknown = set(given) - {"type", "track", "count", "seconds"}
    if unknown:
        raise RuleError(f"{keyword}: {unknown.pop()!r} is not known", keyword)
    return Threshold(
        kind, track, integer(keyword, given.get("count", "")), float(integer(keyword, given.get("seconds", "")))
    )
