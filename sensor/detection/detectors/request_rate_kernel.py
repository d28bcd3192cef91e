"""The end of a minute: in: requests of the minute by row, and what is usual for each; out: rows above a multiple of it.

The one law: a minute that is above becomes no part of the average.
"""

import numpy as np

from sensor._jit import I32s, kernel

_ABOVE_MAX = (1 << 16) - 1
USUAL = np.dtype([("generation", "u4"), ("average", "f4"), ("minutes", "u2"), ("above", "u2")], align=True)
"""Of a row: minutes known, minutes in a row above, average of a minute."""
SURGE = np.dtype([("row", "i4"), ("requests", "i4"), ("average", "f8")], align=True)


@kernel
def end_minute(
    last: I32s, rows: int, usual: USUAL, known_min: int, requests_min: int, ratio_min: float, minutes_min: int,
    memory_minutes: int, out: SURGE,
) -> int:  # fmt: skip
    """Judge the first `rows` rows, and let the minute become part of their averages; writes those that were above for
    `minutes_min` minutes to `out`, which has room for all, and returns how many.
    """
    found = 0
    for row in range(rows):
        count, mine = np.int64(last[row]), usual[row]
        minutes, average = np.int64(mine["minutes"]), np.float64(mine["average"])
        if minutes == 0 and count == 0:
            continue
        if minutes >= known_min and count >= requests_min and count > ratio_min * average:
            mine["above"] = min(np.int64(mine["above"]) + 1, _ABOVE_MAX)
            if mine["above"] >= minutes_min:
                surge = out[found]
                surge["row"], surge["requests"], surge["average"] = row, count, average
                found += 1
            continue
        minutes = min(minutes + 1, memory_minutes)
        mine["above"] = 0
        mine["average"] = average + (count - average) / minutes
        mine["minutes"] = minutes
    return found
