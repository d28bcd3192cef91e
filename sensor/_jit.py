"""The one way to compile: `@kernel` for what Python calls, `@inline_kernel` for what kernels call.

A kernel's parameters are annotated with what it takes, and the annotations are its explicit signature:

    @kernel
    def count_syn(segments: SEGMENT, n: int, counters: I64s) -> int: ...

    int float bool            int64, float64, boolean
    np.uint64, np.uint8 ...   a scalar of that type
    SEGMENT (a np.dtype)      a C-contiguous 1-d array of that record
    Bytes U16s U32s U64s I32s I64s F64s    C-contiguous 1-d arrays of that item
    a NamedTuple class        a reference to a tuple of the above, as its fields are annotated

In such a class a table is `Annotated[Rows, SEGMENT]`, so that type checkers know how Python code may use it.

Kernels are compiled when their file is imported (or loaded from the cache), never later: a call with other types
raises. Reference counting is off, so a kernel that allocates does not compile; bounds checks are always on. Bounds
checks do not see negative indices, hence `at`: every parser reads bytes through it or structures/bytesearch.py.

Kernels lie in the cache under a digest of every source they are made of, of numba's version and of the CPU, because
numba itself does not notice a change in a called function of another file. The cache is code: the folder must be
private to its owner.
"""

from __future__ import annotations

import ctypes
import hashlib
import inspect
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_args, get_origin
from unittest.mock import patch

import llvmlite.binding as llvm
import numba
import numpy as np
import numpy.typing as npt
import platformdirs
from numba import _dynfunc, from_dtype, njit, types
from numba.core import itanium_mangler
from numba.core.caching import FunctionCache, UserProvidedCacheLocator
from numba.core.codegen import CPUCodeLibrary
from numba.core.cpu import CPUContext

from sensor._jit_loading import loaded, stored
from sensor._jit_reference import reference_to
from sensor._kernel_sources import KernelSources
from sensor.errors import CacheError

_PACKAGE = Path(__file__).parent
F = TypeVar("F", bound=Callable[..., Any])


def _array(item: Any) -> types.Array:
    return types.Array(item, 1, "C")


Rows = npt.NDArray[np.void]
if TYPE_CHECKING:
    Bytes = npt.NDArray[np.uint8]
    U16s = npt.NDArray[np.uint16]
    U32s = npt.NDArray[np.uint32]
    U64s = npt.NDArray[np.uint64]
    I32s = npt.NDArray[np.int32]
    I64s = npt.NDArray[np.int64]
    F64s = npt.NDArray[np.float64]
else:
    Bytes = _array(types.uint8)
    U16s = _array(types.uint16)
    U32s = _array(types.uint32)
    U64s = _array(types.uint64)
    I32s = _array(types.int32)
    I64s = _array(types.int64)
    F64s = _array(types.float64)

_SCALARS: dict[Any, Any] = {int: types.int64, float: types.float64, bool: types.boolean, None: types.void}


