"""Bits of words: in: words of 64 bits; out: what is set in them.

The one law: bit number n is bit n & 63 of word n >> 6.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel

_ONE = np.uint64(1)


@part_kernel
def count_bits(word):
    """How many bits are set."""
    count = 0
    while word != 0:
        word &= word - _ONE
        count += 1
    return count


@inline_kernel
def set_bit(words, base, bit):
    """Set a bit of words[base:]; whether it was not set before."""
    word, mask = base + (bit >> 6), _ONE << np.uint64(bit & 63)
    if words[word] & mask != 0:
        return False
    words[word] |= mask
    return True
