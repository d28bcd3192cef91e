"""Deliveries: what waits in the store goes in, notices sent by a channel come out.

Law: a delivery is done when the channel took it; until then it is tried again, ever later, and in the end given up and
kept for people to see. One channel never waits for another, and receiving never waits for any.
"""

from __future__ import annotations

import msgspec

from sensor.collector.channels import Send, Undelivered
from sensor.collector.databases import Database, Row, transaction
from sensor.collector.notice import Notice, digest_of
from sensor.config import CollectorSettings

_RETRY_SECONDS_MAX = 3600.0
_DIGEST_MAX = 200  # incidents in one digest
_ALONE_MAX = 20    # incidents due at once that are told one by one; more are told together


class Dispatcher:
    """Sends what waits for one channel, over a connection of its own."""

    def __init__(self, base: Database, name: str, send: Send, settings: CollectorSettings) -> None:
        self._base, self._name, self._send = base, name, send
        self._retry_seconds, self._tries_max = settings.retry_seconds, settings.tries_max

    def step(self, now: float) -> None:
        """Try all that is due at `now`, seconds since 1970."""
        rows = self._base.execute(
            "SELECT id, digest, notice, tries FROM deliveries WHERE channel = ? AND state = 'waiting'"
            " AND not_before <= ? ORDER BY id LIMIT ?",
            (self._name, now, _DIGEST_MAX),
        ).fetchall()
        alone = [row for row in rows if not row["digest"]]
        flood = len(alone) > _ALONE_MAX
        for row in [] if flood else alone:
            self._try([row], now)
        together = [row for row in rows if flood or row["digest"]]
        if together:
            self._try(together, now)

    def _try(self, rows: list[Row], now: float) -> None:
        notices = [msgspec.json.decode(row["notice"], type=Notice) for row in rows]
        problem = ""
        try:
            self._send(digest_of(notices), rows[0]["id"])
        except Undelivered as error:
            problem = str(error)
        with transaction(self._base):
            for row in rows:
                self._note(row["id"], row["tries"] + 1, problem, now)

    def _note(self, id_: int, tries: int, problem: str, now: float) -> None:
        state = "done" if not problem else "dead" if tries >= self._tries_max else "waiting"
        again = now + min(_RETRY_SECONDS_MAX, self._retry_seconds * 2.0 ** min(tries - 1, 20))
        self._base.execute(
            "UPDATE deliveries SET state = ?, tries = ?, problem = ?, not_before = ? WHERE id = ?",
            (state, tries, problem, again, id_),
        )


def undelivered(base: Database) -> list[dict[str, object]]:
    """Deliveries that were given up."""
    query = "SELECT id, channel, incident, severity, tries, problem, created FROM deliveries WHERE state = 'dead'"
    return [dict(row) for row in base.execute(query)]


def retry(base: Database) -> None:
    """Try all that were given up again, from the beginning."""
    with transaction(base):
        base.execute("UPDATE deliveries SET state = 'waiting', tries = 0, not_before = 0 WHERE state = 'dead'")
