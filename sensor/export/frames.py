"""Cells to polars: in: a slice of cells and the texts it refers to; out: a DataFrame with the same columns.

Buffers are handed over through Arrow, whole columns at a time. The one law: a DataFrame holds what the JSON lines
hold; times are timestamps (ns, UTC) there and seconds here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nanoarrow as na
import numpy as np
import numpy.typing as npt
import polars as pl

from sensor.export import texts
from sensor.export.cells import Cells, Ints, Octets, Words
from sensor.export.columns import Column, Kind
from sensor.export.json_lines import NULL

_TEXT = na.large_string()


def frame(cells: Cells, pooled_offsets: Ints, pooled: Octets) -> pl.DataFrame:
    """All rows of the slice."""
    return pl.DataFrame(
        {column.name: pl.Series(_array(column, cells, pooled_offsets, pooled)) for column in cells.columns}
    )


def empty_frame(columns: Sequence[Column]) -> pl.DataFrame:
    """No rows, all columns."""
    cells = Cells(columns, Words())
    return frame(cells, cells.offsets, cells.data)


def _array(column: Column, cells: Cells, pooled_offsets: Ints, pooled: Octets) -> Any:
    """One column as an Arrow array."""
    values = cells[column.name]
    if column.kind == Kind.TEXT:
        return _text_array(values, cells.offsets, cells.data)
    if column.kind == Kind.POOLED:
        return _text_array(values, pooled_offsets, pooled)
    if column.kind == Kind.NAMES:
        return _names_array(values, column.digits, cells)
    return _number_array(column, values)


def _validity(present: npt.NDArray[np.bool_]) -> Any:
    """Arrow's bitmap, or None when every row has a value."""
    return None if present.all() else np.packbits(present, bitorder="little")


def _number_array(column: Column, values: Ints) -> Any:
    present = values != NULL
    buffer: npt.NDArray[Any]
    if column.kind == Kind.BOOL:
        kind, buffer = na.bool_(), np.packbits(values != 0, bitorder="little")
    elif column.kind == Kind.TIME:
        kind, buffer = na.timestamp("ns", "UTC"), values.copy()
    elif column.kind == Kind.DECIMAL:
        kind, buffer = na.float64(), values / 10**column.digits
    else:
        kind, buffer = getattr(na, column.arrow)(), values.astype(column.arrow)
    return na.c_array_from_buffers(kind, len(values), [_validity(present), buffer])


def _text_array(numbers: Ints, offsets: Ints, data: Octets) -> Any:
    n = len(numbers)
    lengths = offsets[numbers + 1] - offsets[numbers]
    target_offsets, target = np.empty(n + 1, np.int64), np.empty(int(lengths.sum()), np.uint8)
    texts.gather_texts(np.ascontiguousarray(numbers), n, offsets, data, target_offsets, target)
    return na.c_array_from_buffers(_TEXT, n, [_validity(numbers != 0), target_offsets, target])


def _names_array(masks: Ints, first: int, cells: Cells) -> Any:
    """A list of names for each mask."""
    rows, bits = np.nonzero(masks[:, None] >> np.arange(64) & 1)
    ends = np.zeros(len(masks) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(masks)), out=ends[1:])
    names = _text_array(first + bits, cells.offsets, cells.data)
    return na.c_array_from_buffers(na.large_list(_TEXT), len(masks), [None, ends], children=[names])
