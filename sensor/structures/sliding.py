"""Sums over a sliding window of packet time: in: amounts and the number of the period they fall in; out: the sum.

The window is a ring of `size` periods (seconds to days) in a flat array from `base` on: period p lies at
`base + p % size`. The owner keeps `head`, the latest period, and whatever totals it wants, from which it takes what
`slide` says has left. The one law: constant work per observation (each period is emptied once), and time never goes
back: an observation older than `head` counts in `head`. Two rings with the same head are merged by adding them.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel


@part_kernel
def slide(values, base, size, head, period):
    """Let the window end at `period`; returns what its sum loses. The ring's head is then max(head, period)."""
    left = 0
    for entered in range(max(head + 1, period - size + 1), period + 1):
        place = base + entered % size
        left += np.int64(values[place])
        values[place] = 0
    return left


@inline_kernel
def clear_ring(values, base, size):
    for i in range(base, base + size):
        values[i] = 0


@part_kernel
def ring_sum(values, base, size, head, since):
    """The sum of the periods from `since` to `head`, at most `size` of them."""
    total = 0
    for period in range(max(since, head - size + 1), head + 1):
        total += np.int64(values[base + period % size])
    return total
