"""What compiled kernels are made of: in: the package's sources; out: the files that a kernel's code depends on.

These are the files that import a kernel decorator and, from there, every file of the package that they import: tables,
limits, names for numbers, kernels. The one law: a change in any of them gives compiled kernels another name, and a
change anywhere else (command line, stages, texts for people) does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_IMPORT = re.compile(rb"^[ \t]*(?:from (sensor[\w.]*) import (\([^)]*\)|[^\n]*)|import (sensor[^\n]*))", re.MULTILINE)
_NAME = re.compile(rb"[\w.]+")
_DECORATORS = {"sensor._jit", *(f"sensor._jit.{name}" for name in ("kernel", "inline_kernel", "part_kernel"))}


def kernel_sources(package: Path) -> dict[str, bytes]:
    """Path below `package` -> content, in order of the paths."""
    sources = {path: path.read_bytes() for path in sorted(package.rglob("*.py"))}
    compiler = package / "_jit.py"
    mentions = [path for path, source in sources.items() if b"_jit" in source]
    waiting = [path for path in mentions if not _DECORATORS.isdisjoint(_imported(sources[path]))]
    found = {compiler}  # what the compiler itself imports is not for kernels
    while waiting:
        path = waiting.pop()
        if path in sources and path not in found:
            found.add(path)
            waiting += [_module(package, name, sources) for name in _imported(sources[path])]
    return {path.relative_to(package).as_posix(): sources[path] for path in sorted(found)}


def _imported(source: bytes) -> Iterator[str]:
    """Every module or member of the package that a source imports, by its full name."""
    for module, names, modules in _IMPORT.findall(source):
        for name in _NAME.findall(names if names.startswith(b"(") else names.split(b"#")[0]):
            yield f"{module.decode()}.{name.decode()}"
        yield from (name.decode() for name in _NAME.findall(modules))


def _module(package: Path, name: str, sources: dict[Path, bytes]) -> Path:
    """The file of a module, or of the module that has this member."""
    module, member = package.joinpath(*name.split(".")[1:-1]), name.rpartition(".")[2]
    places = (module / f"{member}.py", module / member / "__init__.py", module.with_suffix(".py"))
    return next((place for place in places if place in sources), module / "__init__.py")
