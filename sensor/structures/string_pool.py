"""Strings that repeat, as codes: in: bytes from kernels; out: codes, and text or columns of text from codes.

A code stays good until the next `sweep`, which the owner of the pool calls between batches: whoever keeps a string
longer keeps its text. The one law: memory is bounded; what finds no room becomes code 0 (absent) and is counted.
"""

import secrets
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor._jit import Bytes, I64s, Rows, U64s
from sensor.structures import string_pool_kernels as kernels
from sensor.structures.string_pool_kernels import ENTRY, State

_START, _LENGTH = (list(ENTRY.names or ()).index(name) for name in ("start", "length"))


class PoolTables(NamedTuple):
    """What kernels get: `pool.slots` and so on."""

    slots: U64s
    entries: Annotated[Rows, ENTRY]
    bytes: Bytes
    state: I64s


class StringPool:
    """At most `strings_max` strings of together `bytes_max` bytes; code 0 is the absent string."""

    def __init__(self, strings_max: int = limits.STRINGS_MAX, bytes_max: int = limits.STRING_BYTES_MAX) -> None:
        self.strings_max = strings_max
        self.tables = PoolTables(
            slots=np.zeros(1 << (2 * strings_max - 1).bit_length(), np.uint64),
            entries=np.zeros(strings_max, ENTRY),
            bytes=np.zeros(2 * bytes_max, np.uint8),
            state=np.zeros(len(State), np.int64),
        )
        self.tables.entries["next"] = np.arange(1, strings_max + 1)
        self.tables.state[State.FIRST_FREE] = 1
        self.tables.state[State.SEED] = secrets.randbits(63)
        self.tables.state[State.FREE] = strings_max - 1

    def text(self, code: int) -> str:
        """The string of a code; empty for 0."""
        entry = self.tables.entries.item(code)  # a tuple: a third of what two fields by name take
        start = entry[_START]
        return str(self.tables.bytes.data[start : start + entry[_LENGTH]], "ascii")

    def gather(self, codes: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        """Offsets (len(codes) + 1) and the bytes of all strings one after the other, as Arrow's large_string has them.
        """
        codes = np.ascontiguousarray(codes, np.uint32)
        offsets = np.empty(len(codes) + 1, np.int64)
        out = np.empty(kernels.measure(self.tables.entries, codes, offsets), np.uint8)
        kernels.gather(self.tables.entries, self.tables.bytes, codes, offsets, out)
        return offsets, out

    @property
    def seed(self) -> int:
        """Of the hashes of strings; set while the pool is empty, it gives those that another run has kept a meaning."""
        return int(self.tables.state[State.SEED])

    @seed.setter
    def seed(self, seed: int) -> None:
        self.tables.state[State.SEED] = seed

    def needs_sweep(self) -> bool:
        """Whether half of the codes or of the bytes are in use."""
        state = self.tables.state
        return bool(
            state[State.FREE] < self.strings_max // 2 or state[State.USED_BYTES] > len(self.tables.bytes) // 4
        )

    def sweep(self) -> None:
        """Forget every string that is not marked in `tables.entries`; the codes of the others stay the same."""
        tables = self.tables
        kernels.sweep(tables.slots, tables.entries, tables.bytes, tables.state)

    @property
    def rejected(self) -> int:
        """Strings that found no room."""
        return int(self.tables.state[State.REJECTED])
