"""Who is told of an incident: a stored alert goes in, deliveries to make come out, in the same transaction.

Law: an incident is told when it opens and when it becomes more severe, and not for each revision.
"""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase

import msgspec

from sensor.alert import Alert, Severity
from sensor.collector.databases import Database
from sensor.collector.hours import Hours
from sensor.collector.incidents import Change, actor_of
from sensor.collector.notice import notice_of
from sensor.collector.store import Stored
from sensor.config import CollectorSettings, RouteSettings
from sensor.errors import SettingError


class Router:
    """Writes deliveries into `base`, the connection of the store whose consequence it is. Raises SettingError for
    routes that name channels which are not there, and for hours that are none.
    """

    def __init__(self, base: Database, settings: CollectorSettings) -> None:
        known = {channel.name for channel in settings.channels}
        named = [name for route in settings.routes for name in route.channels] + list(settings.on_call)
        for name in named:
            if name not in known:
                raise SettingError(f"collector: channel {name!r} is named and not there; known: {sorted(known)}")
        if len(known) < len(settings.channels):
            raise SettingError("collector.channels: two have the same name")
        zone = settings.time_zone
        self._base = base
        self._routes = [
            (route, Hours(route.hours, zone, "collector.routes: hours") if route.hours else None)
            for route in settings.routes
        ]
        self._quiet = Hours(settings.quiet_hours, zone, "collector.quiet_hours") if settings.quiet_hours else None
        self._digest_seconds = {
            Severity.MEDIUM: settings.digest_medium_seconds, Severity.LOW: settings.digest_low_seconds
        }  # fmt: skip

    def __call__(self, stored: Stored) -> None:
        if stored.change not in (Change.OPENED, Change.RAISED):
            return
        chosen: dict[str, None] = {}
        for route, hours in self._routes:
            if matches(route, stored.alert) and (hours is None or hours.holds(stored.now)):
                chosen |= dict.fromkeys(route.channels)
        for channel in chosen:
            self._add(channel, stored)

    def _add(self, channel: str, stored: Stored) -> None:
        severity = stored.alert.severity
        wait = self._digest_seconds.get(severity, 0.0)
        at = self._digest_end(channel, severity, stored.now + wait) if wait else stored.now
        if severity == Severity.LOW and self._quiet:
            at = self._quiet.end_after(at)
        deliver(self._base, channel, stored.incident, stored.alert, str(stored.change), stored.now, at, bool(wait))

    def _digest_end(self, channel: str, severity: Severity, end: float) -> float:
        """When the digest that is being gathered goes out; `end` for the first in it."""
        row = self._base.execute(
            "SELECT min(not_before) AS at FROM deliveries"
            " WHERE channel = ? AND severity = ? AND digest = 1 AND tries = 0 AND state = 'waiting'",
            (channel, severity),
        ).fetchone()
        return end if row["at"] is None else float(row["at"])


def deliver(
    base: Database, channel: str, incident: int, alert: Alert, kind: str, now: float, at: float,
    digest: bool = False,
) -> None:  # fmt: skip
    """Note that `channel` is to be told, from `at` on."""
    base.execute(
        "INSERT INTO deliveries (channel, incident, severity, digest, notice, created, not_before)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (channel, incident, alert.severity, digest, msgspec.json.encode(notice_of(alert, incident, kind)), now, at),
    )


def matches(route: RouteSettings, alert: Alert) -> bool:
    """Severity, category and entity; hours are the caller's."""
    if route.severities and alert.severity not in route.severities:
        return False
    if route.categories and alert.category not in route.categories:
        return False
    return not route.entities or any(_is(pattern, alert) for pattern in route.entities)


def _is(pattern: str, alert: Alert) -> bool:
    actor, entity = actor_of(alert), f"{alert.entity.kind}:{alert.entity.value}"
    if fnmatchcase(actor, pattern) or fnmatchcase(entity, pattern):
        return True
    try:
        return ipaddress.ip_address(actor) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return False
