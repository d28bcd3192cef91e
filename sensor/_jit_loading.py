"""What of a kernel is kept on disk and loaded again: in: a compiled library; out: its machine code, nothing to link.

numba keeps the text of a library's functions beside their code, so that others may have them inlined, and reads it
back with the code; and before it loads anything it registers all that it can compile. Nobody links to a kernel, and a
sensor whose kernels lie in the cache compiles nothing: without both it starts in two thirds of the time and is 60 MB
smaller. The one law: what is loaded runs as if it had been compiled just now.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba.core.caching import FunctionCache

Stored = tuple[str, str, tuple[bytes, bytes]]


def stored(library: Any) -> Stored:
    """A library as numba stores it, for `serialize_using_object_code`: of the functions' text only the names of those
    that others may call, which is all that is looked for in it.
    """
    library._ensure_finalized()
    names = [
        function.name
        for function in library._final_module.functions
        if not function.is_declaration and function.linkage is not llvm.Linkage.internal
    ]
    text = llvm.parse_assembly("\n".join(f'define void @"{name}"() {{ ret void }}' for name in names))
    return library.name, "object", (library._get_compiled_object(), text.as_bitcode())


def loaded(cache: FunctionCache, signature: Any, context: Any) -> Any:
    """What the cache has for a signature, or None, for `load_overload`: with no more of numba than that takes."""
    with cache._guard_against_spurious_io_errors():
        found = cache._load_overload(signature, context)
        if found is not None:
            found.library._shared_module = None
        return found
