"""Asking for memory before it is read: in: a table and a row that will be wanted in some steps; out: nothing.

Where a loop over packets or chunks reads a row of its own for each, in an order that is the traffic's, it waits for
memory longer than it works. Asked for a few steps ahead, the rows come while others are worked on. The one law: it
reads nothing and never fails, not even for a row that does not exist, and results do not depend on it.
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 8
"""Rows ahead at which to ask: what they take stays in the first-level cache."""
FAR_AHEAD = 24
"""The same where a row is soon done with, so that more of them pass while one comes."""
_LINE_BYTES = 64
_ALIGNED_BYTES = 16
"""Of which the start of every table is a multiple."""
_BYTE, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


@intrinsic
def _prefetch(typingctx: Any, table: Any, row: Any) -> Any:
    kind = types.void(table, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        width = context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype))
        hint = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _I32, _I32, _I32]), "llvm.prefetch.p0"
        )
        start = builder.bitcast(array.data, _BYTE.as_pointer())
        begin = builder.mul(args[1], ir.Constant(_I64, width))
        last = [width - 1] if width > _ALIGNED_BYTES else []  # rows begin anywhere in a line
        for offset in [*range(0, width, _LINE_BYTES), *last]:
            place = builder.gep(start, [builder.add(begin, ir.Constant(_I64, offset))])
            builder.call(hint, [place, *(ir.Constant(_I32, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return kind, codegen


def _prefetch_slow(table: Any, row: Any) -> None:
    pass


prefetch = _prefetch_slow if numba.config.DISABLE_JIT else _prefetch
"""prefetch(table, row): ask for the cache lines of table[row], a contiguous array's."""
