"""Compiling kernels and patterns: in: nothing; out: a warm cache, one line when this takes a while.

Kernel files are compiled side by side in processes of their own, which also leaves the compiler's memory out of the
run. The one law: nobody waits for the compiler without being told.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FIRST_TIME_SECONDS = 60
"""What the first compilation takes on two cores, roughly."""

_LONGEST = ("sensor.protocols.chunks", "sensor.detection", "sensor.reassembly.track", "sensor.decode.walk")
"""Kernel files that take longest, to be begun first."""
_TOGETHER = "sensor.detection"
"""Whoever imports a detector imports them all: two processes would each compile all."""


def _nobody() -> None:
    return


@contextmanager
def told_when_compiling(quiet: bool, alive: Callable[[], None] = _nobody) -> Iterator[None]:
    """Wrap the import of the kernels: compiles them beforehand when they are not in the cache, and says so on standard
    error. What loading needed is given back to the system afterwards. `alive` is called before it begins and whenever
    a part is done.
    """
    from sensor._jit import cache_complete
    from sensor.structures.heap import trim_heap

    marker = cache_complete()
    if not marker.exists():
        _say(quiet, f"tapir: compiling, once for this version and machine (about {FIRST_TIME_SECONDS} s) ...")
        start = time.monotonic()
        alive()
        for _ in compile_kernels():
            alive()
        _say(quiet, f"tapir: compiled in {time.monotonic() - start:.1f} s, kept in {marker.parent}")
    yield
    trim_heap()


def compile_patterns(quiet: bool, alive: Callable[[], None] = _nobody) -> None:
    """Load what injections are searched with, compiled beforehand when it is not in the cache: the first attack would
    wait for it. `alive` as above.
    """
    import multiprocessing

    from sensor.detection.injection.judge import SCANNERS

    missing = [number for number, scanner in enumerate(SCANNERS) if not scanner.is_kept]
    if missing:
        _say(quiet, "tapir: compiling patterns, once for this version and machine (about 10 s) ...")
        alive()
        with multiprocessing.get_context("spawn").Pool(min(len(os.sched_getaffinity(0)), 4)) as pool:
            for _ in pool.imap_unordered(_compile_scanner, missing):
                alive()
    for scanner in SCANNERS:
        scanner.compile()


def _compile_scanner(number: int) -> None:
    from sensor.detection.injection.judge import SCANNERS

    SCANNERS[number].compile()


def kernel_modules() -> list[tuple[str, ...]]:
    """Names of all modules with compiled kernels, in parts that can be compiled side by side, the longest first."""
    package = Path(__file__).parent.parent
    names = [
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in sorted(package.rglob("*.py"))
        if re.search(r"^@kernel$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    together = tuple(name for name in names if name.startswith(f"{_TOGETHER}."))
    parts = {_TOGETHER: together} | {name: (name,) for name in names if name not in together}
    order = sorted(parts, key=lambda name: _LONGEST.index(name) if name in _LONGEST else len(_LONGEST))
    return [parts[name] for name in order]


def compile_kernels() -> Iterator[tuple[str, float]]:
    """Bring every kernel into the cache; each module with its seconds, as they are done.

    A cache that cannot be written to is only slower.
    """
    import multiprocessing

    from sensor._jit import cache_complete

    workers = min(len(os.sched_getaffinity(0)), 4)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for compiled in pool.imap_unordered(_compile, kernel_modules()):
            yield from compiled
    try:
        cache_complete().touch(mode=0o600)
    except OSError:
        return


def _compile(modules: tuple[str, ...]) -> list[tuple[str, float]]:
    import gc
    import importlib

    gc.set_threshold(1_000_000, 5, 5)  # never: 3 GB for the detectors; as usual: a fifth of the time; so: 0.5 GB
    seconds = []
    for module in modules:
        start = time.perf_counter()
        importlib.import_module(module)
        seconds.append((module, time.perf_counter() - start))
    return seconds


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        print(line, file=sys.stderr, flush=True)
