"""What may be: in: a file of allowances; out: whether a detection is one of them.

    [[allow]]
    rule = "bulk-transfer"              # id of a rule; * stands for anything, in all texts
    entity = "client:10.0.0.7"          # KIND:VALUE as alerts name it; a network for clients: client:10.0.0.0/24
    endpoint = "GET /api/v1/export"     # method and template
    schedule = "Mon-Fri 01:00-04:00"    # local time; days or hours may be left out
    time_zone = "Europe/Berlin"         # of the schedule; UTC when left out
    until = 2027-06-30                  # the last day, UTC
    reason = "nightly export, OPS-1234" # required, and so is `until`, and one of rule, entity, endpoint

All that is given must hold. The one law: whatever is wrong in the file is one SettingError that names line and key, and
an allowance without a reason and an end is wrong.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sensor.alert import Detection, Entity
from sensor.config import AlertingSettings
from sensor.errors import SettingError

_KEYS = ("rule", "entity", "endpoint", "schedule", "time_zone", "until", "reason")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SCHEDULE = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?)?\s*(?:(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d))?", re.IGNORECASE
)


@dataclass(frozen=True)
class Schedule:
    """Days of the week (Monday is 0), and minutes of the day: from the first up to the second, over midnight too."""

    days: frozenset[int]
    first_minute: int
    last_minute: int
    zone: ZoneInfo

    def holds(self, now: int) -> bool:
        """Whether packet time `now` (ns) lies in it; the hours after midnight belong to the day before."""
        local = datetime.fromtimestamp(now / 1e9, self.zone)
        minute = local.hour * 60 + local.minute
        if self.first_minute <= self.last_minute:
            return local.weekday() in self.days and self.first_minute <= minute < self.last_minute
        if minute >= self.first_minute:
            return local.weekday() in self.days
        return minute < self.last_minute and (local - timedelta(days=1)).weekday() in self.days


@dataclass(frozen=True)
class Allowance:
    """One [[allow]] of the file; None stands for anything."""

    reason: str
    until: int  # ns
    rule: str | None = None
    entity: str | None = None
    endpoint: str | None = None
    schedule: Schedule | None = None

    def covers(self, detection: Detection) -> bool:
        http = detection.http
        endpoint = f"{http.method} {http.endpoint}" if http else ""
        return (
            detection.now < self.until
            and (self.rule is None or fnmatchcase(detection.rule.id, self.rule))
            and (self.entity is None or is_entity(detection.entity, self.entity))
            and (self.endpoint is None or fnmatchcase(endpoint, self.endpoint))
            and (self.schedule is None or self.schedule.holds(detection.now))
        )


def is_entity(entity: Entity, wanted: str) -> bool:
    """Whether KIND:VALUE names an entity; a network in CIDR notation names its addresses."""
    kind, _, value = wanted.partition(":")
    if not fnmatchcase(entity.kind, kind):
        return False
    if "/" in value:
        try:
            return ipaddress.ip_address(entity.value) in ipaddress.ip_network(value, strict=False)
        except ValueError:
            return fnmatchcase(entity.value, value)
    return fnmatchcase(entity.value, value)


def allowances_of(settings: AlertingSettings) -> list[Allowance]:
    """Of the file that the settings name, if they name one."""
    return load_allowances(settings.allow_file) if settings.allow_file else []


def load_allowances(path: str) -> list[Allowance]:
    """The file's allowances; SettingError naming file, line and key for whatever is wrong in it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingError(f"{path}: not TOML: {error}") from None
    return parse_allowances(text, path)


def parse_allowances(text: str, path: str) -> list[Allowance]:
    """Those of a list that came from `path`; SettingError as of `load_allowances`."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: not TOML: {error}") from None
    lines = text.splitlines()
    blocks = [number for number, line in enumerate(lines) if re.match(r"\s*\[\[\s*allow\s*\]\]", line)]
    others = [key for key in tree if key != "allow"]
    entries = tree.get("allow", [])
    if others or not isinstance(entries, list) or len(blocks) != len(entries):
        raise SettingError(f"{path}: expected [[allow]] tables and nothing else{f': {others[0]}' if others else ''}")
    ends = [*blocks, len(lines)][1:]
    places = zip(blocks, ends, entries, strict=True)
    return [_Entry(path, lines, first, end, entry).allowance() for first, end, entry in places]


class _Entry:
    """One [[allow]] and where it stands."""

    def __init__(self, path: str, lines: list[str], first: int, end: int, entry: dict[str, Any]) -> None:
        self.path, self.lines, self.first, self.end, self.entry = path, lines, first, end, entry

    def wrong(self, key: str, problem: str) -> NoReturn:
        key_at = re.compile(rf"\s*{re.escape(key)}\s*=")
        found = [number for number in range(self.first, self.end) if key_at.match(self.lines[number])]
        line = (found[0] if found else self.first) + 1
        raise SettingError(f"{self.path}:{line}: allow.{key}: {problem}")

    def allowance(self) -> Allowance:
        for key in self.entry:
            if key not in _KEYS:
                self.wrong(key, f"no such key; expected one of {', '.join(_KEYS)}")
        if not any(key in self.entry for key in ("rule", "entity", "endpoint")):
            self.wrong("rule", "expected at least one of rule, entity and endpoint: everything would be allowed")
        entity = self._text("entity")
        if entity is not None and ":" not in entity:
            self.wrong("entity", f'expected "KIND:VALUE", for example "client:10.0.0.7"; it is "{entity}"')
        return Allowance(
            reason=self._text("reason") or self.wrong("reason", "expected why this is allowed"),
            until=self._until(),
            rule=self._text("rule"),
            entity=entity,
            endpoint=self._text("endpoint"),
            schedule=self._schedule(),
        )

    def _text(self, key: str) -> str | None:
        value = self.entry.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.wrong(key, "expected text")
        return value

    def _until(self) -> int:
        value = self.entry.get("until")
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        elif isinstance(value, date):
            moment = datetime(value.year, value.month, value.day, tzinfo=UTC) + timedelta(days=1)
        else:
            self.wrong("until", "expected the last day on which it holds, for example 2027-06-30")
        return round(moment.timestamp()) * 1_000_000_000

    def _schedule(self) -> Schedule | None:
        text, name = self._text("schedule"), self._text("time_zone") or "UTC"
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.wrong("time_zone", f'no such zone: "{name}"; expected a name like Europe/Berlin')
        if text is None:
            return None
        found = _SCHEDULE.fullmatch(text.strip())
        days = [(found[key] or "").lower() for key in ("first", "last")] if found else ["?"]
        if found is None or any(day not in (*_DAYS, "") for day in days):
            self.wrong("schedule", f'expected days and hours like "Mon-Fri 01:00-04:00"; it is "{text}"')
        first = _DAYS.index(days[0]) if days[0] else 0
        last = _DAYS.index(days[1]) if days[1] else (first if days[0] else 6)
        span = (last - first) % 7
        hours = [found["from"] or "00:00", found["to"] or "24:00"]
        minutes = [int(hour[:2]) * 60 + int(hour[3:]) for hour in hours]
        if max(minutes) > 24 * 60:
            self.wrong("schedule", f'expected hours from 00:00 to 24:00; it is "{text}"')
        return Schedule(frozenset((first + step) % 7 for step in range(span + 1)), minutes[0], minutes[1], zone)
