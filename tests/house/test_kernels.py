"""A file with kernels holds kernels only: what Python can do there, the compiled code could not."""

from __future__ import annotations

import ast
import tomllib

import pytest

from tests.house.sources import ROOT, Source, is_kernel, sources

KERNEL_FILES = [source for source in sources() if source.is_kernel_file]
FORBIDDEN = (ast.Try, ast.Raise, ast.With, ast.AsyncFunctionDef, ast.Global)
GROUND = ("__future__", "enum", "numpy", "sensor.schema", "sensor.limits", "sensor.structures", "sensor._jit")
each = pytest.mark.parametrize("source", KERNEL_FILES, ids=str)


@each
def test_kernel_files_hold_kernels_only(source: Source) -> None:
    nodes = list(ast.walk(source.tree))
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    enumerations = [node for node in classes if ast.unparse(node.bases[0]) in ("IntEnum", "IntFlag")]
    assert classes == enumerations  # the only classes are names for numbers, which kernels take as constants
    assert [ast.unparse(node).splitlines()[0] for node in nodes if isinstance(node, FORBIDDEN)] == []
    assert [function.name for function in source.functions if not is_kernel(function)] == []


@each
def test_kernel_files_import_tables_and_kernels_only(source: Source) -> None:
    own = ".".join(source.module.split(".")[:2])  # its stage
    assert [name for name in source.imports if not name.startswith((*GROUND, own))] == []


@each
def test_kernels_say_what_types_they_take(source: Source) -> None:
    for function in source.functions:
        if is_kernel(function, {"kernel"}):
            assert all(argument.annotation for argument in function.args.args), function.name
            assert function.returns is not None, function.name


def test_type_checks_leave_out_exactly_the_files_with_kernels() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    (left_out,) = [part["module"] for part in settings["overrides"] if part.get("ignore_errors")]
    with_kernels = {source.module for source in sources() if any(map(is_kernel, source.functions))}
    assert left_out == sorted(with_kernels - {"sensor._jit"})


def test_nothing_compiles_but_through_the_one_decorator() -> None:
    """Besides its parts only files of instructions that numba has no name for: wide loads, masks, prefetches."""
    compiling = [str(source) for source in sources() if "numba" in {name.split(".")[0] for name in source.imports}]
    instructions = [f"sensor/structures/{name}.py" for name in ("bytesearch", "folding", "prefetch")]
    masks = "sensor/detection/sensitive/masks.py"
    decorator = [f"sensor/{name}.py" for name in ("_jit", "_jit_loading", "_jit_reference")]
    assert compiling == [*decorator, masks, *instructions]
