"""What is usual for one entity: in: a ring of daily totals; out: centre and spread of log1p over its active days.

Median and median absolute deviation: up to half of the days may be anything (an attacker's, a migration's) without
moving them far, and a slow change of habit moves them as the days go by. Days without anything do not count. Where
there are enough of them, working days are compared with working days and week-ends with week-ends. The one law: the
present day is never compared with itself.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel

DAYS_MAX = 90
"""The longest ring: daily totals of 90 days."""
SAME_KIND_MIN = 5
"""Active days of the same kind (working or not) that there must be to leave out the others."""


@inline_kernel
def is_weekend(day):
    """Whether a day since 1970-01-01 (a Thursday) is a Saturday or a Sunday."""
    return (day + 3) % 7 >= 5


@part_kernel
def _gather(history, base, size, head, before, weekend, work):
    """Put log1p of the active days before `before`, sorted, into `work`; weekend -1: of both kinds. How many."""
    count = 0
    for day in range(max(head - size + 1, 0), min(head + 1, before)):
        total = np.int64(history[base + day % size])
        if total <= 0 or (weekend >= 0 and np.int64(is_weekend(day)) != weekend):
            continue
        quantity = np.log1p(np.float64(total))
        place = count
        while place > 0 and work[place - 1] > quantity:
            work[place] = work[place - 1]
            place -= 1
        work[place] = quantity
        count += 1
    return count


@inline_kernel
def _middle(work, count):
    return 0.5 * (work[(count - 1) // 2] + work[count // 2])


@part_kernel
def usual(history, base, size, head, today, work, out):
    """Active days before `today` that count; out[0] is the centre of log1p, out[1] its spread (1.4826 MAD).

    `size` days, DAYS_MAX at most, lie in `history` from `base` on, the latest is `head`; `work` has room for as many.
    """
    count = _gather(history, base, size, head, today, np.int64(is_weekend(today)), work)
    if count < SAME_KIND_MIN:
        count = _gather(history, base, size, head, today, -1, work)
    if count == 0:
        return 0
    centre = _middle(work, count)
    for i in range(count):
        distance = abs(work[i] - centre)
        place = i
        while place > 0 and work[place - 1] > distance:
            work[place] = work[place - 1]
            place -= 1
        work[place] = distance
    out[0] = centre
    out[1] = 1.4826 * _middle(work, count)
    return count