def _numba_type(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _numba_type(get_args(annotation)[1])
    if isinstance(annotation, np.dtype):
        return _array(from_dtype(annotation))
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        fields = inspect.get_annotations(annotation, eval_str=True)
        kinds = [_numba_type(hint) for hint in fields.values()]
        return reference_to(types.BaseTuple.from_types([getattr(kind, "tables", kind) for kind in kinds], annotation))
    if isinstance(annotation, type) and issubclass(annotation, np.generic):
        return from_dtype(np.dtype(annotation))
    return _SCALARS.get(annotation, annotation)


def _machine() -> str:
    """Names what compiles and for what, beside the sources."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {llvm.get_host_cpu_name()}".encode())
    digest.update(llvm.get_host_cpu_features().flatten().encode())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels lie: below $TAPIR_CACHE, systemd's CACHE_DIRECTORY, or the user's cache folder."""
    base = os.environ.get("TAPIR_CACHE") or os.environ.get("CACHE_DIRECTORY") or platformdirs.user_cache_dir("tapir")
    return Path(base) / f"kernels-{_machine()}"


def cache_complete() -> Path:
    """The file that says that every kernel of the present sources is in the cache."""
    return cache_folder() / f"complete-{_SOURCES.digest(_SOURCES.kernel_files())}"


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


_CACHE = _private(cache_folder())
_SOURCES = KernelSources(_PACKAGE)

KERNELS: list[Any] = []


_DIGEST_LENGTH = 16  # of a function's argument types in its symbol

_NO_CODE = ctypes.cast(ctypes.pythonapi.PyErr_NoMemory, ctypes.c_void_p).value
"""Where a callee that was compiled for a kernel only would have its entry from Python: raises MemoryError."""


def _place(file: str) -> str:
    """Below the digest of its sources a kernel goes by its file's name.

    numba would have it by the file's full path, and compile again for every checkout of the same sources.
    """
    return Path(file).stem


@contextmanager
def _one_module(name: str) -> Iterator[None]:
    """While compiling kernel `name`, optimise and emit its final module only.

    numba optimises and emits every callee's module as if it were to run by itself, then links it into its caller's and
    does all again, level by level; callees of a kernel never run by themselves. And it spells out every field of every
    table in the name of each function, 10 KB a symbol: here a digest of the argument types stands for them. Without
    this the kernels take many times as long.
    """
    finish, executable = CPUCodeLibrary.finalize, CPUContext.get_executable

    def finalize(library: Any) -> None:
        if library.name == name:
            finish(library)
            return
        for linked in dict.fromkeys(library._linking_libraries):
            library._reload_init.update(linked._reload_init)
            library._final_module.link_in(linked._get_module_for_linking(), preserve=True)
        library._finalize_dynamic_globals()
        library._finalized = True

    def get_executable(context: Any, library: Any, fndesc: Any, env: Any) -> Any:
        if library.name == name:
            return executable(context, library, fndesc, env)
        function = fndesc.qualname.split(".")[-1]
        return _dynfunc.make_function(fndesc.lookup_module(), function, "part of a kernel", _NO_CODE, env, (library,))

    def optimise(library: Any) -> None:
        own = f"{len(name) + 1 + _DIGEST_LENGTH}{name}_"  # as the mangler has it, with its length before it
        for defined in library._final_module.functions:
            if not defined.is_declaration and own not in defined.name:
                defined.linkage = "internal"  # so that arguments nobody uses are not passed
        passes, builder = library._codegen._module_pass_manager()
        passes.run(library._final_module, builder)

    def keep(library: Any, module: Any) -> None:
        module.data_layout = library._codegen._data_layout

    def mangler(context: Any, function: str, kinds: Any, *, abi_tags: Any = (), uid: Any = None) -> Any:
        digest = hashlib.sha256(" ".join(map(str, kinds)).encode()).hexdigest()[:_DIGEST_LENGTH]
        return itanium_mangler.mangle(f"{function}_{digest}", (), abi_tags=abi_tags, uid=uid)

    with (
        patch.object(CPUContext, "mangler", mangler),
        patch.object(CPUCodeLibrary, "finalize", finalize),
        patch.object(CPUContext, "get_executable", get_executable),
        patch.object(CPUCodeLibrary, "_optimize_functions", keep),
        patch.object(CPUCodeLibrary, "_optimize_final_module", optimise),
        patch.object(CPUCodeLibrary, "serialize_using_object_code", stored),
        patch.object(FunctionCache, "load_overload", loaded),
        patch.object(UserProvidedCacheLocator, "get_suitable_cache_subpath", staticmethod(_place)),
    ):
        yield


def kernel(function: F) -> F:
    """Compile for exactly the annotated types; cached on disk, without the GIL, with bounds checks."""
    own = _SOURCES.digest((), Path(function.__code__.co_filename).read_bytes())
    numba.config.CACHE_DIR = str(_private(_CACHE / own))  # numba reads it when a function is decorated
    hints = inspect.get_annotations(function, eval_str=True)
    arguments = [_numba_type(hints[name]) for name in inspect.signature(function).parameters]
    signature = _numba_type(hints["return"])(*arguments)
    decorate = njit(signature, nogil=True, cache=True, boundscheck=True, error_model="numpy", _nrt=False)
    with _one_module(function.__qualname__):
        try:
            compiled = decorate(function)
        except Exception:  # whatever unpickling makes of a damaged cache: forget it; a fault of the source raises again
            if numba.config.DISABLE_JIT:
                raise
            FunctionCache(function).flush()
            compiled = decorate(function)
    KERNELS.append(compiled)
    return cast(F, compiled)


def _callee(function: F, **options: Any) -> F:
    """A function that only kernels call. Constants count as their type, lest each gives a compilation of its own."""
    compiled = njit(
        nogil=True, boundscheck=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True, **options
    )(function)
    if numba.config.DISABLE_JIT:
        return cast(F, compiled)
    resolve = compiled.get_call_template
    compiled.get_call_template = lambda args, kws: resolve(
        tuple(map(types.unliteral, args)), {name: types.unliteral(kind) for name, kind in kws.items()}
    )
    return cast(F, compiled)


def inline_kernel(function: F) -> F:
    """For small kernels and those with one caller: compiled into whoever calls them."""
    return _callee(function, forceinline=True)


def part_kernel(function: F) -> F:
    """For large kernels with several callers: compiled once per calling kernel, and called."""
    return _callee(function, forceinline=False)  # said outright, because a callee inherits it from its caller


@inline_kernel
def at(data: Any, offset: Any) -> Any:
    """The byte at `offset`, as int64. A negative offset is out of bounds like any other."""
    return np.int64(data[np.uint64(offset)])
