"""Recent packets: in: blocks of frames; out: the frames of a span of packet time that are still there.

A block's bytes are copied as they lie, one copy for each stretch of them, and never looked at. The one law: bytes and
rows stay within the budget, and the oldest give way.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.schema import FRAME

Bytes = npt.NDArray[np.uint8]
Frames = npt.NDArray[np.void]

_PAGE_BYTES = 4_096
_GAP_BYTES = 1 << 16
"""Bytes between two frames that are copied along rather than making two copies."""


class _Stretch(NamedTuple):
    """Bytes start:stop of the ring, and the frames in them, whose offsets refer to the ring."""

    start: int
    stop: int
    frames: Frames
    first_ts: int
    last_ts: int


class PacketRing:
    """`size` bytes, in memory or, with `folder`, in a file there that has no name; rows of frames take a fifth more at
    most.
    """

    def __init__(self, size: int, folder: Path | None = None) -> None:
        self.data: Bytes
        if folder is None:
            self.data = np.empty(size, np.uint8)
        else:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.truncate(size)
                self.data = np.memmap(file, np.uint8, "r+", shape=(size,)).view(np.ndarray)
        self.data[::_PAGE_BYTES] = 0  # taken from the system now, and not packet by packet
        self._rows_max = size // (5 * FRAME.itemsize)
        self._stretches: deque[_Stretch] = deque()
        self._rows = self._next = 0
        self.gone_until = 0
        """Packet time (ns) of the newest packet that has given way; 0 when none has."""

    def keep(self, data: Bytes, frames: Frames) -> None:
        """Copy the frames' bytes; frames are rows of FRAME whose offsets refer to `data`."""
        if not len(frames):
            return
        starts = frames["offset"]
        if (starts[1:] >= starts[:-1]).all():
            ordered = frames
        else:  # several inputs, merged: each lies in a part of its own
            ordered = frames[np.argsort(starts, kind="stable")]
            starts = ordered["offset"]
        stops = starts + ordered["caplen"]
        edges = [0, *(np.flatnonzero(starts[1:] > stops[:-1] + _GAP_BYTES) + 1).tolist(), len(ordered)]
        for first, end in pairwise(edges):
            self._copy(data, int(starts[first]), int(stops[first:end].max()), ordered[first:end])

    def _copy(self, data: Bytes, low: int, high: int, frames: Frames) -> None:
        size = high - low
        if size > len(self.data):
            return
        if self._next + size > len(self.data):
            self._free(self._next, len(self.data))
            self._next = 0
        start = self._next
        self._free(start, start + size)
        while self._stretches and self._rows + len(frames) > self._rows_max:
            self._forget()
        self.data[start : start + size] = data[low:high]
        kept = frames.copy()
        kept["offset"] += start - low
        times = kept["ts"]
        self._stretches.append(_Stretch(start, start + size, kept, int(times.min()), int(times.max())))
        self._rows += len(kept)
        self._next = start + size

    def _free(self, start: int, stop: int) -> None:
        """Forget the oldest stretches while they lie there."""
        while self._stretches and self._stretches[0].start < stop and self._stretches[0].stop > start:
            self._forget()

    def _forget(self) -> None:
        oldest = self._stretches.popleft()
        self._rows -= len(oldest.frames)
        self.gone_until = max(self.gone_until, oldest.last_ts)

    def between(self, first_ts: int, last_ts: int) -> Iterator[Frames]:
        """Frames of these packet times (ns, both included), a stretch at a time, in the order in which they came."""
        for stretch in self._stretches:
            if stretch.first_ts <= last_ts and stretch.last_ts >= first_ts:
                times = stretch.frames["ts"]
                yield stretch.frames[(times >= first_ts) & (times <= last_ts)]
