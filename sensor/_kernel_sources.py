"""What compiled kernels are made of: in: the package's sources; out: the files that a kernel's code depends on.

These are the files that import a kernel decorator and, from there, every file of the package that they import: tables,
limits, names for numbers, kernels. The one law: a change in any of them gives compiled kernels another name, and a
change anywhere else (command line, stages, texts for people) does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_FROM = re.compile(rb"from (sensor[\w.]*) import (\([^)]*\)|[^\n]*)")
_IMPORT = re.compile(rb"import (sensor[^\n]*)")
_NAME = re.compile(rb"[\w.]+")
_DECORATORS = {"sensor._jit", *(f"sensor._jit.{name}" for name in ("kernel", "inline_kernel", "part_kernel"))}


def kernel_sources(package: Path) -> dict[str, bytes]:
    """Path below `package` -> content, in order of the paths."""
    sources = {path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*.py")}
    mentions = [path for path, source in sources.items() if b"_jit" in source]
    waiting = [path for path in mentions if not _DECORATORS.isdisjoint(_imported(sources[path]))]
    found = {"_jit.py"}  # what the compiler itself imports is not for kernels
    while waiting:
        path = waiting.pop()
        if path in sources and path not in found:
            found.add(path)
            waiting += {_module(name, sources) for name in _imported(sources[path])}
    return {path: sources[path] for path in sorted(found)}


def _imported(source: bytes) -> Iterator[str]:
    """Every module or member of the package that a source imports, by its full name."""
    for module, names in _FROM.findall(source):
        for name in _NAME.findall(names if names.startswith(b"(") else names.split(b"#")[0]):
            yield f"{module.decode()}.{name.decode()}"
    for modules in _IMPORT.findall(source):
        yield from (name.decode() for name in _NAME.findall(modules))


def _module(name: str, sources: dict[str, bytes]) -> str:
    """The file of a module, or of the module that has this member."""
    module = "/".join(name.split(".")[1:])
    owner = module.rpartition("/")[0]
    places = (f"{module}.py", f"{module}/__init__.py", f"{owner}.py")
    return next((place for place in places if place in sources), f"{owner}/__init__.py")
