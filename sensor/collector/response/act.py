"""Doing and undoing: rows of what is wanted go in, commands that were run and entries of the audit trail come out.

    wanted -> active -> undone        failed: given up before it was done, or could not be undone

Law: who is never to be touched is asked again before each command; what was done is undone when its time is over, also
after a restart; a dry run runs nothing.
"""

from __future__ import annotations

import ipaddress

from sensor.collector import audit
from sensor.collector.databases import Database, Row, transaction
from sensor.collector.response.choose import Protected
from sensor.collector.response.commands import CommandFailed, Verb, command_for, run
from sensor.config import ResponseSettings
from sensor.errors import SettingError

_TRIES_MAX = 8
_RETRY_SECONDS = 5.0


class Responder:
    """Acts on what waits in the store, over a connection of its own."""

    def __init__(self, base: Database, settings: ResponseSettings) -> None:
        self._base, self._settings = base, settings
        self._actions = {action.name: action for action in settings.actions}
        self._protected = Protected(settings.never)

    def step(self, now: float) -> None:
        """Do what is wanted and undo what is over at `now`, seconds since 1970."""
        due = (
            "SELECT * FROM responses WHERE not_before <= ?"
            " AND (state = 'wanted' OR (state = 'active' AND until <= ?))"
        )
        for row in self._base.execute(due, (now, now)).fetchall():
            if row["state"] == "active":
                self._act(row, "undo", "undone", now)
            elif not self._settings.enabled or row["until"] <= now:
                self._note(row, "failed", "response given up", "switched off, or its time is over", now)
            elif ipaddress.ip_address(row["target"]) in self._protected:
                self._note(row, "failed", "response refused", f"{row['target']}: never to be touched", now)
            else:
                self._act(row, "apply", "active", now)

    def _act(self, row: Row, verb: Verb, state: str, now: float) -> None:
        told = f"{row['action']} of {row['target']}"
        if row["dry_run"]:
            self._note(row, state, f"response {verb} (dry run: nothing was done)", told, now)
            return
        action = self._actions.get(row["action"])
        try:
            if action is None:
                raise CommandFailed("is not in the settings any more")
            asked = command_for(action, verb, row["target"], row["incident"], row["id"], row["until"])
            run(asked, self._settings.command_seconds)
        except CommandFailed as error:
            self._failed(row, f"{verb} {told}: {error}", now)
        else:
            self._note(row, state, f"response {verb}", told, now)

    def _failed(self, row: Row, problem: str, now: float) -> None:
        if row["tries"] + 1 >= _TRIES_MAX:
            self._note(row, "failed", "response failed", problem, now)
            return
        with transaction(self._base):
            self._base.execute(
                "UPDATE responses SET tries = tries + 1, not_before = ? WHERE id = ?",
                (now + _RETRY_SECONDS * 2.0 ** row["tries"], row["id"]),
            )

    def _note(self, row: Row, state: str, action: str, why: str, now: float) -> None:
        with transaction(self._base):
            self._base.execute(
                "UPDATE responses SET state = ?, tries = 0, not_before = 0 WHERE id = ?", (state, row["id"])
            )
            audit.add(self._base, now, row["incident"], "tapir", action, why)


def listed(base: Database) -> list[dict[str, object]]:
    """All responses, the newest first."""
    return [dict(row) for row in base.execute("SELECT * FROM responses ORDER BY id DESC")]


def undo(base: Database, id_: int, who: str, why: str, now: float) -> None:
    """End a response now: the running collector undoes it. Raises SettingError when it is not active or wanted."""
    with transaction(base):
        row = base.execute("SELECT * FROM responses WHERE id = ?", (id_,)).fetchone()
        if row is None or row["state"] not in ("wanted", "active"):
            raise SettingError(f"response {id_}: not active; `tapir responses list` shows what is")
        base.execute("UPDATE responses SET until = least(until, ?) WHERE id = ?", (now, id_))
        audit.add(base, now, row["incident"], who, "response ended", f"{row['action']} of {row['target']}: {why}")
