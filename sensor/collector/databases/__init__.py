"""Databases that can hold a store: a place goes in, a connection comes out that the same statements work on.

    sqlite.py       a file, for one collector: a folder, or sqlite:///PATH
    postgresql.py   a server, for whoever outgrows that: postgresql://...

Statements are SQL that both know, with ? for values; least() and greatest() take two. Law: what a database cannot do is
an OutputError without a password in it, and one transaction writes at a time, so that numbers of rows are committed in
ascending order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sensor.errors import OutputError


class Away(OutputError):
    """The database cannot be reached, and may come back: the same can be tried again."""


class Row(Protocol):
    """Values by name or by number."""

    def __getitem__(self, key: str | int, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Rows:
    """What a statement gave. All of it was fetched: reading it cannot fail any more."""

    def __init__(self, rows: Iterable[Any] = ()) -> None:
        self._left = iter(rows)

    def fetchone(self) -> Any:
        """The next one, None at the end."""
        return next(self._left, None)

    def fetchall(self) -> list[Any]:
        return list(self._left)

    def __iter__(self) -> Iterator[Any]:
        return self._left


class Database(Protocol):
    """A connection for one thread. Everything raises OutputError, and Away when it may work later."""

    place: str
    """As it may be shown."""

    @property
    def words(self) -> dict[str, str]:
        """Its own words for what the tables need: serial (a primary key that numbers rows), bytes."""

    @property
    def guards(self) -> tuple[str, ...]:
        """Statements that make it refuse changes of the audit trail."""

    @property
    def version(self) -> int:
        """Of the tables in it; 0 when there are none."""

    @version.setter
    def version(self, version: int) -> None: ...

    def execute(self, query: str, values: Sequence[object] = ()) -> Rows: ...

    def added(self, query: str, values: Sequence[object]) -> int:
        """The number (id) that the row of an INSERT got."""

    def number_after(self, table: str, number: int) -> None:
        """Number the next rows of `table` from `number` on, which came with rows of another database."""

    def begin(self) -> None:
        """Wait for other writers, then write until `commit` or `rollback`."""

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def text_kept(text: str) -> str:
    """What a database gives back: PostgreSQL keeps no NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


@contextmanager
def transaction(base: Database) -> Iterator[None]:
    """All of what is done inside, or nothing."""
    base.begin()
    try:
        yield
        base.commit()
    except BaseException:
        base.rollback()
        raise


def connected(place: str, create: bool) -> Database:
    """Raises SettingError for a place that is none, InputError when no file is there and `create` is False."""
    if place.startswith(("postgresql://", "postgres://")):
        from sensor.collector.databases.postgresql import PostgreSQL

        return PostgreSQL(place)
    from sensor.collector.databases.sqlite import SQLite

    return SQLite(place, create)
