"""A slice of rows ready to leave: in: whole columns; out: one int64 matrix, a row of it per row, and the texts it
refers to.

The one law: a cell is filled for a whole column at once. Texts that come from short lists (protocol names, states)
stand at the front of the text buffer for good; those made for the rows follow them and are overwritten by the next
slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.export import texts
from sensor.export.columns import Column, Kind
from sensor.export.json_lines import NULL, SPARE_BYTES
from sensor.structures import community_id_kernels as community_id

Ints = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]
Address = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
Ports = tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]
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
        self.n, self._next = n, self._front
        return self._front

    def __getitem__(self, name: str) -> Ints:
        return self.matrix[: self.n, self.place[name]]

    def put(self, name: str, values: npt.ArrayLike, absent: Any = None) -> None:
        """Fill a column; `absent` marks the rows that are null."""
        cells = self[name]
        cells[:] = values
        if absent is not None:
            cells[absent] = 0 if self.columns[self.place[name]].kind in (Kind.TEXT, Kind.POOLED) else NULL

    def _number(self, name: str, absent: Any = None) -> tuple[int, int]:
        """Number the next n texts and point the column at them; returns (first number, first byte)."""
        first = self._next
        self._next += self.n
        self.put(name, np.arange(first, self._next), absent)
        return first, int(self.offsets[first])

    def put_addresses(self, name: str, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]) -> None:
        first, start = self._number(name)
        texts.address_texts(hi, lo, self.n, self.offsets, self.data, first, start)

    def put_uids(self, name: str, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]) -> None:
        first, start = self._number(name)
        texts.uid_texts(hi, lo, self.n, self.offsets, self.data, first, start)

    def put_history(
        self, name: str, low: npt.NDArray[np.uint64], high: npt.NDArray[np.uint64], letters: Octets
    ) -> None:
        first, start = self._number(name, low == 0)
        texts.history_texts(low, high, letters, self.n, self.offsets, self.data, first, start)

    def put_community_ids(self, name: str, a: Address, b: Address, ports: Ports, proto: Octets) -> None:
        """`ports`: of a and of b."""
        first, start = self._number(name)
        community_id.community_ids(
            a[0], a[1], b[0], b[1], ports[0], ports[1], proto, self.n, self.work, self.data, start
        )
        ends = start + community_id.TEXT_BYTES * np.arange(self.n + 1)
        self.offsets[first : first + self.n + 1] = ends
