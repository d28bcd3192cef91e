"""Prose and code that people wrote, of what this machine has installed: in: nothing; out: texts for benign requests.

Vocabularies: "manuals" (docstrings and sources of Python's library, what /usr/share/doc holds) and "packages" (half of
the descriptions of Debian's packages, change logs, read-me files and sources of Node's and Python's packages), with
which patterns were mended, and "unseen", the other half, with which they were not. The one law: what is set off as code
is code, posted between marks.
"""

from __future__ import annotations

import gzip
import inspect
import os
import pkgutil
import re
import subprocess
import sysconfig
import zlib
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

SHORTEST, LONGEST = 60, 800
"""Characters of a paragraph."""
FILE_MAX = 200_000
_LETTERS = re.compile(r"[^\W\d_]{2,}")


class Texts(NamedTuple):
    """`prose` in any place, `talk` of posts, `code` between marks, names of `files`; each sorted."""

    prose: list[str]
    talk: list[str]
    code: list[str]
    files: list[str]


def library() -> tuple[list[str], list[str]]:
    """Paragraphs of prose and functions of code from Python's own library."""
    prose: list[str] = []
    code: list[str] = []
    for name in sorted(module.name for module in pkgutil.iter_modules([os.path.dirname(os.__file__)])):
        if name.startswith(("_", "idlelib", "antigravity", "this", "lib2to3", "test", "turtle")):
            continue
        try:
            members = inspect.getmembers(import_module(name), inspect.isfunction)
        except Exception:  # a module that this machine cannot load has nothing to say
            continue
        for _, function in members:
            text = inspect.getdoc(function) or ""
            parts = [" ".join(part.split()) for part in text.split("\n\n") if ">>>" not in part]
            prose += [part for part in parts if 60 < len(part) < 800]
            try:
                source = inspect.getsource(function)
            except (OSError, TypeError):
                continue
            if 60 < len(source) < 900:
                code.append(source)
    return sorted(set(prose)), sorted(set(code))


def paragraphs(text: str) -> tuple[set[str], set[str]]:
    """Prose in one line each, and what is set in by four blanks, behind a prompt or between fences: code."""
    prose: set[str] = set()
    code: set[str] = set()
    for number, half in enumerate(re.split(r"^[ \t]*```\w*$", text, flags=re.M)):
        for part in half.split("\n\n"):
            line = " ".join(part.split())
            if SHORTEST < len(line) < LONGEST:
                lines = [line for line in part.split("\n") if line.strip()]
                shown = number % 2 or all(line.startswith(("    ", "\t", "$ ", "# ")) for line in lines)
                (code if shown or len(_LETTERS.findall(line)) < 5 else prose).add(part if shown else line)
    return prose, code


def _read(paths: Iterable[Path]) -> tuple[set[str], set[str]]:
    prose: set[str] = set()
    code: set[str] = set()
    for path in sorted(paths):
        if not path.is_file() or path.stat().st_size > FILE_MAX:
            continue
        octets = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        some, more = paragraphs(octets.decode("utf-8", "replace"))
        prose |= some
        code |= more
    return prose, code


def manuals() -> Texts:
    talk, code = library()
    papers = ("readme", "copyright", "news", "faq", "todo", "authors")
    every = [path for path in Path("/usr/share/doc").glob("*/*") if path.suffix not in (".gz", ".html")]
    prose, shown = _read(path for path in every if path.name.lower().startswith(papers))
    files = sorted(path.name for path in Path("/usr/share/doc").rglob("*"))[:20_000] or ["report.pdf"]
    return Texts(sorted(prose) + talk, talk, sorted({*code, *shown}), files)


def packages() -> Texts:
    listed = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, timeout=120, check=True).stdout
    described = re.findall(r"^Description(?:-en)?: (.*(?:\n .*)*)", listed, re.M)[::7]
    prose = {line for text in described for part in text.split("\n .\n")
             if SHORTEST < len(line := " ".join(part.split())) < LONGEST}  # fmt: skip
    logged, _ = _read(Path("/usr/share/doc").glob("*/changelog*"))
    node = Path("/usr/lib/node_modules")
    site = Path(sysconfig.get_paths()["purelib"])
    talk, code = _read([*node.rglob("*.md"), *site.glob("*/METADATA"), *site.rglob("README*")])
    for path in sorted(node.rglob("*.js"))[:3_000]:
        parts = path.read_text(encoding="utf-8", errors="replace").split("\n\n")
        code |= {part for part in parts if SHORTEST < len(part) < LONGEST}
    files = sorted({path.name for path in [*node.rglob("*"), *site.rglob("*.*")]})[:20_000] or ["report.pdf"]
    return Texts(sorted(prose | logged), sorted(talk), sorted(code), files)


def half(texts: Texts, bit: int) -> Texts:
    """The texts of which the hash has this lowest bit."""

    def falls(text: str) -> bool:
        return zlib.crc32(text.encode("utf-8", "surrogatepass")) & 1 == bit

    return Texts(*(list(filter(falls, each)) for each in texts))


VOCABULARIES: dict[str, Callable[[], Texts]] = {
    "manuals": manuals,
    "packages": lambda: half(packages(), 0),
    "unseen": lambda: half(packages(), 1),
}
