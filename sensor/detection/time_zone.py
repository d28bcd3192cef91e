"""Local time: in: the name of a time zone; out: how far it is ahead of UTC, by day.

The one law: the offset of a moment depends on its day alone (that at noon UTC), so that no batch matters.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from sensor.errors import SettingError

FIRST_DAY, LAST_DAY = 10_957, 32_872
"""2000-01-01 and 2059-12-31, as days since 1970."""


def offsets_ns(name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """([first day], offset in ns of each day from it on); SettingError for an unknown zone."""
    first = np.array([FIRST_DAY], np.int64)
    if name == "UTC":
        return first, np.zeros(1, np.int64)
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingError(f'time_zone "{name}": no such zone; expected a name like Europe/Berlin') from error
    noon = datetime(2000, 1, 1, 12, tzinfo=UTC)
    moments = (noon + timedelta(days=day) for day in range(LAST_DAY - FIRST_DAY + 1))
    seconds = [(moment.astimezone(zone).utcoffset() or timedelta()).total_seconds() for moment in moments]
    return first, (np.array(seconds) * 1e9).astype(np.int64)
