"""Tables that a kernel gets, by reference: in: a named tuple of arrays; out: one pointer, which its parts pass on.

numba passes a tuple by value, seven words an array: tables of forty arrays would be some three hundred arguments of
every call between the parts of a kernel, which take the compiler minutes and each call as long as its work. Here the
wrapper that Python calls writes them down once, and whoever needs an array reads its words from there. The one law:
what is written down never changes while the kernel runs, so the compiler may keep what it has read.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.pythonapi import NativeValue
from numba.core.registry import cpu_target
from numba.core.typeconv import Conversion
from numba.core.types.containers import BaseNamedTuple
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, lower_getattr_generic, unbox

_POINTER = ir.IntType(8).as_pointer()


class TablesReference(types.Type):
    """A pointer to the values of a named tuple."""

    def __init__(self, tables: Any) -> None:
        self.tables = tables
        super().__init__(name=f"reference({tables.name})")

    @property
    def key(self) -> Any:
        return self.tables


def reference_to(tables: Any) -> TablesReference:
    """The type of a reference to tables of this type, which may be given where it is asked for."""
    reference = TablesReference(tables)
    cpu_target.typing_context.tm.set_compatible(tables, reference, Conversion.safe)
    return reference


@register_default(TablesReference)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _POINTER)


def _field(kind: TablesReference, name: str) -> tuple[int, Any]:
    place = kind.tables.fields.index(name)
    field = kind.tables.types[place]
    return place, TablesReference(field) if isinstance(field, BaseNamedTuple) else field


@infer_getattr
class _Attributes(AttributeTemplate):  # type: ignore[misc]
    key = TablesReference

    def generic_resolve(self, kind: TablesReference, name: str) -> Any:
        return _field(kind, name)[1] if name in kind.tables.fields else None


def _loaded(builder: Any, pointer: Any) -> Any:
    """The value at `pointer`; the members of a structure one by one, lest all are read where one is used."""
    kind = pointer.type.pointee
    if not isinstance(kind, ir.LiteralStructType | ir.ArrayType):
        word = builder.load(pointer)
        word.set_metadata("invariant.load", builder.module.add_metadata([]))
        return word
    value = ir.Constant(kind, ir.Undefined)
    zero = ir.Constant(ir.IntType(32), 0)
    for place in range(len(kind.elements) if isinstance(kind, ir.LiteralStructType) else kind.count):
        member = builder.gep(pointer, [zero, ir.Constant(ir.IntType(32), place)], inbounds=True)
        value = builder.insert_value(value, _loaded(builder, member), place)
    return value


@lower_getattr_generic(TablesReference)
def _attribute(context: Any, builder: Any, kind: TablesReference, value: Any, name: str) -> Any:
    place, field = _field(kind, name)
    tables = builder.bitcast(value, context.get_value_type(kind.tables).as_pointer())
    zero = ir.Constant(ir.IntType(32), 0)
    pointer = builder.gep(tables, [zero, ir.Constant(ir.IntType(32), place)], inbounds=True)
    if isinstance(field, TablesReference):
        return builder.bitcast(pointer, _POINTER)
    return _loaded(builder, pointer)


@unbox(TablesReference)
def _written_down(kind: TablesReference, tables: Any, c: Any) -> NativeValue:
    """The tuple's values in the frame of the wrapper, which lives as long as the call.

    The pointer passes through an instruction that the compiler does not know, lest it takes what was never written for
    what never changes.
    """
    native = c.unbox(kind.tables, tables)
    place = cgutils.alloca_once_value(c.builder, native.value)
    known = c.builder.bitcast(place, _POINTER)
    hidden = c.builder.asm(ir.FunctionType(_POINTER, [_POINTER]), "", "=r,0,~{memory}", [known], side_effect=True)
    return NativeValue(hidden, is_error=native.is_error, cleanup=native.cleanup)
