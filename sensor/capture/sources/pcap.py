"""pcap files: in: the file header, then records in a read buffer; out: rows of FRAME.

Microsecond and nanosecond magic in either byte order, and the modified format (a1b2cd34) of old Linux kernels.
The one law: the file header decides the layout of every record, once.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from sensor.capture.index_pcap import index_pcap
from sensor.capture.layout import Cursor, Fault, PcapLayout
from sensor.errors import InputError
from sensor.limits import FRAME_BYTES_MAX

HEADER_BYTES = 24
_MAGICS = {0xA1B2C3D4: (1000, 16), 0xA1B23C4D: (1, 16), 0xA1B2CD34: (1000, 24)}
"""Magic number: nanoseconds in a tick of the fraction, bytes of a record's head."""

MAGICS = tuple(magic.to_bytes(4, order) for magic in _MAGICS for order in ("little", "big"))  # type: ignore[arg-type]


class PcapIndex:
    """Rows of one pcap file. `start`: bytes of the file header, which the records follow."""

    start = HEADER_BYTES

    def __init__(self, name: str, head: bytes) -> None:
        """`head`: the first bytes of the file, all of them if there are fewer than HEADER_BYTES (InputError)."""
        if len(head) < HEADER_BYTES:
            raise InputError(name, f"the file header is cut: {HEADER_BYTES} bytes expected, {len(head)} there", 0)
        order = ">" if struct.unpack(">I", head[:4])[0] in _MAGICS else "<"
        fraction_ns, head_bytes = _MAGICS[struct.unpack(order + "I", head[:4])[0]]
        link = struct.unpack(order + "I", head[20:24])[0] & 0xFFFF  # the rest: frame check sequences
        self._layout: npt.NDArray[np.int64] = np.zeros(len(PcapLayout), np.int64)
        self._layout[PcapLayout.BIG_ENDIAN] = order == ">"
        self._layout[PcapLayout.FRACTION_NS] = fraction_ns
        self._layout[PcapLayout.HEAD_BYTES] = head_bytes
        self._layout[PcapLayout.LINK] = link

    def fill(
        self, data: npt.NDArray[np.uint8], cursor: npt.NDArray[np.int64], frames: npt.NDArray[np.void], row: int
    ) -> int:
        return index_pcap(data, cursor, self._layout, frames, row)

    def explain(self, cursor: npt.NDArray[np.int64]) -> str:
        """The fault at the cursor in words."""
        assert cursor[Cursor.FAULT] == Fault.RECORD_TOO_LONG
        return f"impossible record length {cursor[Cursor.FAULT_VALUE]}: at most {FRAME_BYTES_MAX} bytes expected"
