"""Files and functions stay small enough to read at one sitting, and every file says what it is for."""

from __future__ import annotations

import ast

import pytest

from tests.house.sources import Source, is_kernel, sources

SOURCES = sources()
FILE_LINES_MAX, FUNCTION_LINES_MAX, KERNEL_LINES_MAX = 400, 70, 120
TABLE_LINES_MAX = 700  # of columns or settings: a line or two for each, and no code
TABLES = ("schema", "config")
each = pytest.mark.parametrize("source", SOURCES, ids=str)


@each
def test_files_are_short(source: Source) -> None:
    assert len(source.text.splitlines()) <= (TABLE_LINES_MAX if source.part in TABLES else FILE_LINES_MAX)


@each
def test_functions_are_short(source: Source) -> None:
    for function in source.functions:
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= (KERNEL_LINES_MAX if is_kernel(function) else FUNCTION_LINES_MAX), function.name


@each
def test_files_open_with_what_they_are_for(source: Source) -> None:
    assert ast.get_docstring(source.tree) or not source.tree.body
