"""No hidden state in modules, no waiting by the clock in tests."""

from __future__ import annotations

import ast
import re

import pytest

from tests.house.sources import ROOT, Source, sources

MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if path.parent.name not in ("bench", "house"))


@pytest.mark.parametrize("source", sources(), ids=str)
def test_modules_keep_no_state(source: Source) -> None:
    """What a module binds to a list, a set or a dictionary is a constant by its name, and no function rebinds it."""
    assert not [node for node in ast.walk(source.tree) if isinstance(node, ast.Global)]
    for node in source.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, MUTABLE):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            assert all(re.fullmatch(r"_*[A-Z][A-Z0-9_]*|__all__", ast.unparse(target)) for target in targets)


def test_tests_do_not_sleep() -> None:
    assert [path.name for path in TESTS if re.search(r"\bsleep\(", path.read_text())] == []
