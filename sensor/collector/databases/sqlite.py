"""SQLite: a folder or sqlite:///PATH goes in, a connection to the file comes out.

Law: only the owner can read the file. A crash of the machine may undo the last commits, cursors included: what was in
them comes again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sensor.collector.databases import Rows
from sensor.errors import InputError, OutputError, SettingError

FILE_NAME = "tapir.sqlite"
_BUSY_SECONDS = 30.0
_WORDS = {"serial": "INTEGER PRIMARY KEY AUTOINCREMENT", "bytes": "BLOB"}
_GUARDS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {change} ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END"
    for name, change in (("audit_stays", "UPDATE"), ("audit_keeps", "DELETE"))
)


def path_of(place: str) -> Path:
    """The database file of a folder, or of sqlite:///PATH."""
    scheme, found, rest = place.partition("://")
    if not found:
        return Path(place) / FILE_NAME
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise SettingError(f"--store {scheme}://...: expected a folder, sqlite:///PATH of a file, or postgresql://...")
    return Path(rest[1:])


class SQLite:
    words, guards = _WORDS, _GUARDS

    def __init__(self, place: str, create: bool) -> None:
        path = path_of(place)
        self.place = str(path)
        if not create and not path.exists():
            raise InputError(self.place, "no such store: expected what `tapir collect --store` writes")
        try:
            if create:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
            self._base = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            for setting in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                self._base.execute(f"PRAGMA {setting}")
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"{path}: cannot be used as a store: {error}") from None
        self._base.row_factory = sqlite3.Row
        self._base.create_function("least", 2, min, deterministic=True)
        self._base.create_function("greatest", 2, max, deterministic=True)

    @property
    def version(self) -> int:
        return int(self.execute("PRAGMA user_version").fetchone()[0])

    @version.setter
    def version(self, version: int) -> None:
        self.execute(f"PRAGMA user_version = {version}")

    def execute(self, query: str, values: Sequence[object] = ()) -> Rows:
        return Rows(self._run(query, values).fetchall())

    def added(self, query: str, values: Sequence[object]) -> int:
        return int(self._run(query, values).lastrowid or 0)

    def number_after(self, table: str, number: int) -> None:
        """It does so by itself."""

    def begin(self) -> None:
        self._run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._run("COMMIT")

    def rollback(self) -> None:
        if self._base.in_transaction:
            self._run("ROLLBACK")

    def close(self) -> None:
        self._base.close()

    def _run(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._base.execute(query, tuple(values))  # type: ignore[arg-type]
        except sqlite3.Error as error:
            raise OutputError(f"{self.place}: the store cannot be read or written: {error}") from None
