"""Rows of tables moved as bytes: in: structured arrays; out: copies of rows of theirs.

numpy copies structured rows column by column, which takes some 300 ns for a row of TRANSACTION and ten times as much
where rows are picked by number; seen as plain bytes, a row is copied in 20 ns. The one law: the rows are those that
numpy would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[Any]


def _raw(table: Rows) -> Rows:
    return table.view(f"V{table.dtype.itemsize}")


def picked(table: Rows, rows: npt.NDArray[Any]) -> Rows:
    """table[rows], a copy; `rows` are numbers, of any shape, or a mask."""
    chosen: Rows = _raw(table)[rows].view(table.dtype)
    return chosen


def copied(table: Rows) -> Rows:
    """table.copy()."""
    return _raw(table).copy().view(table.dtype)


def joined(tables: Sequence[Rows]) -> Rows:
    """np.concatenate(tables); all are of the same dtype."""
    return np.concatenate([_raw(table) for table in tables]).view(tables[0].dtype)


def put(target: Rows, source: Rows) -> None:
    """target[:] = source; both are of the same dtype and length."""
    _raw(target)[:] = _raw(source)


def new_row(layout: npt.DTypeLike, **filled: int) -> Rows:
    """What a row of a table begins with, as a table of that one row: zeros but for what is named."""
    row = np.zeros(1, layout)
    for column, value in filled.items():
        row[column] = value
    return row
