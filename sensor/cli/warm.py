"""`tapir warm`: compiles every kernel into the cache. Law: after it, no run waits for the compiler."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import typer


def warm() -> None:
    """Compile all kernels now, and say how long each file took.

    They are kept in $TAPIR_CACHE, systemd's cache folder or ~/.cache/tapir, for this version and this machine.
    """
    from sensor._jit import KERNELS, cache_folder
    from sensor.cli.compiling import mark_complete

    typer.echo(f"compiling into {cache_folder()}")
    start = time.perf_counter()
    for module, seconds in _timed_imports():
        typer.echo(f"{seconds:7.2f} s  {module}")
    mark_complete(cache_folder() / "complete")
    typer.echo(f"{time.perf_counter() - start:7.2f} s  in all, {len(KERNELS)} kernels")


def kernel_modules() -> list[str]:
    """Names of all modules that hold compiled kernels."""
    package = Path(__file__).parent.parent
    return [
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in sorted(package.rglob("*.py"))
        if re.search(r"^@kernel$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def _timed_imports() -> Iterator[tuple[str, float]]:
    """Each module with the seconds of its compilation (or loading), as they are done."""
    import importlib

    from sensor import _jit

    seconds: dict[str, float] = {}
    compile_kernel = _jit.kernel

    def timed(function: _jit.F) -> _jit.F:
        start = time.perf_counter()
        compiled = compile_kernel(function)
        seconds[function.__module__] = seconds.get(function.__module__, 0.0) + time.perf_counter() - start
        return compiled

    _jit.kernel = timed
    try:
        for name in kernel_modules():
            importlib.import_module(name)
            yield from sorted(seconds.items())
            seconds.clear()
    finally:
        _jit.kernel = compile_kernel
