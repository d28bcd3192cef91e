"""Counting by name: each stage has one IntEnum of what it counts and one int64 array that its kernels add to.

    class Count(IntEnum):
        PACKETS = 0
    counters = Counters(Count)
    counters.values            goes into kernels: values[Count.PACKETS] += 1
    counters.as_dict()         {"packets": 0}
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Counters:
    """One int64 per member of `names`, shared with kernels as `values`; its own array, or one that holds more."""

    def __init__(self, names: type[IntEnum], values: npt.NDArray[np.int64] | None = None) -> None:
        self.names = names
        self.values: npt.NDArray[np.int64] = np.zeros(len(names), np.int64) if values is None else values

    def __getitem__(self, name: IntEnum) -> int:
        return int(self.values[name])

    def as_dict(self) -> dict[str, int]:
        """Every counter by its lower-case name, in the order of the enum, zeros included."""
        return {member.name.lower(): int(self.values[member]) for member in self.names}
