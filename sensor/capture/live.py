"""Live capture: in: interfaces; out: blocks of frames as they arrive, and packet time when none do.

The one law: what the system dropped is counted from its own figures, and packet time never runs backwards, whatever is
done to the clock of the machine.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.capture.block import Block
from sensor.capture.bpf import compile_filter
from sensor.capture.clock import judge_clock
from sensor.capture.gather import Gather
from sensor.capture.index_ring import Ring, index_ring
from sensor.capture.layout import Clock, Count
from sensor.capture.sources.afpacket import Instruction, RingSocket, packet_socket, without_ring
from sensor.config import CaptureSettings
from sensor.counters import Counters
from sensor.errors import InputError, SettingError
from sensor.limits import BATCH_FRAMES, CLOCK_AHEAD_NS, CLOCK_STEP_NS, LIVE_WAIT_SECONDS, NS
from sensor.schema import FRAME

_MARGIN_NS = 100_000_000
"""How late a busy machine may hand over a part of the ring whose time is over, at least."""


class LiveCount(IntEnum):
    """What a live capture counts beside layout.Count."""

    RECEIVED = 0         # packets that passed the filter, dropped ones among them
    DROPPED = 1          # packets that found the ring full
    FROZEN = 2           # times the ring was full
    OFFLOAD = 3          # frames that card or system had merged
    CLOCK_STEPPED = 4    # times the machine's clock was set by more than a second
    INTERFACES_LOST = 5  # interfaces that are not there at present
    RING_FAULTS = 6      # packets whose place in the ring makes no sense
    CARD_DROPPED = 7     # packets that the interfaces' own figures say were lost before the ring
    CARD_UNWANTED = 8    # dropped behind the sensor, or so few that nobody may have wanted them: not told


def _ring_of(settings: CaptureSettings) -> tuple[object, ...]:
    """What a ring is made by."""
    return settings.ring_bytes, settings.ring_block_bytes, settings.ring_timeout_ms, settings.promiscuous


def _ring_socket(
    settings: CaptureSettings, program: Sequence[Instruction], opened: socket.socket | None = None
) -> RingSocket:
    block_bytes = min(settings.ring_block_bytes, settings.ring_bytes // 4)
    return RingSocket(
        settings.interfaces, block_bytes, settings.ring_bytes // block_bytes, settings.ring_timeout_ms,
        settings.promiscuous, program, opened,
    )  # fmt: skip


class PreparedCapture(NamedTuple):
    """What other settings change: a program for the filter, and a ring to which nothing comes yet, if that is new."""

    settings: CaptureSettings
    program: list[Instruction]
    ring: RingSocket | None


class LiveCapture:
    """Captures from `settings.interfaces` until it is stopped or `blocks` is closed.

    `counters`: of layout.Count; `losses`: of LiveCount.

    InputError when an interface does not exist or capturing is not allowed, SettingError for a wrong filter.
    """

    bytes_total = None
    files = None

    def __init__(self, settings: CaptureSettings) -> None:
        self.counters = Counters(Count)
        self.losses = Counters(LiveCount)
        self.faults: list[InputError] = []
        self._batch_frames = min(settings.batch_frames, BATCH_FRAMES)
        self._socket = _ring_socket(settings, compile_filter(settings.filter))
        self._spare: socket.socket | None = packet_socket(self._socket.name)  # while there is the right to one
        self._emptied = True  # asked once, for the system halts all packets of the namespace to do it
        self._coming: PreparedCapture | None = None
        self._silent_at = 0.0
        self._fit(settings)
        self.waited_seconds = 0.0
        """For packets, so far."""
        self._ring: npt.NDArray[np.int64] = np.zeros(len(Ring), np.int64)
        self._frames = np.zeros(self._batch_frames, FRAME)
        self._keys: npt.NDArray[np.int64] = np.zeros(self._batch_frames, np.int64)
        self._clock: npt.NDArray[np.int64] = np.zeros(len(Clock), np.int64)
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._shift_ns = 0
        self._taken = False
        self._stop_ns = 0

    def stop(self) -> None:
        """End `blocks` when it has given what had arrived by now, some of it in a part of the ring that still fills."""
        self._stop_ns = time.time_ns()

    def _fit(self, settings: CaptureSettings) -> None:
        """What goes by the settings of the present ring."""
        self._settings = settings
        self._gather = Gather(settings.gather_ms / 1000, self._socket.fill[1])
        self._let_until = 0
        self._margin_ns = max(4 * settings.ring_timeout_ms * 1_000_000, _MARGIN_NS)

    def prepare(self, settings: CaptureSettings) -> PreparedCapture:
        """Make what these settings change, in whatever thread. Raises SettingError, and InputError for a ring."""
        program = compile_filter(settings.filter)
        if _ring_of(settings) == _ring_of(self._settings):
            return PreparedCapture(settings, program, None)
        if self._coming or self._spare is None or not without_ring(self._spare):
            raise SettingError("capture: the ring before is still being read: try again in a moment")
        return PreparedCapture(settings, program, _ring_socket(settings, program, self._spare))

    def take_over(self, prepared: PreparedCapture) -> None:
        """From the next packet on. Nothing that came until then is lost: a new ring fills while the old one is read to
        its end. A packet that came in just this moment may be in both, and counts as a double of the mirror does.
        """
        if prepared.ring:
            prepared.ring.begin()
            self._socket.silence()
            self._coming, self._silent_at, self._spare = prepared, time.monotonic(), None
            return
        if prepared.settings.filter != self._settings.filter:
            self._socket.admit(prepared.program)
        self._gather.seconds = prepared.settings.gather_ms / 1000
        self._settings = prepared.settings

    def _change_rings(self) -> None:
        """Go on with the ring that fills, once nothing can be left in the one before; whose memory then goes back."""
        if not self._emptied and self._spare is not None:
            self._emptied = without_ring(self._spare)
        if not self._coming or not self._coming.ring or time.monotonic() < self._silent_at + self._margin_ns / NS:
            return
        self._socket.count_losses()
        before, self._socket = self._socket, self._coming.ring
        self._socket.go_on_counting(before)
        self._fit(self._coming.settings)
        self._spare, self._coming, self._emptied = before.leave(), None, False
        self._stop_ns = self._stop_ns and time.time_ns()  # the ring is still to be read up to now

    @property
    def bytes_read(self) -> int:
        return self.counters[Count.CAPTURED_BYTES]

    @property
    def ring_fill(self) -> tuple[int, int]:
        """Blocks of the ring that wait for the sensor, and blocks."""
        return self._socket.fill

    @property
    def let_wait(self) -> tuple[int, float]:
        """Blocks of the ring, and seconds, that packets wait because they were let gather."""
        return max(self._let_until - self._socket.taken, 0), self._gather.seconds

    @property
    def lost(self) -> tuple[int, int]:
        """Packets that card or system dropped, and all that came."""
        card = self.losses[LiveCount.CARD_DROPPED]
        return self.losses[LiveCount.DROPPED] + card, self.losses[LiveCount.RECEIVED] + card

    @property
    def packets(self) -> Mapping[str, int]:
        """Packets that came on each interface, by the system's own figures."""
        return self._socket.cards.packets

    @property
    def lag_seconds(self) -> float:
        """How long ago the last packet of the present block came; 0 when none wait."""
        return max(time.time_ns() + self._shift_ns - int(self._clock[Clock.NOW]), 0) / NS if self._taken else 0.0

    def blocks(self) -> Iterator[Block]:
        """Blocks as they come; without packets an empty one now and then, whose `now` tells that time went on."""
        self.counters.values[Count.INPUTS] += 1
        begun = more = False
        try:
            while not self._over():
                if not more:
                    self._taken = self._wait()
                elif not begun:
                    self._taken = self._socket.take(0, self._ring)
                self._follow_clock()
                if not self._taken:
                    self._change_rings()
                    yield Block(self._socket.data, self._frames[:0], self._now())
                    continue
                frames = self._index()
                begun = bool(self._ring[Ring.LEFT] > 0)
                more = begun or self._socket.waits(1)
                yield Block(self._socket.data, frames, more=more)
                self._socket.give_back(but=int(begun))
        finally:
            self._count()
            self._socket.count_losses()
            self._socket.cards.settle()
            self._count()
            self._socket.close()
            if self._spare is not None:
                self._spare.close()

    def _wait(self) -> bool:
        """Rest until packets are to be taken, then take them; False when none came."""
        began = time.monotonic()
        self._let_until = self._gather.rest(lambda: self._socket.fill[0]) + self._socket.taken
        taken = self._socket.take(LIVE_WAIT_SECONDS, self._ring)
        if taken:
            self._gather.took()
        self.waited_seconds += time.monotonic() - began
        return taken

    def _over(self) -> bool:
        if not self._stop_ns or self._coming:
            return False
        if self._taken:
            return int(self._clock[Clock.NOW]) > self._stop_ns + self._shift_ns
        return time.time_ns() >= self._stop_ns + self._margin_ns

    def _index(self) -> npt.NDArray[np.void]:
        """The next frames: of several parts of the ring where they wait, because a large batch costs less, and the ring
        is free again the sooner the fewer they are.
        """
        frames = self._frames
        rows = index_ring(self._socket.data, self._ring, frames)
        while rows < len(frames) and self._socket.takes_more and self._socket.more(self._ring):
            rows += index_ring(self._socket.data, self._ring, frames[rows:])
        if self._shift_ns:
            frames["ts"][:rows] += self._shift_ns
        judge_clock(frames, rows, True, self._clock, self._keys, self.counters.values)
        return frames[:rows]

    def _now(self) -> int:
        """Packet time before which no packet can still come."""
        return max(time.time_ns() + self._shift_ns - self._margin_ns, int(self._clock[Clock.NOW]))

    def _follow_clock(self) -> None:
        """When the machine's clock was set back, packets are shifted so that packet time goes on; once in a while the
        losses are taken over.
        """
        now = time.time_ns()
        self._clock[Clock.LIMIT] = now + self._shift_ns + CLOCK_AHEAD_NS
        offset_ns = now - time.monotonic_ns()
        step_ns = offset_ns - self._offset_ns
        if abs(step_ns) > CLOCK_STEP_NS:
            self.losses.values[LiveCount.CLOCK_STEPPED] += 1
            self._shift_ns = max(self._shift_ns - step_ns, 0)
        self._offset_ns = offset_ns
        self._count()

    def _count(self) -> None:
        values, ring = self.losses.values, self._ring
        self._socket.tagged = int(ring[Ring.TAGGED])
        values[LiveCount.RECEIVED] = self._socket.received
        values[LiveCount.DROPPED] = self._socket.dropped
        values[LiveCount.FROZEN] = self._socket.frozen
        values[LiveCount.INTERFACES_LOST] = self._socket.lost
        values[LiveCount.CARD_DROPPED] = self._socket.cards.dropped
        values[LiveCount.CARD_UNWANTED] = self._socket.cards.unwanted
        values[LiveCount.OFFLOAD] = ring[Ring.OFFLOAD]
        values[LiveCount.RING_FAULTS] = ring[Ring.FAULTS]
