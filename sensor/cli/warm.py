"""`tapir warm`: compiles every kernel into the cache. Law: after it, no run waits for the compiler of kernels."""

from __future__ import annotations

import time

import typer


def warm() -> None:
    """Compile all kernels now, and say how long each file took.

    They are kept in $TAPIR_CACHE, systemd's cache folder or ~/.cache/tapir, for this version and this machine.
    """
    from sensor._jit import cache_folder
    from sensor.cli.compiling import compile_kernels

    typer.echo(f"compiling into {cache_folder()}")
    start = time.perf_counter()
    for module, seconds in compile_kernels():
        typer.echo(f"{seconds:7.2f} s  {module}")
    typer.echo(f"{time.perf_counter() - start:7.2f} s  in all")
