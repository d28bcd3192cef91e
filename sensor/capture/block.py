"""What capture hands on: one buffer and where the frames lie in it. Law: valid until the next block is asked for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Block(NamedTuple):
    """`data` (uint8, shape (bytes,)): the buffer that offsets refer to. `frames`: rows of FRAME, C-contiguous. `now`:
    packet time (ns) that has come though no packet told, 0 when only packets tell. `more`: the next block is at hand,
    so that verdicts may wait for it.
    """

    data: npt.NDArray[np.uint8]
    frames: npt.NDArray[np.void]
    now: int = 0
    more: bool = False
