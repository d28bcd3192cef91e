"""The one way to compile: `@kernel` for what Python calls, `@inline_kernel` for what kernels call.

A kernel's parameters are annotated with what it takes, and the annotations are its explicit signature:

    @kernel
    def count_syn(segments: SEGMENT, n: int, counters: I64s) -> int: ...

    int float bool            int64, float64, boolean
    np.uint64, np.uint8 ...   a scalar of that type
    SEGMENT (a np.dtype)      a C-contiguous 1-d array of that record
    Bytes U16s U32s U64s I32s I64s F64s    C-contiguous 1-d arrays of that item
    a NamedTuple class        a tuple of the above, as its fields are annotated

Kernels are compiled when their file is imported (or loaded from the cache), never later: a call with other types raises.
Reference counting is off, so a kernel that allocates does not compile; bounds checks are always on. Bounds checks do not
see negative indices, hence `at`: every parser reads bytes through it or through structures/bytesearch.py.

The cache folder's name holds a digest of every source a kernel is made of, of numba's version and of the CPU, because numba
itself does not notice a change in a called function of another file. The cache is code: the folder must be private to its owner.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import llvmlite.binding as llvm
import numba
import numpy as np
import platformdirs
from numba import from_dtype, njit, types
from numba.core.codegen import CPUCodeLibrary

from sensor.errors import CacheError

_PACKAGE = Path(__file__).parent
F = TypeVar("F", bound=Callable[..., Any])


def _array(item: Any) -> types.Array:
    return types.Array(item, 1, "C")


Bytes = _array(types.uint8)
U16s = _array(types.uint16)
U32s = _array(types.uint32)
U64s = _array(types.uint64)
I32s = _array(types.int32)
I64s = _array(types.int64)
F64s = _array(types.float64)

_SCALARS: dict[Any, Any] = {int: types.int64, float: types.float64, bool: types.boolean, None: types.void}


def _numba_type(annotation: Any) -> Any:
    if isinstance(annotation, np.dtype):
        return _array(from_dtype(annotation))
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        fields = inspect.get_annotations(annotation, eval_str=True)
        return types.NamedTuple([_numba_type(hint) for hint in fields.values()], annotation)
    if isinstance(annotation, type) and issubclass(annotation, np.generic):
        return from_dtype(np.dtype(annotation))
    return _SCALARS.get(annotation, annotation)


def _digest() -> str:
    """Names everything a compiled kernel depends on; the sources are those that mention the compiler, and the tables."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {llvm.get_host_cpu_name()}".encode())
    digest.update(llvm.get_host_cpu_features().flatten().encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        source = path.read_bytes()
        if b"sensor._jit" in source or path.name in {"_jit.py", "schema.py", "limits.py"} or b"IntEnum" in source:
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + source)
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels lie: $TAPIR_CACHE, systemd's CACHE_DIRECTORY, or the user's cache folder."""
    base = os.environ.get("TAPIR_CACHE") or os.environ.get("CACHE_DIRECTORY") or platformdirs.user_cache_dir("tapir")
    return Path(base) / f"kernels-{_digest()}"


def _private(folder: Path) -> Path:
    """The folder, made if need be, or CacheError when anyone else owns it or may write to it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise CacheError(
            f"{folder}: the kernel cache holds code and must be a folder of mode 0700 owned by uid {os.getuid()}; "
            "remove it, or set TAPIR_CACHE to a private folder"
        )
    return folder


# numba reads this when a function is decorated, so it is set before the first kernel file is imported
numba.config.CACHE_DIR = str(_private(cache_folder()))

KERNELS: list[Any] = []


@contextmanager
def _optimised_once(name: str) -> Iterator[None]:
    """While compiling `name`, run LLVM's optimiser on its final module only.

    numba optimises every callee's module as if it were to run by itself, then links it into the caller's and optimises all
    again, level by level; callees of a kernel never run by themselves. Without this the kernels take five times as long.
    """
    usual = CPUCodeLibrary._optimize_final_module

    def optimise(library: Any) -> None:
        if library.name == name:
            passes, builder = library._codegen._module_pass_manager()
            passes.run(library._final_module, builder)

    CPUCodeLibrary._optimize_final_module = optimise
    try:
        yield
    finally:
        CPUCodeLibrary._optimize_final_module = usual


def kernel(function: F) -> F:
    """Compile for exactly the annotated types; cached on disk, without the GIL, with bounds checks."""
    hints = inspect.get_annotations(function, eval_str=True)
    arguments = [_numba_type(hints[name]) for name in inspect.signature(function).parameters]
    signature = _numba_type(hints["return"])(*arguments)
    with _optimised_once(function.__qualname__):
        compiled = njit(signature, nogil=True, cache=True, boundscheck=True, error_model="numpy", _nrt=False)(function)
    KERNELS.append(compiled)
    return compiled


def inline_kernel(function: F) -> F:
    """For small kernels and those with one caller: compiled into whoever calls them."""
    return njit(
        nogil=True, boundscheck=True, error_model="numpy", _nrt=False, forceinline=True, no_cfunc_wrapper=True
    )(function)


def part_kernel(function: F) -> F:
    """For large kernels with several callers: compiled once per calling kernel, and called."""
    return njit(nogil=True, boundscheck=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True)(function)


@inline_kernel
def at(data, offset):
    """The byte at `offset`, as int64. A negative offset is out of bounds like any other."""
    return np.int64(data[np.uint64(offset)])
