"""Sigma detection rules as the specification tells them: in: a rule's `detection` as YAML gives it, and a row; out:
whether the row matches.

Slow, plain and without any part of the sensor or of pySigma: a value is compared with one row at a time. A row is a
mapping of fields to their spellings (a tuple of texts, none for what is absent) or to a number. The one law: what a
modifier means stands here once, taken from the specification 2.1.0 and its appendix of modifiers.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, tuple[str, ...] | float]
_CODINGS = {"wide": "utf-16le", "utf16le": "utf-16le", "utf16be": "utf-16be", "utf16": "utf-16"}
_DASHES = "-/–—―"
_COMPARE = {
    "lt": lambda found, given: found < given, "lte": lambda found, given: found <= given,
    "gt": lambda found, given: found > given, "gte": lambda found, given: found >= given,
}  # fmt: skip


def matches(detection: Mapping[str, Any], row: Row, keywords: tuple[str, ...]) -> bool:
    """Whether a row matches; `keywords` are the fields in which values without a field are looked for."""
    conditions = detection["condition"]
    names = [name for name in detection if name not in ("condition", "timeframe")]
    held = {name: _section(detection[name], row, keywords) for name in names}
    return any(_Condition(each, held).holds() for each in ([conditions] if isinstance(conditions, str) else conditions))


class _Condition:
    """An expression over named sections: `or` binds least, then `and`, then `not`."""

    def __init__(self, text: str, held: Mapping[str, bool]) -> None:
        self._words = re.findall(r"[()]|[^\s()]+", text)
        self._held = held

    def holds(self) -> bool:
        return self._or()

    def _take(self, word: str) -> bool:
        if self._words and self._words[0].lower() == word:
            self._words.pop(0)
            return True
        return False

    def _or(self) -> bool:
        found = self._and()
        while self._take("or"):
            found = self._and() or found
        return found

    def _and(self) -> bool:
        found = self._not()
        while self._take("and"):
            found = self._not() and found
        return found

    def _not(self) -> bool:
        if self._take("not"):
            return not self._not()
        if self._take("("):
            found = self._or()
            assert self._take(")")
            return found
        word = self._words.pop(0)
        if word.lower() in ("1", "any", "all") and self._take("of"):
            pattern = self._words.pop(0)
            chosen = [held for name, held in self._held.items() if _named(name, pattern)]
            return all(chosen) if word.lower() == "all" else any(chosen)
        return self._held[word]


def _named(name: str, pattern: str) -> bool:
    if pattern == "them":
        return not name.startswith("_")
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def _section(section: Any, row: Row, keywords: tuple[str, ...]) -> bool:
    """A map is all of its fields, a list any of its maps or values."""
    if isinstance(section, dict):
        return all(_field(key, value, row, keywords) for key, value in section.items())
    if isinstance(section, list):
        return any(_section(each, row, keywords) for each in section)
    return _field("", section, row, keywords)


def _field(key: str, value: Any, row: Row, keywords: tuple[str, ...]) -> bool:
    name, *modifiers = key.split("|")
    values = value if isinstance(value, list) else [value]
    every = all if "all" in modifiers else any
    modifiers = [each for each in modifiers if each != "all"]
    if not name:
        return every(any(_value(row.get(field, ()), ["contains"], each, row) for field in keywords) for each in values)
    if modifiers[-1:] == ["neq"]:
        return not any(_value(row.get(name, ()), modifiers[:-1], each, row) for each in values)
    return every(_value(row.get(name, ()), modifiers, each, row) for each in values)


def _value(found: tuple[str, ...] | float, modifiers: list[str], value: Any, row: Row) -> bool:
    """Whether a field's spellings, or its number, are what one value with its modifiers says."""
    texts = found if isinstance(found, tuple) else _spelled(found)
    if "exists" in modifiers:
        return bool(texts) == value
    if value is None:
        return not texts
    comparing = next((each for each in modifiers if each in _COMPARE), "")
    if comparing:
        return not isinstance(found, tuple) and found >= 0 and _COMPARE[comparing](found, float(value))
    if "fieldref" in modifiers:
        other = row.get(value, ())
        others = other if isinstance(other, tuple) else _spelled(other)
        return any(_placed(one.lower(), two.lower(), modifiers) for one in texts for two in others)
    if "cidr" in modifiers:
        return any(_inside(text, value) for text in texts)
    if "re" in modifiers:
        flags = {"i": re.I, "m": re.M, "s": re.S}
        pattern = re.compile(value, sum(flags[each] for each in modifiers if each in flags))
        return any(pattern.search(text) for text in texts)
    if not isinstance(found, tuple) and isinstance(value, int | float) and not modifiers:
        return found == value
    return _text(texts, modifiers, str(value))


