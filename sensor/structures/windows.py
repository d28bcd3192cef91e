"""Exact sliding windows over packet time: in: times that never decrease, ns; out: counts and targets.

Each entity owns `size` consecutive items of flat int64 or uint64 arrays, from `base` on; its times are cleared when it
is first seen. The one law: constant work per observation, however much traffic there is. What "within" means:
`now - time <= window`.

    ring      the last `size` times: more than size - 1 in the window exactly when the oldest of them is within
    distinct  the last `size` different targets: at least `size` of them in the window exactly when all are within
"""

from sensor._jit import inline_kernel, part_kernel

NEVER = -(1 << 62)
"""A time before every window; the difference to any packet time fits in int64."""


@inline_kernel
def clear_times(times, base, size):
    for i in range(base, base + size):
        times[i] = NEVER


@inline_kernel
def ring_push(times, base, size, cursor, now):
    """Put `now` in the place of the oldest; returns the cursor of the one that is oldest then."""
    times[base + cursor] = now
    cursor += 1
    return 0 if cursor == size else cursor


@inline_kernel
def count_within(times, base, size, since):
    """How many of the entity's times are not before `since`."""
    count = 0
    for i in range(base, base + size):
        count += times[i] >= since
    return count


@part_kernel
def distinct_touch(targets, times, base, size, target, now, since):
    """Note a sight of `target`; returns its place, or `-1 - place` when it was not among the last `size` seen since
    `since`.
    """
    oldest = base
    for i in range(base, base + size):
        if targets[i] == target and times[i] != NEVER:
            known = times[i] >= since
            times[i] = now
            return i if known else -1 - i
        if times[i] < times[oldest]:
            oldest = i
    targets[oldest] = target
    times[oldest] = now
    return -1 - oldest
