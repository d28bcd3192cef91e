"""Reading many bytes at once: in: a uint8 array and offsets; out: words, masks and positions.

The one law: every access is checked against the array's end, in one comparison for 8 or 32 bytes, and one past either
end raises IndexError like any other subscript.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sensor._jit import at, inline_kernel, part_kernel

_I64 = ir.IntType(64)


def _checked_pointer(context, builder, signature, args, width):
    """Pointer to `width` bytes at args[1] of array args[0]; raises IndexError when they are not all inside."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    offset = args[1]
    room = builder.sub(array.nitems, ir.Constant(_I64, width))
    outside = builder.or_(
        builder.icmp_signed("<", room, ir.Constant(_I64, 0)), builder.icmp_unsigned(">", offset, room)
    )
    with builder.if_then(outside, likely=False):
        context.call_conv.return_user_exc(builder, IndexError, ("access past the end of the buffer",))
    return builder.gep(array.data, [offset])


@intrinsic
def _load64(typingctx, data, offset):
    def codegen(context, builder, signature, args):
        pointer = _checked_pointer(context, builder, signature, args, 8)
        word = builder.load(builder.bitcast(pointer, _I64.as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.int64), codegen


@intrinsic
def _store64(typingctx, data, offset, word):
    def codegen(context, builder, signature, args):
        pointer = _checked_pointer(context, builder, signature, args, 8)
        stored = builder.store(args[2], builder.bitcast(pointer, _I64.as_pointer()))
        stored.align = 1
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), codegen


@intrinsic
def _copy32(typingctx, source, start, target, position):
    lane = ir.VectorType(ir.IntType(8), 32)

    def codegen(context, builder, signature, args):
        inner = types.void(source, types.int64), types.void(target, types.int64)
        taken = _checked_pointer(context, builder, inner[0], args[:2], 32)
        given = _checked_pointer(context, builder, inner[1], args[2:], 32)
        vector = builder.load(builder.bitcast(taken, lane.as_pointer()))
        vector.align = 1
        stored = builder.store(vector, builder.bitcast(given, lane.as_pointer()))
        stored.align = 1
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), codegen


@intrinsic
def _match32(typingctx, data, offset, byte):
    lanes = ir.VectorType(ir.IntType(8), 32)

    def codegen(context, builder, signature, args):
        pointer = _checked_pointer(context, builder, signature, args, 32)
        vector = builder.load(builder.bitcast(pointer, lanes.as_pointer()))
        vector.align = 1
        undefined = ir.Constant(lanes, ir.Undefined)
        first = builder.insert_element(undefined, args[2], ir.Constant(ir.IntType(32), 0))
        wanted = builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), 32), [0] * 32))
        mask = builder.bitcast(builder.icmp_unsigned("==", vector, wanted), ir.IntType(32))
        return builder.zext(mask, _I64)

    return types.uint64(data, types.int64, types.uint8), codegen


@intrinsic
def _json_masks64(typingctx, data, offset):
    lanes = ir.VectorType(ir.IntType(8), 64)

    def codegen(context, builder, signature, args):
        pointer = _checked_pointer(context, builder, signature, args, 64)
        vector = builder.load(builder.bitcast(pointer, lanes.as_pointer()))
        vector.align = 1
        folded = builder.or_(vector, ir.Constant(lanes, [0x20] * 64))
        masks = [
            builder.bitcast(builder.icmp_unsigned("==", bytes_, ir.Constant(lanes, [wanted] * 64)), _I64)
            for bytes_, wanted in ((vector, 0x22), (vector, 0x5C), (folded, 0x7B), (folded, 0x7D))
        ]
        return context.make_tuple(builder, signature.return_type, masks)

    return types.UniTuple(types.uint64, 4)(data, types.int64), codegen


@intrinsic
def _trailing_zeros(typingctx, word):
    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@intrinsic
