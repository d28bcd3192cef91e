"""Asking for memory ahead: whatever is asked for, nothing happens to it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pytest

from sensor._jit import I64s, Rows, kernel
from sensor.structures.prefetch import prefetch

ROW = np.dtype([("a", "i8"), ("b", "S200"), ("c", "u1")], align=True)


@kernel
def ask(rows: Annotated[Rows, ROW], wanted: I64s) -> int:
    for i in range(len(wanted)):
        prefetch(rows, wanted[i])
    return len(wanted)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_rows_are_left_as_they_are_and_those_that_do_not_exist_do_no_harm(count: int) -> None:
    rows = np.zeros(count, ROW)
    rows["a"] = np.arange(count)
    before = rows.copy()
    wanted = np.array([0, 1, 4, 5, -1, 1 << 40, -(1 << 62), (1 << 63) - 1], np.int64)
    assert ask(rows, wanted) == len(wanted)
    assert (rows == before).all()
