"""How many different things were seen: in: their hashes; out: whether one is new, and an estimate of their number.

    bitmap  2**16 bits at most, `WORDS` words of one owner: says at once whether a hash is new (linear counting: Whang,
            Vander-Zanden and Taylor, 1990). Exact in expectation until nine in ten bits are set.
    sketch  HyperLogLog (Flajolet and others, 2007) with 2**P registers of one byte; its sum is kept along, so that an
            estimate is constant work. Below 2.5 * 2**P it counts linearly, nearly exact for few.

Both are merged by OR and maximum of what they hold. The one law: the same hash counts once, in whatever order.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel

WORDS = 256
"""Words of a bitmap: 16,384 bits, 2 KB, which tell up to about 37,000 things apart."""
BITS = 64 * WORDS
FULL = (BITS * 9) // 10
"""A bitmap with so many bits set tells too little of what is new."""
P = 11
REGISTERS = 1 << P
"""Registers of a sketch: 2 KB, 2.3 % standard error."""
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)

SKETCH = np.dtype([("sum", "f8"), ("touched", "i4"), ("generation", "u4")], align=True)
"""What is kept along: the sum of 2**-register over the registers touched, how many they are, whose they are."""


@inline_kernel
def is_new_bit(words, base, hashed):
    """Whether the hash's bit in the bitmap from word `base` on was not set; it is then."""
    bit = np.int64(hashed >> np.uint64(64 - 14))
    mask = np.uint64(1) << np.uint64(bit & 63)
    place = base + (bit >> 6)
    if words[place] & mask != 0:
        return False
    words[place] |= mask
    return True


@inline_kernel
def weight_of_bit(set_bits, bits):
    """How many new hashes one more bit stands for."""
    return bits / (bits - min(set_bits, bits - 1))


@inline_kernel
def clear_words(words, base, size):
    for i in range(base, base + size):
        words[i] = 0


@inline_kernel
def _rank(hashed):
    """1 + trailing zeros of the hash above its lowest P bits, at most 53."""
    rest = hashed >> np.uint64(P)
    rank = 1
    while rest & np.uint64(1) == 0 and rank < 64 - P:
        rest >>= np.uint64(1)
        rank += 1
    return rank


@inline_kernel
def register_of(row, hashed):
    """Which register of the sketch of `row` a hash is noted in."""
    return row * REGISTERS + np.int64(hashed & np.uint64(REGISTERS - 1))


@part_kernel
def sketch_add(sketches, registers, row, hashed):
    """Note one hash in the sketch of `row`, which has REGISTERS bytes of `registers`."""
    place = register_of(row, hashed)
    rank = _rank(hashed)
    before = np.int64(registers[place])
    if rank <= before:
        return
    sketch = sketches[row]
    if before == 0:
        sketch["touched"] += 1
    else:
        sketch["sum"] -= 2.0**-before
    sketch["sum"] += 2.0**-rank
    registers[place] = rank


@part_kernel
def sketch_count(sketches, row):
    """The estimate of `row`."""
    touched = np.int64(sketches[row]["touched"])
    untouched = REGISTERS - touched
    estimate = _ALPHA * REGISTERS * REGISTERS / (sketches[row]["sum"] + untouched)
    if estimate <= 2.5 * REGISTERS and untouched > 0:
        return REGISTERS * np.log(REGISTERS / untouched)
    return estimate


@part_kernel
def sketch_clear(sketches, registers, row):
    sketches[row]["sum"] = 0.0
    sketches[row]["touched"] = 0
    for i in range(row * REGISTERS, (row + 1) * REGISTERS):
        registers[i] = 0
