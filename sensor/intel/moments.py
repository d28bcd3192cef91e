"""Moments as feeds write them: in: a text or a number; out: seconds since 1970, None when it is neither.

The one law: without a zone it is UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime

_MILLISECONDS_FROM = 1e11


def moment(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not value:
        return None
    try:
        seconds = float(value)
        return seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds or None
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(str(value).strip().replace(" UTC", "+00:00").replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
