"""How a quantity spreads over a population: in: integers >= 0; out: counts by bin, and robust statistics of log1p.

Bins are exact below 4, then four to each doubling (19 % wide), so a histogram is 188 int32 whatever the population, can
be added to another, and forgets a member in constant time. The one law: everything is integers until a statistic is
asked for.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel

BITS_MAX = 48
BINS = 4 * (BITS_MAX - 2) + 4


def _middles() -> np.ndarray:
    """The middle of each bin, float64[BINS]."""
    lowest = [b if b < 4 else (4 + b % 4) << (b // 4 - 1) for b in range(BINS)]
    width = [1 if b < 4 else 1 << (b // 4 - 1) for b in range(BINS)]
    return np.array([low + (wide - 1) / 2 for low, wide in zip(lowest, width, strict=True)])


MIDDLES = _middles()
LOGS = np.log1p(MIDDLES)


@inline_kernel
def bin_of(quantity):
    """The bin of an int64 >= 0; everything from 2**48 on falls into the last."""
    if quantity < 4:
        return quantity
    if quantity >= 1 << BITS_MAX:
        return BINS - 1
    bits = 3
    rest = quantity >> 3
    while rest != 0:
        rest >>= 1
        bits += 1
    return 4 * (bits - 2) + ((quantity >> (bits - 3)) & 3)


@inline_kernel
def quantile_bin(counts, base, members, part):
    """The bin below or in which `part` (0 to 1) of the members lie; members >= 1."""
    rank = min(np.int64(part * members), members - 1)
    place = 0
    below = np.int64(counts[base])
    while below <= rank:
        place += 1
        below += counts[base + place]
    return place


@part_kernel
def top_bin(counts, base, own, rank):
    """The highest bin in or above which `rank` members are, one member of bin `own` left out (-1: none); else 0."""
    place = BINS - 1
    above = np.int64(0)
    while place > 0:
        above += np.int64(counts[base + place]) - np.int64(place == own)
        if above >= rank:
            break
        place -= 1
    return place


@part_kernel
def spread(counts, base, members, median):
    """Median absolute deviation of log1p from the median bin; members >= 1."""
    low = high = median
    mass = np.int64(counts[base + median])
    distance = 0.0
    while 2 * mass < members:
        down = LOGS[median] - LOGS[low - 1] if low > 0 else np.inf
        up = LOGS[high + 1] - LOGS[median] if high < BINS - 1 else np.inf
        if down <= up:
            low -= 1
            mass += counts[base + low]
            distance = down
        else:
            high += 1
            mass += counts[base + high]
            distance = up
    return distance
