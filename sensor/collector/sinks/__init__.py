"""Sinks: stored alerts go in, in the order they were stored; lines at others come out, at least once. A file a kind.

Law: the position is kept after the alerts before it were handed over, and never before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sensor.alert import Alert
from sensor.collector.databases import Database, transaction
from sensor.config import SinkSettings
from sensor.errors import SettingError

Write = Callable[[Sequence[Alert]], None]
"""Hands alerts over, or raises OSError; then they come again."""

_ALERTS_MAX = 500  # at once


def sink(settings: SinkSettings) -> Write:
    """Raises SettingError, naming the sink, for settings that cannot work."""
    from sensor.collector.sinks.files import RotatingFile
    from sensor.collector.sinks.syslog import Syslog

    if bool(settings.syslog) == bool(settings.file):
        raise SettingError(f"collector.sinks: {settings.name}: expected one of syslog and file")
    return Syslog(settings).write if settings.syslog else RotatingFile(settings).write


class Feed:
    """Brings one sink up to date, over a connection of its own."""

    def __init__(self, base: Database, name: str, write: Write) -> None:
        self._base, self._name, self._write = base, name, write

    def step(self, now: float) -> None:
        """All that is stored and was not handed over. Raises OSError when the sink does not take it."""
        while self._some():
            pass

    def _some(self) -> bool:
        found = self._base.execute("SELECT alert FROM sink_positions WHERE name = ?", (self._name,)).fetchone()
        query = "SELECT id, body FROM alerts WHERE id > ? ORDER BY id LIMIT ?"
        rows = self._base.execute(query, (found["alert"] if found else 0, _ALERTS_MAX)).fetchall()
        if not rows:
            return False
        self._write([msgspec.json.decode(row["body"], type=Alert) for row in rows])
        with transaction(self._base):
            position = (self._name, rows[-1]["id"])
            self._base.execute(
                "INSERT INTO sink_positions VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET alert = excluded.alert",
                position,
            )
        return len(rows) == _ALERTS_MAX
