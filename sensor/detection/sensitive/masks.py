"""What the bytes of a body are, 64 at a time: in: bytes; out: masks of digits, of what may join them, of marks.

The one law: a bit of a mask says the same of its byte as a look at the byte alone would.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from sensor._jit import at, inline_kernel, part_kernel
from sensor.structures.bytesearch import load64

_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_I64 = ir.IntType(64)


@intrinsic
def _masks64(typingctx, data, offset, word):
    """Bounds are the caller's: `word` is loaded from the first 8 bytes, and the last 8 before."""
    lanes = ir.VectorType(ir.IntType(8), 64)

    def constant(byte):
        return ir.Constant(lanes, [byte] * 64)

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        vector = builder.load(builder.bitcast(pointer, lanes.as_pointer()))
        vector.align = 1
        digits = builder.icmp_unsigned("<", builder.sub(vector, constant(0x30)), constant(10))
        uppers = builder.icmp_unsigned("<", builder.sub(vector, constant(0x41)), constant(26))
        quotes = builder.icmp_unsigned("==", vector, constant(0x22))
        commas = builder.icmp_unsigned("==", vector, constant(0x2C))
        low = builder.icmp_unsigned("<", vector, constant(0x30))
        joins = builder.and_(low, builder.not_(builder.or_(quotes, commas)))
        ats = builder.icmp_unsigned("==", vector, constant(0x40))
        masks = [builder.bitcast(part, _I64) for part in (digits, joins, ats, quotes, uppers)]
        return context.make_tuple(builder, signature.return_type, masks)

    return types.UniTuple(types.uint64, 5)(data, types.int64, types.uint64), codegen


def _masks64_slow(data, offset, word):
    return tuple(
        np.uint64(sum(1 << i for i in range(64) if is_so(int(data[offset + i]))))
        for is_so in (
            lambda byte: 0x30 <= byte <= 0x39,
            lambda byte: byte < 0x30 and byte != 0x22 and byte != 0x2C,
            lambda byte: byte == 0x40,
            lambda byte: byte == 0x22,
            lambda byte: 0x41 <= byte <= 0x5A,
        )
    )


masks64 = _masks64_slow if config.DISABLE_JIT else _masks64


@inline_kernel
def _whole(data, position):
    """The masks of 64 bytes, all of which must be there."""
    load64(data, position + 56)
    return masks64(data, position, load64(data, position))


@part_kernel
def masks(data, position, stop):
    """(digits, joins, ats, quotes, uppers) of the next bytes, and how many of them count: 64, or all that are left.

    `joins`: what may stand between groups of digits: below "0", no quote and no comma.
    """
    if stop - position >= 64:
        digits, joins, ats, quotes, uppers = _whole(data, position)
        return digits, joins, ats, quotes, uppers, 64
    width = stop - position
    if stop >= 64:
        digits, joins, ats, quotes, uppers = _whole(data, stop - 64)
        shift = np.uint64(64 - width)
        return digits >> shift, joins >> shift, ats >> shift, quotes >> shift, uppers >> shift, width
    digits = joins = ats = quotes = uppers = np.uint64(0)
    for i in range(width):
        bit = _ONE << np.uint64(i)
        byte = at(data, position + i)
        if 0x30 <= byte <= 0x39:
            digits |= bit
        elif byte == 0x22:
            quotes |= bit
        elif byte < 0x30 and byte != 0x2C:
            joins |= bit
        elif byte == 0x40:
            ats |= bit
        elif 0x41 <= byte <= 0x5A:
            uppers |= bit
    return digits, joins, ats, quotes, uppers, width


@inline_kernel
def _after(mask, count, more):
    """Bit i: that of i + count; `more`: what lies behind the end may be set."""
    moved = mask >> np.uint64(count)
    return moved | (_ALL << np.uint64(64 - count)) if more else moved


@inline_kernel
def number_begins(digits, joins, uppers, carried, more):
    """Where a run of two digits or more begins that may be 7 digits with single joins between, or part of an IBAN.

    `carried`: whether a digit was right before; `more`: whether the body goes on behind these 64 bytes.
    """
    before = (digits << _ONE) | carried
    begins = digits & ~before & _after(digits, 1, more)
    joined = digits | (joins & before & _after(digits, 1, more))
    run = joined & _after(joined, 1, more)
    run &= _after(run, 2, more)
    run &= _after(run, 3, more)
    letters = ((uppers << _ONE) | _ONE) & ((uppers << np.uint64(2)) | np.uint64(3))
    return begins & (run | letters)
