"""What a compiled kernel is made of: in: its file and the package's sources; out: a digest of all that it depends on.

That is the kernel's own file, the compiler's, and from there every file of the package that they import: tables,
limits, names for numbers, kernels. The one law: a change in any of them gives the compiled kernel another name, and a
change anywhere else (another stage's kernels, command line, texts for people) does not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_FROM = re.compile(rb"from (sensor[\w.]*) import (\([^)]*\)|[^\n]*)")
_IMPORT = re.compile(rb"import (sensor[^\n]*)")
_NAME = re.compile(rb"[\w.]+")
_COMPILER = "_jit"
_DECORATORS = {"sensor._jit", *(f"sensor._jit.{name}" for name in ("kernel", "inline_kernel", "part_kernel"))}


class KernelSources:
    """The sources of a package as they are now."""

    def __init__(self, package: Path) -> None:
        self._sources = {path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*.py")}
        self._imports = {path: self._files(source) for path, source in self._sources.items()}

    def kernel_files(self) -> list[str]:
        """Paths below the package of the files that import a kernel decorator."""
        mentions = [path for path, source in self._sources.items() if b"_jit" in source]
        return sorted(path for path in mentions if not _DECORATORS.isdisjoint(_imported(self._sources[path])))

    def closure(self, files: Iterable[str]) -> list[str]:
        """These files, and every one that they import or that is imported from there, in order of the paths."""
        waiting = list(files)  # what the compiler itself imports is not for kernels
        found = {path for path in self._sources if path.startswith(_COMPILER)}
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting += self._imports[path]
        return sorted(found)

    def digest(self, files: Iterable[str], source: bytes = b"") -> str:
        """Names all that kernels in these files, and in one `source` of elsewhere, are made of: 16 hex digits."""
        digest = hashlib.sha256(source)
        for path in self.closure([*files, *self._files(source)]):
            digest.update(path.encode() + b"\0" + self._sources[path])
        return digest.hexdigest()[:16]

    def _files(self, source: bytes) -> set[str]:
        """The files of the package that a source imports from."""
        return {path for name in _imported(source) if (path := _module(name, self._sources)) in self._sources}


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
