"""The collector's database: a place goes in, an open SQLite connection with all its tables comes out.

Law: what belongs together is committed together (`transaction`), and the audit trail refuses changes by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensor.errors import InputError, OutputError, SettingError

VERSION = 2
FILE_NAME = "tapir.sqlite"
_BUSY_SECONDS = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS cursors (
    sensor TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, actor TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
    title TEXT NOT NULL, opened REAL NOT NULL, due REAL NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL,
    first_detected REAL NOT NULL, acknowledged REAL, closed REAL, owner TEXT, escalated INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS incidents_by_actor ON incidents (actor, state);
CREATE TABLE IF NOT EXISTS alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, incident INTEGER NOT NULL REFERENCES incidents, sensor TEXT NOT NULL,
    alert_id TEXT NOT NULL, revision INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    stored REAL NOT NULL, rule_id TEXT NOT NULL, category TEXT NOT NULL, severity TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (sensor, alert_id, revision));
CREATE INDEX IF NOT EXISTS alerts_by_incident ON alerts (incident);
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, incident INTEGER, who TEXT NOT NULL, action TEXT NOT NULL,
    why TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, incident INTEGER NOT NULL REFERENCES incidents,
    severity TEXT NOT NULL, digest INTEGER NOT NULL, notice BLOB NOT NULL, created REAL NOT NULL,
    not_before REAL NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', tries INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (channel, not_before) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS responses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, target TEXT NOT NULL,
    incident INTEGER NOT NULL REFERENCES incidents, asked REAL NOT NULL, until REAL NOT NULL, dry_run INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'wanted', tries INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS responses_once ON responses (action, target) WHERE state IN ('wanted', 'active');
CREATE TABLE IF NOT EXISTS sink_positions (name TEXT PRIMARY KEY, alert INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER IF NOT EXISTS audit_keeps BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
"""


def path_of(place: str) -> Path:
    """The database file of a folder, or of sqlite:///PATH."""
    scheme, found, rest = place.partition("://")
    if not found:
        return Path(place) / FILE_NAME
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise SettingError(f"--store {scheme}://...: expected a folder, or sqlite:///PATH of a file")
    return Path(rest[1:])


def opened(place: str, create: bool = False) -> sqlite3.Connection:
    """A connection of its own for one thread. Raises InputError when there is no store and `create` is False."""
    path = path_of(place)
    if not create and not path.exists():
        raise InputError(str(path), "no such store: expected what `tapir collect --store` writes")
    try:
        if create:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        base = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _prepare(base, path)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(f"{path}: cannot be used as a store: {error}") from None
    return base


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    (version,) = base.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        base.close()
        raise OutputError(f"{path}: a store of version {version}, this program reads {VERSION}: update it")
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=NORMAL")  # a crash may undo the last commits, cursors included: they come again
    base.execute("PRAGMA foreign_keys=ON")
    if version < VERSION:  # tables that an older version had no use for are added
        base.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    base.row_factory = sqlite3.Row


@contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """All of what is done inside, or nothing. Raises OutputError when it cannot be written (a full disk)."""
    try:
        base.execute("BEGIN IMMEDIATE")
        yield
        base.execute("COMMIT")
    except BaseException as error:
        if base.in_transaction:
            base.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise OutputError(f"the store cannot be written: {error}") from None
        raise
