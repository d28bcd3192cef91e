"""A slice of rows ready to leave: in: how many rows; out: one int64 matrix, a row of it per row, and the texts it
refers to.

A table's kernel fills it. The one law: texts that come from short lists (protocol names, states) stand at the front of
the text buffer for good; those made for the rows follow them and are overwritten by the next slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from sensor.export import texts
from sensor.export.columns import Column
from sensor.export.json_lines import SPARE_BYTES
from sensor.structures import community_id_kernels as community_id

Ints = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]
SLICE_ROWS = 512
"""Rows made at a time: all that is made for them stays in the second-level cache."""
_ROW_TEXT_BYTES = 2 * texts.ADDRESS_BYTES + community_id.TEXT_BYTES + texts.UID_BYTES + 2 * texts.HEX_BYTES
_ROW_TEXTS = 6


class Words:
    """The short lists of texts, numbered from 1; 0 is the absent text."""

    def __init__(self) -> None:
        self._words: list[str] = [""]

    def add(self, words: Iterable[str]) -> int:
        """Append words and return the number of the first."""
        first = len(self._words)
        self._words.extend(words)
        return first

    def codes(self, words: dict[int, str], size: int = 256) -> Ints:
        """Append the words and return an array that turns a value into its word's number, 0 where there is none."""
        numbers = np.zeros(size, np.int64)
        first = self.add(words.values())
        numbers[list(words)] = np.arange(first, first + len(words))
        return numbers

    def flatten(self) -> tuple[Ints, Octets]:
        encoded = [word.encode("ascii") for word in self._words]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(word) for word in encoded], out=offsets[1:])
        return offsets, np.frombuffer(b"".join(encoded), np.uint8)


class Cells:
    """The matrix of one table, reused from slice to slice. `n` rows are filled."""

    def __init__(self, columns: Sequence[Column], words: Words) -> None:
        self.columns = columns
        self.place = {column.name: i for i, column in enumerate(columns)}
        self.matrix: Ints = np.zeros((SLICE_ROWS, len(columns)), np.int64)
        self.kinds = np.array([column.kind for column in columns], np.int64)
        self.digits = np.array([column.digits for column in columns], np.int64)
        offsets, front = words.flatten()
        self._front = len(offsets) - 1
        self.offsets: Ints = np.zeros(self._front + _ROW_TEXTS * SLICE_ROWS + 1, np.int64)
        self.offsets[: len(offsets)] = offsets
        self.data: Octets = np.zeros(len(front) + _ROW_TEXT_BYTES * SLICE_ROWS + SPARE_BYTES, np.uint8)
        self.data[: len(front)] = front
        self.work = np.zeros(community_id.WORK_WORDS, np.int64)
        self.begin(0)

    def begin(self, n: int) -> int:
        """Start a slice of n rows, at most SLICE_ROWS; returns the number of the first text made for them."""
        self.n = n
        return self._front

    def __getitem__(self, name: str) -> Ints:
        return self.matrix[: self.n, self.place[name]]