def _leading_zeros(typingctx, word):
    def codegen(context, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


def _load64_slow(data, offset):
    if not 0 <= offset <= len(data) - 8:
        raise IndexError("access past the end of the buffer")
    return np.uint64(int.from_bytes(data[offset : offset + 8].tobytes(), "little"))


def _store64_slow(data, offset, word):
    if not 0 <= offset <= len(data) - 8:
        raise IndexError("access past the end of the buffer")
    data[offset : offset + 8] = np.frombuffer(int(word).to_bytes(8, "little"), np.uint8)


def _copy32_slow(source, start, target, position):
    if not (0 <= start <= len(source) - 32 and 0 <= position <= len(target) - 32):
        raise IndexError("access past the end of the buffer")
    target[position : position + 32] = source[start : start + 32].copy()


def _match32_slow(data, offset, byte):
    if not 0 <= offset <= len(data) - 32:
        raise IndexError("access past the end of the buffer")
    return np.uint64(sum(1 << i for i in range(32) if data[offset + i] == byte))


def _json_masks64_slow(data, offset):
    if not 0 <= offset <= len(data) - 64:
        raise IndexError("access past the end of the buffer")
    lane = data[offset : offset + 64]
    return tuple(
        np.uint64(sum(1 << i for i in range(64) if bytes_[i] == wanted))
        for bytes_, wanted in ((lane, 0x22), (lane, 0x5C), (lane | 0x20, 0x7B), (lane | 0x20, 0x7D))
    )


def _trailing_zeros_slow(word):
    return (int(word) & -int(word)).bit_length() - 1 if word else 64


def _leading_zeros_slow(word):
    return 64 - int(word).bit_length()


load64 = _load64_slow if numba.config.DISABLE_JIT else _load64
store64 = _store64_slow if numba.config.DISABLE_JIT else _store64
copy32 = _copy32_slow if numba.config.DISABLE_JIT else _copy32
match32 = _match32_slow if numba.config.DISABLE_JIT else _match32
json_masks64 = _json_masks64_slow if numba.config.DISABLE_JIT else _json_masks64
trailing_zeros = _trailing_zeros_slow if numba.config.DISABLE_JIT else _trailing_zeros
leading_zeros = _leading_zeros_slow if numba.config.DISABLE_JIT else _leading_zeros


@inline_kernel
def find_byte_inline(data, start, stop, byte):
    """As find_byte, for the innermost loops."""
    position = start
    while position + 32 <= stop:
        mask = match32(data, position, np.uint8(byte))
        if mask != 0:
            return position + trailing_zeros(mask)
        position += 32
    while position < stop:
        if at(data, position) == byte:
            return position
        position += 1
    return stop


@part_kernel
def find_byte(data, start, stop, byte):
    """Position of the first `byte` in data[start:stop], or `stop`."""
    return find_byte_inline(data, start, stop, byte)


@inline_kernel
def word_of(data, start, length):
    """The first `length` (at most 8) bytes as a little-endian word, the rest zero."""
    if length >= 8:
        return load64(data, start)
    word = np.uint64(0)
    if length > 0 and start + 8 <= len(data):
        return load64(data, start) & ((np.uint64(1) << np.uint64(8 * length)) - np.uint64(1))
    for i in range(length):
        word |= np.uint64(at(data, start + i)) << np.uint64(8 * i)
    return word


@inline_kernel
def copy_long(source, start, length, target, position):
    """As copy_bytes, for stretches of which most are long; from one array to another."""
    if length < 32:
        copy_bytes(source, start, length, target, position)
        return
    i = 0
    while i + 32 <= length:
        copy32(source, start + i, target, position + i)
        i += 32
    if i < length:
        copy32(source, start + length - 32, target, position + length - 32)


@part_kernel
def copy_bytes(source, start, length, target, position):
    """Copy `length` bytes from source[start:] to target[position:]."""
    i = 0
    while i + 8 <= length:
        store64(target, position + i, load64(source, start + i))
        i += 8
    while i < length:
        target[np.uint64(position + i)] = np.uint8(at(source, start + i))
        i += 1
