"""A capture replayed: in: files and a pace; out: their frames when they are due, once or again and again.

Each round's times go on where those of the round before ended. The one law: frames leave in their own order, none
before it is due.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from sensor.capture.block import Block
from sensor.capture.layout import Count
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from sensor.counters import Counters
from sensor.errors import InputError
from sensor.limits import LIVE_WAIT_SECONDS, NS

_PAUSE_NS = 10 * NS
"""Packet time between the last frame of a round and the first of the next: connections that closed are forgotten."""


class PacedCapture:
    """Reads `inputs` as CaptureStage does, round after round until `blocks` is closed.

    `pace`: times their own speed; 0 is as fast as they can be read.

    InputError when the inputs have no frame.
    """

    bytes_total = None
    files = None
    ring_fill = (0, 1)
    let_wait = (0, 0.0)
    lost = (0, 0)

    def __init__(self, settings: CaptureSettings, inputs: Sequence[str], pace: float) -> None:
        self._settings, self._inputs, self._pace = settings, list(inputs), pace
        self._step_ns = max(round(settings.gather_ms * 1_000_000 * pace), 1)  # what is due within it leaves together
        self.counters = Counters(Count)
        self._round = CaptureStage(settings, inputs, self.counters)
        self._shift_ns = self._last_ns = 0
        self._bytes_before = 0
        self.lag_seconds = 0.0  # how long ago the present block was due
        self.waited_seconds = 0.0  # until frames were due, so far

    @property
    def faults(self) -> list[InputError]:
        """Of the present round."""
        return self._round.faults

    @property
    def bytes_read(self) -> int:
        return self._bytes_before + self._round.bytes_read

    def blocks(self) -> Iterator[Block]:
        """All frames, at most `batch_frames` a block."""
        began_ns = time.monotonic_ns()
        first_ns: int | None = None
        while True:
            frames = 0
            for block in self._round.blocks():
                ts = block.frames["ts"]
                if self._last_ns and not frames:
                    self._shift_ns = self._last_ns + _PAUSE_NS - int(ts[0])
                ts += self._shift_ns
                first_ns = int(ts[0]) if first_ns is None else first_ns
                frames += len(ts)
                self._last_ns = max(self._last_ns, int(ts.max()))
                yield from self._paced(block, first_ns, began_ns)
            if not frames:
                raise self.faults[0] if self.faults else InputError(", ".join(self._inputs), "holds no frame to replay")
            self._bytes_before += self._round.bytes_read
            self._round = CaptureStage(self._settings, self._inputs, self.counters)

    def _paced(self, block: Block, first_ns: int, began_ns: int) -> Iterator[Block]:
        """The block in parts, each when it is due."""
        if not self._pace:
            yield block
            return
        steps = np.maximum.accumulate(block.frames["ts"] - first_ns) // self._step_ns + 1
        edges = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(steps)]
        for start, stop in pairwise(edges):
            due_ns = began_ns + int(int(steps[start]) * self._step_ns / self._pace)
            self.lag_seconds = max(time.monotonic_ns() - due_ns, 0) / NS
            while (left := (due_ns - time.monotonic_ns()) / NS) > 0:
                time.sleep(min(left, LIVE_WAIT_SECONDS))
                self.waited_seconds += min(left, LIVE_WAIT_SECONDS)
                yield Block(block.data, block.frames[:0])
            yield Block(block.data, block.frames[start:stop])
