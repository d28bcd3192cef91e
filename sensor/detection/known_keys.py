"""Combinations that were met before: in: columns; out: the rows whose combination was not, which alone need a look.

A combination is 64 bits mixed from its columns with a seed; its slot holds the last one noted there. The one law: a row
is left out only when its own combination was noted, so what is forgotten costs a look and nothing else.
"""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class KnownKeys:
    """`slots` is a power of two; `seed` is drawn when keys need not be the same in the next run."""

    def __init__(self, slots: int = 1 << 16, seed: int = 0) -> None:
        self._slots = np.zeros(slots, np.uint64)
        self._mask = np.uint64(slots - 1)
        self._seed = np.uint64(seed or secrets.randbits(63) | 1)

    def keys(self, *columns: npt.NDArray[np.generic]) -> Keys:
        """One key a row."""
        key = np.full(len(columns[0]), self._seed, np.uint64)
        for column in columns:
            key = (key ^ column.astype(np.uint64)) * _MIX
            key ^= key >> _SHIFT
        return key

    def fresh(self, keys: Keys) -> npt.NDArray[np.intp]:
        """Rows whose key is not noted, in order."""
        return np.flatnonzero(self._slots[(keys & self._mask).astype(np.intp)] != keys)

    def note(self, key: int) -> None:
        self._slots[int(key) & int(self._mask)] = key

    def drop(self, key: int) -> None:
        """The opposite of `note`."""
        slot = int(key) & int(self._mask)
        if int(self._slots[slot]) == int(key):
            self._slots[slot] = 0

    def forget(self) -> None:
        self._slots[:] = 0