def _spelled(number: float) -> tuple[str, ...]:
    return () if number < 0 else (str(int(number)) if number == int(number) else f"{number:g}",)


def _inside(text: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _placed(one: str, two: str, modifiers: list[str]) -> bool:
    if "contains" in modifiers:
        return two in one
    if "startswith" in modifiers:
        return one.startswith(two)
    return one.endswith(two) if "endswith" in modifiers else one == two


def _text(texts: tuple[str, ...], modifiers: list[str], value: str) -> bool:
    patterns = [_pieces(value)]
    for modifier in modifiers:
        if modifier == "windash":
            patterns = [each for pattern in patterns for each in _dashes(pattern)]
        elif modifier in _CODINGS:
            coded = [("".join(p), _CODINGS[modifier]) for p in patterns]
            patterns = [list(text.encode(coding).decode("latin-1")) for text, coding in coded]
        elif modifier == "base64":
            patterns = [list(base64.b64encode("".join(p).encode("latin-1")).decode()) for p in patterns]
        elif modifier == "base64offset":
            patterns = [list(each) for p in patterns for each in _offsets("".join(p).encode("latin-1"))]
        elif modifier == "contains":
            patterns = [["**", *p, "**"] for p in patterns]
        elif modifier == "startswith":
            patterns = [[*p, "**"] for p in patterns]
        elif modifier == "endswith":
            patterns = [["**", *p] for p in patterns]
    flags = re.S if "cased" in modifiers else re.S | re.I
    for pattern in patterns:
        if all(piece == "**" for piece in pattern):
            if bool(texts) or not pattern:  # any value at all; or the empty one, which is what an absent one is
                return bool(texts) == bool(pattern)
            continue
        expression = "".join({"**": ".*", "??": "."}.get(piece) or re.escape(piece) for piece in pattern)
        if any(re.fullmatch(expression, text, flags) for text in texts):
            return True
    return False


def _pieces(value: str) -> list[str]:
    """Characters, and `**` and `??` for the two wildcards. A backslash speaks of `*`, `?` and itself alone."""
    pieces: list[str] = []
    at = 0
    while at < len(value):
        if value[at] == "\\" and value[at + 1 : at + 2] in ("*", "?", "\\") and at + 1 < len(value):
            pieces.append(value[at + 1])
            at += 2
            continue
        pieces.append({"*": "**", "?": "??"}.get(value[at], value[at]))
        at += 1
    return pieces


def _dashes(pattern: list[str]) -> list[list[str]]:
    """Each dash or slash that begins a word as every sort of dash: all alike, or each by itself."""
    places = [
        at for at, piece in enumerate(pattern) if piece in ("-", "/") and (at == 0 or not _wordly(pattern[at - 1]))
        and at + 1 < len(pattern) and _wordly(pattern[at + 1])
    ]  # fmt: skip
    found = [pattern]
    for place in places:
        found = [[*p[:place], dash, *p[place + 1 :]] for p in found for dash in _DASHES]
    return found


def _wordly(piece: str) -> bool:
    return len(piece) == 1 and (piece.isalnum() or piece == "_")


def _offsets(octets: bytes) -> list[str]:
    """What base64 has of these octets at each of three places, without the characters that their neighbours share."""
    start, end = (0, 2, 3), (None, -3, -2)
    return [
        base64.b64encode(b" " * shift + octets).decode()[start[shift] : end[(len(octets) + shift) % 3]]
        for shift in range(3)
    ]
