"""The capture stage: in: files, folders, streams; out: blocks of frames, several inputs merged in packet-time order.

One input is handed on in its own order. An input that goes wrong ends there: what was read before the fault is
delivered, the fault is kept in `faults`, and the others are read on. The one law: frames, their order and their
flags do not depend on the block size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sensor.capture.block import Block
from sensor.capture.inputs import Input, Inputs
from sensor.capture.layout import Count
from sensor.capture.merge import Merge
from sensor.capture.reader import Table
from sensor.config import CaptureSettings
from sensor.counters import Counters
from sensor.errors import InputError, SettingError
from sensor.limits import BATCH_FRAMES, READ_BUFFER_BYTES
from sensor.schema import FRAME

_ROWS_MAX = READ_BUFFER_BYTES // 16  # records of no byte


class CaptureStage:
    """Reads `inputs`: paths of files and folders, `-` for standard input, `tcp://host:port`.

    `counters`: of layout.Count, its own or those given. SettingError when no block could hold a frame.
    """

    def __init__(self, settings: CaptureSettings, inputs: Sequence[str], counters: Counters | None = None) -> None:
        if settings.batch_frames < 1:
            raise SettingError(f"capture.batch_frames is {settings.batch_frames}: at least 1 expected")
        self.counters = counters or Counters(Count)
        self._batch_frames = settings.batch_frames
        self._inputs = Inputs(inputs, self.counters)

    @property
    def faults(self) -> list[InputError]:
        """One for each input that could not be read, or not to its end; complete when the blocks are."""
        return self._inputs.faults

    @property
    def files(self) -> list[str] | None:
        """Every file that is read, in the order named; None when a stream is among the inputs."""
        listed = self._inputs.listed
        return None if any(each.size is None for each in listed) else [each.name for each in listed]

    @property
    def bytes_total(self) -> int | None:
        """Bytes of all captures as they lie on disk; None when a stream is among the inputs."""
        return self._inputs.bytes_total

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, compressed ones where a file is compressed."""
        return self._inputs.bytes_read

    def blocks(self) -> Iterator[Block]:
        """All frames, at most `batch_frames` a block. Asked for once."""
        listed = self._inputs.listed
        try:
            yield from self._one(listed[0]) if len(listed) == 1 else self._several()
        finally:
            self._inputs.close_all()

    def _one(self, only: Input) -> Iterator[Block]:
        rows = min(max(self._batch_frames, BATCH_FRAMES), _ROWS_MAX) + 1
        data: npt.NDArray[np.uint8] = np.empty(READ_BUFFER_BYTES, np.uint8)
        frames: npt.NDArray[np.void] = np.empty(rows, FRAME)
        reader = self._inputs.open(only, Table(data, 0, len(data), frames, np.empty(rows, np.int64)))
        while reader and (count := reader.advance()):
            for start in range(0, count, self._batch_frames):
                yield Block(data, frames[start : min(start + self._batch_frames, count)], more=only.size is not None)

    def _several(self) -> Iterator[Block]:
        merge = Merge(self._inputs, self._batch_frames)
        for frames in merge.rows():
            yield Block(merge.data, frames, more=self.files is not None)
