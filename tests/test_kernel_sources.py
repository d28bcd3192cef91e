"""Which files' changes make compiled kernels new, and which do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor._kernel_sources import KernelSources
from tests.house.sources import PACKAGE, ROOT, is_kernel, sources


def kernel_sources(package: Path) -> set[str]:
    """Every file that any kernel of the package is made of."""
    found = KernelSources(package)
    return set(found.closure(found.kernel_files()))


FOUND = kernel_sources(PACKAGE)


def path_of(module: str) -> str:
    """The file of a module, below the package."""
    path = ROOT.joinpath(*module.split("."))
    found = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    return found.relative_to(PACKAGE).as_posix()


def test_every_file_with_kernels_counts_and_all_that_it_imports() -> None:
    waiting = [source for source in sources() if any(map(is_kernel, source.functions))]
    needed: set[str] = set()
    by_path = {source.path.relative_to(PACKAGE).as_posix(): source for source in sources()}
    while waiting:
        source = waiting.pop()
        name = source.path.relative_to(PACKAGE).as_posix()
        if name not in needed:
            needed.add(name)
            ours = [module for module in source.imports if module.startswith("sensor.") and name != "_jit.py"]
            waiting += [by_path[path_of(module)] for module in ours]
    assert needed <= FOUND


def test_tables_and_limits_count_and_what_people_see_does_not() -> None:
    assert {"_jit.py", "schema.py", "limits.py"} <= FOUND
    assert [name for name in FOUND if name.startswith(("cli/", "collector/", "alerting/", "bus/"))] == []
    assert FOUND.isdisjoint({"__init__.py", "pipeline.py", "config/__init__.py", "errors.py", "counters.py"})


@pytest.mark.parametrize(
    "line",
    [
        "from sensor._jit import kernel",
        "from sensor._jit import Bytes, inline_kernel  # read",
        "from sensor._jit import (\n    Bytes,\n    part_kernel,\n)",
        "from sensor import _jit",
        "import sensor._jit as compiler",
        "def late():\n    from sensor._jit import kernel",
    ],
)
def test_however_the_compiler_is_imported(tmp_path: Path, line: str) -> None:
    (tmp_path / "_jit.py").write_text("")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "__init__.py").write_text("")
    imports = "from sensor.one.tables import ROWS\nfrom sensor import limits\n"
    (tmp_path / "one" / "uses.py").write_text(f"{line}\n{imports}")
    (tmp_path / "one" / "tables.py").write_text("from sensor.one import names\n")
    (tmp_path / "one" / "names.py").write_text("")
    (tmp_path / "limits.py").write_text("")
    (tmp_path / "other.py").write_text("from sensor._jit import Bytes, KERNELS\n")
    assert kernel_sources(tmp_path) == {"_jit.py", "limits.py", "one/uses.py", "one/tables.py", "one/names.py"}


def test_a_kernel_depends_on_what_it_imports_and_on_no_other_stage(tmp_path: Path) -> None:
    def digests() -> list[str]:
        found = KernelSources(tmp_path)
        own = b"from sensor.tables import ROWS\n"
        return [found.digest(["one.py"]), found.digest(["two.py"]), found.digest((), own)]

    (tmp_path / "_jit.py").write_text("")
    (tmp_path / "one.py").write_text("from sensor._jit import kernel\nfrom sensor.tables import ROWS\n")
    (tmp_path / "two.py").write_text("from sensor._jit import kernel\n")
    (tmp_path / "tables.py").write_text("ROWS = 1\n")
    before = digests()
    (tmp_path / "tables.py").write_text("ROWS = 2\n")
    assert [old == new for old, new in zip(before, digests(), strict=True)] == [False, True, False]
    (tmp_path / "two.py").write_text("from sensor._jit import kernel  # changed\n")
    assert [old == new for old, new in zip(before, digests(), strict=True)] == [False, False, False]
    (tmp_path / "_jit.py").write_text("# changed")
    assert all(old != new for old, new in zip(before, digests(), strict=True))
