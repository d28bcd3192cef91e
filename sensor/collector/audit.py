"""Who did what, when and why: entries go in; what was done to them since comes out of `verify`.

Law: entries are only added, and the hash of each covers the hash before it, so that a changed, removed or inserted
entry shows. Only the newest can be cut off unseen: keep the hash that `verify` prints elsewhere to see that too.
"""

from __future__ import annotations

import hashlib

import msgspec

from sensor.collector.databases import Database, text_kept

_FIRST = "0" * 64


class Verified(msgspec.Struct, frozen=True):
    """What `verify` found; `breaks` is empty for a whole trail."""

    entries: int
    hash: str
    breaks: tuple[str, ...]


def add(base: Database, at: float, incident: int | None, who: str, action: str, why: str) -> None:
    """Within the transaction of what it tells of; `at` in seconds since 1970."""
    last = base.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    id_, before = (last["id"] + 1, last["hash"]) if last else (1, _FIRST)
    entry = (id_, at, incident, *map(text_kept, (who, action, why)))
    base.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", (*entry, _hash(before, entry)))


def verify(base: Database) -> Verified:
    """Follow the chain from its first entry."""
    breaks: list[str] = []
    before, count = _FIRST, 0
    for row in base.execute("SELECT id, at, incident, who, action, why, hash FROM audit ORDER BY id"):
        count += 1
        *entry, hash_ = tuple(row)
        if row["id"] != count and not breaks:
            breaks.append(f"entry {count} is missing")
        if hash_ != _hash(before, tuple(entry)):
            breaks.append(f"entry {row['id']} is not what was written, or does not follow the one before")
        before = hash_
    return Verified(count, before, tuple(breaks))


def _hash(before: str, entry: tuple[object, ...]) -> str:
    return hashlib.sha256(msgspec.json.encode([before, *entry])).hexdigest()
