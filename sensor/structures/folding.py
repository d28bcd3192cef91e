"""A fast keyed hash of bytes of which nobody shall find two alike: in: bytes and two random words; out: 64 bits.

Sixteen bytes at a time are mixed with the keys, multiplied to 128 bits and folded to 64. `hash_bytes` of hashing.py
spreads keys over tables; this one stands for the bytes themselves where equal hashes mean that they were seen before.
The one law: without the keys no pair of inputs has equal hashes with more than chance.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sensor._jit import part_kernel
from sensor.structures.bytesearch import load64, word_of

_I64, _I128 = ir.IntType(64), ir.IntType(128)


@intrinsic
def _fold(typingctx, one, other):
    def codegen(context, builder, signature, args):
        wide = builder.mul(builder.zext(args[0], _I128), builder.zext(args[1], _I128))
        high = builder.trunc(builder.lshr(wide, ir.Constant(_I128, 64)), _I64)
        return builder.xor(builder.trunc(wide, _I64), high)

    return types.uint64(types.uint64, types.uint64), codegen


def _fold_slow(one, other):
    wide = int(one) * int(other)
    return np.uint64((wide ^ (wide >> 64)) & 0xFFFFFFFFFFFFFFFF)


fold = _fold_slow if numba.config.DISABLE_JIT else _fold


@part_kernel
def fold_bytes(key0, key1, data, start, length):
    """Hash of data[start:start + length] under the keys, two lanes of 16 bytes at a time."""
    stop = start + length
    one = key0 ^ np.uint64(length)
    other = key1
    if length >= 16:
        position = start
        while position + 32 <= stop:
            one = fold(load64(data, position) ^ key1, load64(data, position + 8) ^ one)
            other = fold(load64(data, position + 16) ^ key0, load64(data, position + 24) ^ other)
            position += 32
        if position + 16 <= stop:
            one = fold(load64(data, position) ^ key1, load64(data, position + 8) ^ one)
        other = fold(load64(data, stop - 16) ^ key0, load64(data, stop - 8) ^ other)
    elif length >= 8:
        one = fold(load64(data, start) ^ key1, load64(data, stop - 8) ^ one)
    else:
        one = fold(word_of(data, start, length) ^ key1, one)
    return fold(one ^ key1, other ^ key0)
