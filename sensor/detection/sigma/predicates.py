"""A Sigma value as a test: in: a value as pySigma has it; out: whether a text, or a number, is what it says.

The one law: strings are compared without regard to case unless the rule says `cased`, patterns with regard to it unless
the rule says `re|i` (modifiers appendix 2.1.0).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
    TimestampPart,
)

from sensor.detection.sigma.regex_literals import literals_of

Text = Callable[[str], bool]

_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: re.IGNORECASE,
    SigmaRegularExpressionFlag.MULTILINE: re.MULTILINE,
    SigmaRegularExpressionFlag.DOTALL: re.DOTALL,
}
_COMPARE: dict[CompareOperators, Callable[[float, float], bool]] = {
    CompareOperators.LT: lambda found, given: found < given,
    CompareOperators.LTE: lambda found, given: found <= given,
    CompareOperators.GT: lambda found, given: found > given,
    CompareOperators.GTE: lambda found, given: found >= given,
    CompareOperators.NEQ: lambda found, given: found != given,
}
_PARTS: dict[TimestampPart, Callable[[datetime], int]] = {
    TimestampPart.MINUTE: lambda moment: moment.minute,
    TimestampPart.HOUR: lambda moment: moment.hour,
    TimestampPart.DAY: lambda moment: moment.day,
    TimestampPart.WEEK: lambda moment: moment.isocalendar().week,
    TimestampPart.MONTH: lambda moment: moment.month,
    TimestampPart.YEAR: lambda moment: moment.year,
}


class Unsupported(ValueError):
    """A value that cannot be tested on what the wire has; its text says why."""


def text_test(value: object) -> Text | None:
    """The test of a text, None when the value is no text's; Unsupported for a pattern that does not compile."""
    if isinstance(value, SigmaString):
        return string_test(value)
    if isinstance(value, SigmaRegularExpression):
        return _pattern_test(value)
    if isinstance(value, SigmaCIDRExpression):
        return _network_test(value)
    if isinstance(value, SigmaNumber):
        return lambda text: text == str(value.number)
    if isinstance(value, SigmaBool):
        return lambda text: text.lower() == str(value.boolean).lower()
    return None


def any_test(values: Sequence[object]) -> Text:
    """The test of a text for one of these values, which are texts': those without regard to case and with no wildcard
    but at their ends, as most are, take a look-up or a search each instead of a pattern.
    """
    plain: dict[str, list[str]] = {kind: [] for kind in ("is", "starts", "ends", "has")}
    others: list[Text] = []
    for value in values:
        shape = _shape(value)
        if shape:
            plain[shape[0]].append(shape[1])
        elif (test := text_test(value)) is not None:
            others.append(test)
    same, starts, ends, inside = frozenset(plain["is"]), tuple(plain["starts"]), tuple(plain["ends"]), plain["has"]

    def test_any(text: str) -> bool:
        low = text.lower()
        found = low in same or low.startswith(starts) or low.endswith(ends) or any(map(low.__contains__, inside))
        return found or any(test(text) for test in others)

    return test_any


def _shape(value: object) -> tuple[str, str] | None:
    """How a plain string is to be found, and what, in lower case; None for a value that is none."""
    if not isinstance(value, SigmaString) or isinstance(value, SigmaCasedString):
        return None
    parts = list(value.s)
    before = bool(parts) and parts[0] == SpecialChars.WILDCARD_MULTI
    after = len(parts) > before and parts[-1] == SpecialChars.WILDCARD_MULTI
    middle = parts[before : len(parts) - after]
    text = middle[0] if len(middle) == 1 else "" if not middle else None
    if not isinstance(text, str) or not text.isascii():
        return None
    return ("has" if before and after else "ends" if before else "starts" if after else "is"), text.lower()


def string_test(value: SigmaString) -> Text:
    """Equal, or alike where the string has wildcards."""
    if _shape(value):
        return any_test([value])
    flags = re.DOTALL if isinstance(value, SigmaCasedString) else re.DOTALL | re.IGNORECASE
    pattern = "".join(_piece(part) for part in value.s)
    compiled = re.compile(pattern, flags)
    return lambda text: compiled.fullmatch(text) is not None


def _piece(part: object) -> str:
    if part == SpecialChars.WILDCARD_MULTI:
        return ".*"
    if part == SpecialChars.WILDCARD_SINGLE:
        return "."
    if isinstance(part, str):
        return re.escape(part)
    raise Unsupported(f"a placeholder ({part}) that nothing fills")


def _pattern_test(value: SigmaRegularExpression) -> Text:
    flags = 0
    for flag in value.flags:
        flags |= _FLAGS[flag]
    try:
        compiled = re.compile(str(value.regexp), flags)
    except re.error as error:
        raise Unsupported(f"regular expression {str(value.regexp)!r} does not compile: {error}") from None
    return lambda text: compiled.search(text) is not None


def _network_test(value: SigmaCIDRExpression) -> Text:
    network = ipaddress.ip_network(value.cidr, strict=False)

    def test(text: str) -> bool:
        try:
            return ipaddress.ip_address(text.strip("[]")) in network
        except ValueError:
            return False

    return test


def number_test(value: object) -> Callable[[float], bool] | None:
    """The test of a number, None when the value is no number's."""
    if isinstance(value, SigmaCompareExpression) and isinstance(value.number, SigmaNumber):
        compare, given = _COMPARE[value.op], float(value.number.number)
        return lambda found: compare(found, given)
    if isinstance(value, SigmaNumber):
        given = float(value.number)
        return lambda found: found == given
    if isinstance(value, SigmaString) and not value.contains_special() and str(value).isdecimal():
        given = float(str(value))
        return lambda found: found == given
    return None


def moment_test(value: SigmaTimestampPart) -> Callable[[int], bool]:
    """The test of packet time (ns) for a part of its date, in UTC."""
    part, given = _PARTS[value.timestamp_part], int(value.number)
    return lambda ns: part(datetime.fromtimestamp(ns / 1e9, UTC)) == given


def literals(value: object) -> list[str]:
    """Texts of which whatever matches the value contains at least one; none when that cannot be said."""
    if isinstance(value, SigmaString):
        return sorted((part for part in value.s if isinstance(part, str) and part), key=len, reverse=True)[:1]
    return literals_of(str(value.regexp)) if isinstance(value, SigmaRegularExpression) else []
