"""Days and hours: text goes in, whether a moment lies in them comes out. Law: hours over midnight belong to the day on
which they began.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sensor.errors import SettingError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TEXT = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?)?\s*(?:(?P<from>\d\d):(?P<m>\d\d)-(?P<to>\d\d):(?P<n>\d\d))?",
    re.IGNORECASE,
)
_WEEK_MINUTES = 7 * 24 * 60


class Hours:
    """Made of text as Mon-Fri 08:00-18:00, 22:00-07:00 or Sat-Sun; `key` names the setting in the SettingError for
    anything else.
    """

    def __init__(self, text: str, time_zone: str, key: str) -> None:
        match = _TEXT.fullmatch(text.strip())
        if not match or not text.strip():
            raise SettingError(f"{key}: {text!r}: expected days and hours, as Mon-Fri 08:00-18:00")
        self._days = _days(match["first"], match["last"], key)
        self._from, self._to = 0, 24 * 60
        if match["from"]:
            self._from = int(match["from"]) * 60 + int(match["m"])
            self._to = int(match["to"]) * 60 + int(match["n"])
            if max(self._from, self._to) > 24 * 60 or max(int(match["m"]), int(match["n"])) > 59:
                raise SettingError(f"{key}: {text!r}: expected hours from 00:00 to 24:00")
        try:
            self._zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise SettingError(f"{key}: time zone {time_zone!r}: expected a name such as Europe/Berlin") from None

    def holds(self, seconds: float) -> bool:
        """Whether `seconds` since 1970 lies in them."""
        local = datetime.fromtimestamp(seconds, self._zone)
        minute = local.hour * 60 + local.minute
        if self._from < self._to:
            return local.weekday() in self._days and self._from <= minute < self._to
        if minute >= self._from:
            return local.weekday() in self._days
        return minute < self._to and (local - timedelta(days=1)).weekday() in self._days

    def end_after(self, seconds: float) -> float:
        """The first full minute from `seconds` on that does not lie in them; `seconds` itself when it does not."""
        moment = seconds
        for _ in range(_WEEK_MINUTES):
            if not self.holds(moment):
                return moment
            moment = (moment // 60 + 1) * 60
        return seconds  # all week: as if never


def _days(first: str | None, last: str | None, key: str) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    names = [name.lower() for name in (first, last or first)]
    if any(name not in _DAYS for name in names):
        raise SettingError(f"{key}: expected days as mon, tue, wed, thu, fri, sat, sun")
    begin, end = (_DAYS.index(name) for name in names)
    return frozenset((begin + step) % 7 for step in range((end - begin) % 7 + 1))
