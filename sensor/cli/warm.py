"""`tapir warm`: compiles every kernel into the cache. Law: after it, no run waits for the compiler of kernels."""

from __future__ import annotations

import time
from typing import Annotated

import typer


def warm(
    patterns: Annotated[
        bool, typer.Option("--patterns", help="What injections are searched with too: 14 s of CPU more.")
    ] = False,
) -> None:
    """Compile all kernels now, and say how long each file took.

    They are kept in $TAPIR_CACHE, systemd's cache folder or ~/.cache/tapir, for this version and this machine.
    """
    from sensor._jit import cache_folder
    from sensor.cli.compiling import compile_kernels, compile_patterns

    typer.echo(f"compiling into {cache_folder()}")
    start = time.perf_counter()
    for module, seconds in compile_kernels():
        typer.echo(f"{seconds:7.2f} s  {module}")
    typer.echo(f"{time.perf_counter() - start:7.2f} s  in all")
    if patterns:
        compile_patterns(quiet=False)
