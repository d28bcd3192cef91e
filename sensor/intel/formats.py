"""Bytes of a feed into indicators: in: bytes, the feed's settings; out: indicators, and what was left out, counted.

Text has one entry a line, with # ; or // comments behind it; CSV a header, or none. Octets are UTF-8 or, with its mark,
UTF-16. The one law: what is not understood is counted by reason, and bytes that are no feed at all raise FeedError.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from sensor.config import FeedSettings
from sensor.intel.indicator import Indicator, NotOne, defanged, indicator
from sensor.intel.misp import entries_of_misp
from sensor.intel.moments import moment
from sensor.intel.stix import entries_of_stix


class FeedError(Exception):
    """A feed that cannot be used; its text says why."""


class Parsed(NamedTuple):
    """`skipped`: entries that were left out, by reason."""

    indicators: list[Indicator]
    skipped: Counter[str]


class Entry(NamedTuple):
    """An entry as a format has it; `seen` is when it was last known to be true, seconds since 1970."""

    kind: str
    text: str
    confidence: float | None = None
    expires: float | None = None
    note: str = ""
    seen: float | None = None


def parse(octets: bytes, feed: FeedSettings, fetched: float) -> Parsed:
    """`fetched` is when (seconds since 1970) the feed was known to be as it is."""
    octets = _utf8(octets)
    chosen = feed.format if feed.format != "auto" else _format_of(octets, feed.kind)
    skipped: Counter[str] = Counter()
    found: dict[tuple[str, str], Indicator] = {}
    for entry in _entries(chosen, octets, feed, skipped):
        expires = entry.expires
        if expires is None and feed.expire_seconds:
            expires = (entry.seen or fetched) + feed.expire_seconds
        if expires is not None and expires <= fetched:
            skipped["expired"] += 1
            continue
        try:
            for one in indicator(
                entry.kind, entry.text, entry.confidence, expires, entry.note, feed.special_addresses
            ):
                found.setdefault((one.kind, one.value), one)
        except NotOne as error:
            skipped[str(error)] += 1
    return Parsed(list(found.values()), skipped)


def _utf8(octets: bytes) -> bytes:
    """Without a byte order mark."""
    if octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        octets = octets.decode("utf-16", "replace").encode()
    return octets.removeprefix(codecs.BOM_UTF8)


def _format_of(octets: bytes, kind: str) -> str:
    """JSON by what it holds; lines with commas each are CSV, but for user agents, which have commas of their own."""
    start = octets[:4096].lstrip()
    if start[:1] not in (b"{", b"[") or start.startswith(b"[Adblock"):
        lines = [line for line in start.splitlines()[:-1] if line.strip() and line[:1] not in b"#;!"]
        has_columns = bool(lines) and all(b"," in line.partition(b"#")[0] for line in lines)
        return "csv" if has_columns and kind != "user_agent" else "text"
    return "stix" if b'"bundle"' in start or b'"spec_version"' in start or b'"objects"' in start else "misp"


def _entries(chosen: str, octets: bytes, feed: FeedSettings, skipped: Counter[str]) -> Iterator[Entry]:
    if chosen in ("misp", "stix"):
        try:
            document = msgspec.json.decode(octets)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FeedError(f"not JSON: {error}") from None
        read: Callable[[object, Counter[str]], Iterable[tuple[object, ...]]]
        read = entries_of_misp if chosen == "misp" else entries_of_stix
        yield from (Entry(*each) for each in read(document, skipped))  # type: ignore[arg-type]
        return
    text = octets.decode("utf-8", "replace")
    if text[:512].lstrip().lower().startswith(("<!doctype", "<html")):
        raise FeedError("a web page, not a feed")
    try:
        yield from _csv(text, feed) if chosen == "csv" else _lines(text, feed)
    except csv.Error as error:
        raise FeedError(f"not CSV: {error}") from None


_HOSTS_FILE = ("0.0.0.0", "127.0.0.1", "::", "::1")
_COMMENT = re.compile(r"\s+(?:[#;]|//)\s*")


def _lines(text: str, feed: FeedSettings) -> Iterator[Entry]:
    whole = feed.kind == "user_agent"  # whose values may hold all the signs of comments
    for line in map(str.strip, text.splitlines()):
        if not line or line[0] in "#;!" or line.startswith(("//", "[Adblock")):
            continue
        if whole:
            yield Entry(feed.kind, line)
            continue
        entry, *rest = _COMMENT.split(line, maxsplit=1)
        words = defanged(entry).split()
        if words and words[0].startswith("||"):  # as filters of advertisements name domains
            words[0] = words[0][2:].partition("^")[0]
        is_hosts_file = len(words) > 1 and words[0] in _HOSTS_FILE
        for value in words[1:] if is_hosts_file else [" ".join(words)]:
            yield Entry(feed.kind, value, note=rest[0] if rest else "")


_CONFIDENCES = ("confidence", "confidence_level", "score", "threat_score")
_ENDS = ("expires", "expiration", "expires_at", "valid_until")
_SEEN = ("last_seen", "last_seen_utc", "lastseen", "last_online", "timestamp", "first_seen_utc", "first_seen", "date")
_NOTES = ("malware_printable", "malware", "threat", "listingreason", "reason", "description", "comment", "tags", "note")


def _csv(text: str, feed: FeedSettings) -> Iterator[Entry]:
    """Columns by their header, which may stand in a comment; without one the entry's column alone is used."""
    delimiter = max(",;\t|", key=text[:4096].count)
    header: list[str] = []
    for row in csv.reader(io.StringIO(text, newline=None), delimiter=delimiter, skipinitialspace=True):
        if not row or not any(cell.strip() for cell in row):
            continue
        names = [cell.strip().lstrip("#").strip().strip('"').lower().replace(" ", "_") for cell in row]
        if row[0].lstrip().startswith("#") or (not header and _is_header(names, feed)):
            header = names if len(names) > 1 else header
            continue
        cells = dict(zip(header, row, strict=False))

        def first(keys: tuple[str, ...], cells: dict[str, str] = cells) -> str:
            return next((cells[key] for key in keys if cells.get(key)), "")

        text_of = _cell(row, cells, feed)
        if text_of is not None:
            confidence = _share(first(_CONFIDENCES))
            yield Entry(feed.kind, text_of, confidence, moment(first(_ENDS)), first(_NOTES), moment(first(_SEEN)))


def _is_header(names: list[str], feed: FeedSettings) -> bool:
    return feed.column.lower() in names if feed.column and not feed.column.isdigit() else _found(names, feed) is None


def _cell(row: list[str], cells: dict[str, str], feed: FeedSettings) -> str | None:
    if feed.column.isdigit():
        place = int(feed.column) - 1
        return row[place] if place < len(row) else ""
    return cells.get(feed.column.lower(), "") if feed.column else _found(row, feed) or ""


def _found(row: list[str], feed: FeedSettings) -> str | None:
    """The first cell that is an indicator of the feed's kind."""
    for cell in row:
        try:
            if cell.strip() and indicator(feed.kind, cell, special=True):
                return cell
        except NotOne:
            continue
    return None


def _share(text: str) -> float | None:
    """A confidence from 0 to 100, or from 0 to 1 when it has a point."""
    try:
        value = float(text)
    except ValueError:
        return None
    if math.isnan(value):
        return None
    return min(max(value if "." in text and value <= 1 else value / 100, 0.0), 1.0)
