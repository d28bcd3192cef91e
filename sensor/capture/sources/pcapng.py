"""pcapng files: in: blocks in a read buffer; out: rows of FRAME.

The one law: everything the file says (byte order, interfaces, resolutions) holds until its next section header
and no longer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensor.capture.index_pcapng import INTERFACE, index_pcapng
from sensor.capture.layout import Cursor, Fault, Section
from sensor.limits import FRAME_BYTES_MAX, INTERFACES_MAX

MAGICS = (b"\x0a\x0d\x0d\x0a",)

_FAULTS = {
    Fault.RECORD_TOO_LONG: f"impossible packet length {{}}: at most {FRAME_BYTES_MAX} bytes expected",
    Fault.BLOCK_LENGTH: "impossible block length {}",
    Fault.BLOCK_TRAILER: "the length at the block's end, {}, is not the one at its start",
    Fault.FRAME_OUTSIDE_BLOCK: "a packet of {} bytes does not fit in its block",
    Fault.NO_INTERFACE: "the packet was captured on interface {}, which was not described before",
    Fault.TOO_MANY_INTERFACES: f"{{}} interfaces: at most {INTERFACES_MAX} expected in a section",
    Fault.TIME_RESOLUTION: "interface {} has an impossible time resolution",
    Fault.BYTE_ORDER: "not a section header: byte-order magic {:#010x}",
    Fault.VERSION: "version {} of pcapng: 1 expected",
}


class PcapngIndex:
    """Rows of one pcapng file. `start`: 0, its first block is the section header."""

    start = 0

    def __init__(self, name: str, head: bytes) -> None:
        self._section: npt.NDArray[np.int64] = np.zeros(len(Section), np.int64)
        self._interfaces: npt.NDArray[np.void] = np.zeros(INTERFACES_MAX, INTERFACE)

    def fill(
        self, data: npt.NDArray[np.uint8], cursor: npt.NDArray[np.int64], frames: npt.NDArray[np.void], row: int
    ) -> int:
        return index_pcapng(data, cursor, self._section, self._interfaces, frames, row)

    def explain(self, cursor: npt.NDArray[np.int64]) -> str:
        """The fault at the cursor in words."""
        return _FAULTS[Fault(int(cursor[Cursor.FAULT]))].format(int(cursor[Cursor.FAULT_VALUE]))
