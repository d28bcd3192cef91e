"""A store that moves: an open store and an empty one go in, the second holds all of the first when it comes out.

Law: numbers stay, so that incidents, positions of sinks and the audit trail's hashes mean what they meant; all of it is
copied or nothing, and nobody writes to the first one meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

from sensor.collector.databases import Database, Row, transaction
from sensor.collector.tables import NAMES, NUMBERED
from sensor.errors import SettingError

_ROWS_MAX = 1000  # in memory at once


def copy(source: Database, target: Database) -> dict[str, int]:
    """Rows copied, by table. Raises SettingError when the target holds something already."""
    with transaction(source), transaction(target):
        for name in NAMES:
            if target.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone():
                raise SettingError(f"{target.place}: holds something already: expected an empty store")
        return {name: _copied(source, target, name) for name in NAMES}


def _copied(source: Database, target: Database, name: str) -> int:
    count = last = 0
    for row in _rows(source, name):
        columns = row.keys()
        places = ", ".join("?" for _ in columns)
        target.execute(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})", tuple(row))
        count += 1
        last = row["id"] if name in NUMBERED else 0
    if last:
        target.number_after(name, last)
    return count


def _rows(base: Database, name: str) -> Iterator[Row]:
    """Of one table, those with numbers in their order and in parts."""
    if name not in NUMBERED:
        yield from base.execute(f"SELECT * FROM {name}")
        return
    last = 0
    query = f"SELECT * FROM {name} WHERE id > ? ORDER BY id LIMIT ?"
    while rows := base.execute(query, (last, _ROWS_MAX)).fetchall():
        yield from rows
        last = rows[-1]["id"]
