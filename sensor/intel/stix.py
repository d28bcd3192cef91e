"""STIX 2.1 bundles: in: a decoded JSON document; out: entries of its indicators.

Specification: https://docs.oasis-open.org/cti/stix/v2.1/. A pattern is used when each of its comparisons alone would be
enough: = , IN and ISSUBSET joined by OR. The one law: a pattern that asks for more (AND, order, times) is left out and
counted, because half of it would say what it does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sensor.intel.moments import moment

_PATHS = {
    "ipv4-addr:value": "address", "ipv6-addr:value": "address", "network-traffic:dst_ref.value": "address",
    "network-traffic:src_ref.value": "address", "domain-name:value": "domain", "url:value": "url",
    "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'": "user_agent",
    "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'[0]": "user_agent",
    "tls-client:ja3": "ja3", "x-tls:ja3": "ja3", "network-traffic:x_ja3": "ja3", "network-traffic:x_ja4": "ja4",
}  # fmt: skip
_TEXT = r"'(?:[^'\\]|\\.)*'"
_TOKEN = re.compile(
    rf"\s*(?:(?P<sign>[\[\]()])|(?P<word>OR|AND|FOLLOWEDBY|WITHIN|START|REPEATS|NOT)\b"
    rf"|(?P<path>[a-z0-9-]+:[^\s=!<>]+?)\s*(?P<operator>=|\bIN\b|\bISSUBSET\b)"
    rf"\s*(?P<value>{_TEXT}|\(\s*{_TEXT}(?:\s*,\s*{_TEXT})*\s*\)))"
)


class _Unusable(ValueError):
    pass


def entries_of_stix(document: object, skipped: Counter[str]) -> Iterator[tuple[Any, ...]]:
    """(kind, text, confidence, expires, note, seen) of each comparison."""
    objects = document.get("objects", []) if isinstance(document, dict) else document
    for each in objects if isinstance(objects, list) else ():
        if not isinstance(each, dict) or each.get("type") != "indicator":
            continue
        if each.get("revoked"):
            skipped["revoked"] += 1
            continue
        if each.get("pattern_type", "stix") != "stix":
            skipped[f"pattern of type {each.get('pattern_type')}"] += 1
            continue
        try:
            compared = list(comparisons(str(each.get("pattern", ""))))
        except _Unusable as error:
            skipped[str(error)] += 1
            continue
        confidence = each.get("confidence")
        share = confidence / 100 if isinstance(confidence, int) and 0 <= confidence <= 100 else None
        note = str(each.get("name") or each.get("description") or "")
        for kind, text in compared:
            yield kind, text, share, moment(each.get("valid_until")), note, moment(each.get("modified"))


def comparisons(pattern: str) -> Iterator[tuple[str, str]]:
    """(kind, value) of a pattern each of whose comparisons is enough."""
    at = 0
    while at < len(pattern.rstrip()):
        match = _TOKEN.match(pattern, at)
        if match is None:
            raise _Unusable("a pattern with comparisons other than =, IN, ISSUBSET")
        at = match.end()
        if match["word"] and match["word"] != "OR":
            raise _Unusable(f"a pattern with {match['word']}")
        if match["path"]:
            kind = _PATHS.get(match["path"])
            if kind is None:
                raise _Unusable(f"object {match['path'].partition(':')[0]}")
            for text in re.findall(_TEXT, match["value"]):
                yield kind, re.sub(r"\\(.)", r"\1", text[1:-1])
