"""`tapir feeds update`: in: the feeds of the settings, a folder; out: each fetched, checked, read and written there.

The one law: a feed that cannot be had, trusted or understood, or that lost most of what it had, leaves the last good
one as it is, and its status says why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from sensor.config import FeedSettings, ThreatIntelSettings
from sensor.errors import SettingError, StateError
from sensor.intel.compiled import Status, compiled, read_status, write, write_status
from sensor.intel.fetch import Fetched, fetch, unpacked
from sensor.intel.formats import FeedError, parse
from sensor.intel.trust import check_signature, check_sum


def folder_of(settings: ThreatIntelSettings) -> Path:
    """SettingError when there is none."""
    if not settings.folder:
        raise SettingError("detection.threat_intel.folder: empty, so that feeds have no place")
    names = [feed.name for feed in settings.feeds]
    if len(set(names)) < len(names):
        raise SettingError("detection.threat_intel.feeds: two have the same name")
    return Path(settings.folder)


def update(
    settings: ThreatIntelSettings, now: float, names: Iterable[str] = (), force: bool = False
) -> list[Status]:
    """The status of each feed that was due (or named, or all with `force`); feeds no longer in the settings go."""
    folder, chosen = folder_of(settings), set(names)
    if unknown := chosen - {feed.name for feed in settings.feeds}:
        raise SettingError(f"no feed is called {sorted(unknown)[0]}")
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        _forget_others(folder, {feed.name for feed in settings.feeds})
        done = []
        for feed in settings.feeds:
            status = status_of(folder, feed)
            due = now - status.updated >= feed.refresh_seconds or bool(status.error)
            if force or feed.name in chosen or (due and not chosen):
                _update(folder, feed, settings, status, now, force)
                write_status(folder, status)
                done.append(status)
    except OSError as error:
        raise StateError(f"{folder}: cannot be written: {error.strerror}") from None
    return done


def status_of(folder: Path, feed: FeedSettings) -> Status:
    """As it was left, or empty; what the settings say of the feed is as they are now."""
    path = folder / f"{feed.name}.json"
    try:
        status = read_status(path) if path.exists() else Status(name=feed.name)
    except StateError:
        status = Status(name=feed.name)
    if status.url != feed.url:
        status = Status(name=feed.name, url=feed.url)
    status.confidence, status.stale_seconds = feed.confidence, feed.stale_seconds
    return status


def _forget_others(folder: Path, names: set[str]) -> None:
    for path in folder.glob("*.json"):
        if path.stem not in names and _is_ours(path):
            path.with_suffix(".npz").unlink(missing_ok=True)
            path.unlink()


def _is_ours(path: Path) -> bool:
    """Whether an update wrote this file: the folder may have others."""
    try:
        return read_status(path).name == path.stem
    except StateError:
        return False


def _update(
    folder: Path, feed: FeedSettings, settings: ThreatIntelSettings, status: Status, now: float, force: bool
) -> None:
    """Fetch one feed and note in its status what became of it."""
    status.tried = now
    try:
        known = (folder / f"{feed.name}.npz").exists() and not force and not _to_read_again(feed, status, now)
        found = fetch(
            feed.url, feed.headers, settings.bytes_max, settings.timeout_seconds,
            status.etag if known else "", status.last_modified if known else "",
        )  # fmt: skip
        if found.octets is not None:
            _take(folder, feed, settings, status, found, now)
        status.updated, status.failures, status.error = now, 0, ""
    except FeedError as error:
        status.failures += 1
        status.error = str(error)


def _to_read_again(feed: FeedSettings, status: Status, now: float) -> bool:
    """Whether entries are read though the server has no others: they would expire, or are to be read otherwise."""
    ageing = 0 < feed.expire_seconds < 2 * (now - status.taken)
    return ageing or status.read_as != _read_as(feed)


def _read_as(feed: FeedSettings) -> str:
    return f"{feed.format} {feed.kind} {feed.column} {feed.expire_seconds:g} {feed.special_addresses}"


def _take(
    folder: Path, feed: FeedSettings, settings: ThreatIntelSettings, status: Status, found: Fetched, now: float
) -> None:
    octets = found.octets or b""
    trust = _trusted(octets, feed, settings)
    parsed = parse(unpacked(octets, settings.bytes_max), feed, now)
    entries = len(parsed.indicators)
    if not entries:
        why = ", ".join(f"{count} {reason}" for reason, count in parsed.skipped.most_common(3))
        raise FeedError(f"no entry can be used{f' ({why})' if why else ''}")
    if entries < (1 - feed.shrink_max) * status.entries:
        raise FeedError(f"{entries} entries where there were {status.entries}: refused, see shrink_max")
    write(folder, feed.name, compiled(parsed.indicators))
    status.url, status.trust, status.entries = feed.url, trust, entries
    status.skipped, status.sha256 = dict(parsed.skipped), hashlib.sha256(octets).hexdigest()
    status.etag, status.last_modified = found.etag, found.last_modified
    status.taken, status.read_as = now, _read_as(feed)


def _trusted(octets: bytes, feed: FeedSettings, settings: ThreatIntelSettings) -> str:
    """What says that the feed is genuine."""

    def beside(url: str) -> bytes:
        return fetch(url, feed.headers, 1 << 20, settings.timeout_seconds).octets or b""

    if feed.checksum_url:
        check_sum(octets, beside(feed.checksum_url))
    if feed.signature_url or feed.public_key:
        check_signature(octets, beside(feed.signature_url), feed.public_key)
        return "signature"
    secure = urlsplit(feed.url).scheme
    return "checksum" if feed.checksum_url else {"https": "tls", "file": "file"}.get(secure, "nothing")
