"""The package's sources as the house rules see them. In: nothing. Out: Source, one a file. The law: read, never
imported.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sensor"

Function = ast.FunctionDef | ast.AsyncFunctionDef
KERNEL_DECORATORS = {"kernel", "inline_kernel", "part_kernel"}


@dataclass(frozen=True)
class Source:
    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def module(self) -> str:
        """sensor.decode.walk; a package's own name for its __init__.py."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def part(self) -> str:
        """The folder below sensor/ that it belongs to, or its own name when it lies in sensor/ itself."""
        parts = self.path.relative_to(PACKAGE).with_suffix("").parts
        return parts[0]

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @property
    def is_kernel_file(self) -> bool:
        return any(is_kernel(function, {"kernel"}) for function in self.functions)

    @cached_property
    def imports(self) -> set[str]:
        """Modules of this project that it imports, wherever in the file, except for type checkers alone."""
        for_types = {
            id(inner)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        return {name for node in ast.walk(self.tree) if id(node) not in for_types for name in imported(node)}


def imported(node: ast.AST) -> list[str]:
    """What an import statement names; `from sensor import schema` names sensor.schema."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if (ROOT / Path(*name.split("."))).with_suffix(".py").exists() else node.module for name in inner]
    return []


def is_kernel(function: Function, decorators: set[str] = KERNEL_DECORATORS) -> bool:
    return any(isinstance(node, ast.Name) and node.id in decorators for node in function.decorator_list)


def sources() -> list[Source]:
    """Every module of the package."""
    return [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]
