"""Bits of words: in: a word of 64 bits; out: what is set in it.

The one law: nothing is kept.
"""

import numpy as np

from sensor._jit import part_kernel

_ONE = np.uint64(1)


@part_kernel
def count_bits(word):
    """How many bits are set."""
    count = 0
    while word != 0:
        word &= word - _ONE
        count += 1
    return count
