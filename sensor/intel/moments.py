"""Moments as feeds write them: in: a text or a number; out: seconds since 1970, None when it is neither.

The one law: without a zone it is UTC, and what no calendar has is none.
"""

from __future__ import annotations

from datetime import UTC, datetime

_MILLISECONDS_FROM = 1e11
_LAST = 253_402_300_800
"""The end of the year 9999."""


def moment(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not value:
        return None
    try:
        seconds = float(value)
        seconds = seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds
        return seconds if 0 < seconds < _LAST else None
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(str(value).strip().replace(" UTC", "+00:00").replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
