"""Reassembly: in: segments; out: chunks of ordered bytes, and the flows that ended.

One batch of segments may give several parts, because the chunk table is fixed: each part must be used before the next
is asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.config import ReassemblySettings
from sensor.counters import Counters
from sensor.limits import NS
from sensor.reassembly.flow_table import TUNNEL_BITS, VLAN_BITS
from sensor.reassembly.tables import (
    AHEAD,
    ASKED,
    CHUNKS_PER_STEP,
    LIVE_ROWS,
    NODE,
    RECENT,
    RECENT_BUCKETS,
    WHEEL_SECONDS,
    Count,
    Scalar,
    Tables,
)
from sensor.reassembly.track import end_all, pass_time, recycle, track
from sensor.reassembly.turning import turned
from sensor.schema import CHUNK, FLOW, STREAM, FlowFlag
from sensor.structures.records import picked

_SPARE_ROWS = limits.BATCH_FRAMES
"""Rows beyond flows_max, because a row that ended stays as it is until its batch is over."""


class Part(NamedTuple):
    """Chunks (CHUNK) in order of packet time, of which `dns_chunks` are, or may be, DNS; rows of the flows that ended,
    packet time (ns) after them, and copies of the rows of flows that live and carry much: FLOW and two STREAM each.
    """

    chunks: npt.NDArray[np.void]
    dns_chunks: int
    ended: npt.NDArray[np.int32]
    now: int
    told: npt.NDArray[np.void]
    told_streams: npt.NDArray[np.void]


class ReassemblyStage:
    """Owns the flows; `flows`, `streams` and `pages` are the tables that chunks refer to."""

    def __init__(
        self,
        settings: ReassemblySettings,
        pages_max: int = limits.PAGES_MAX,
        zeros: Callable[[int, Any], npt.NDArray[Any]] = np.zeros,
    ) -> None:
        """`zeros` makes the memory of `flows`."""
        rows = settings.flows_max + _SPARE_ROWS
        self.counters = Counters(Count)
        self._tables = Tables(
            flows=zeros(rows, FLOW),
            streams=np.zeros(2 * rows, STREAM),
            asked=np.zeros(2 * rows, ASKED),
            slots=np.zeros(1 << (2 * rows - 1).bit_length(), np.uint64),
            free=np.arange(rows - 1, -1, -1, dtype=np.int32),
            pending=np.zeros(rows, np.int32),
            wheel=np.full(WHEEL_SECONDS, -1, np.int32),
            pages=np.zeros(pages_max * limits.PAGE_BYTES, np.uint8),
            nodes=np.zeros(pages_max, NODE),
            node_free=np.arange(pages_max - 1, -1, -1, dtype=np.int32),
            node_pending=np.zeros(pages_max, np.int32),
            chunks=np.zeros(2 * limits.BATCH_FRAMES + 3 * CHUNKS_PER_STEP, CHUNK),
            ended=np.zeros(rows, np.int32),
            told=np.zeros(LIVE_ROWS, FLOW),
            told_streams=np.zeros(2 * LIVE_ROWS, STREAM),
            recent=np.zeros(limits.RECENT_PACKETS, RECENT),
            recent_heads=np.full(RECENT_BUCKETS, -1, np.int32),
            ahead=np.zeros(AHEAD, np.uint64),
            state=np.zeros(len(Scalar), np.int64),
            counts=self.counters.values,
            seed=np.array([secrets.randbits(64), secrets.randbits(64)], np.uint64),
        )
        state = self._tables.state
        state[Scalar.TICK] = -1
        state[Scalar.FREE] = rows
        state[Scalar.NODE_FREE] = pages_max
        state[Scalar.FLOWS_MAX] = settings.flows_max
        state[Scalar.PATH_MASK] = VLAN_BITS * settings.vlan_in_flow_key | TUNNEL_BITS * settings.tunnel_in_flow_key
        state[Scalar.IDLE_TCP_NS] = int(settings.tcp_idle_seconds * NS)
        state[Scalar.IDLE_ATTEMPT_NS] = int(settings.tcp_attempt_seconds * NS)
        state[Scalar.IDLE_CLOSED_NS] = int(settings.tcp_closed_seconds * NS)
        state[Scalar.IDLE_OTHER_NS] = int(settings.udp_idle_seconds * NS)

    @property
    def flows(self) -> npt.NDArray[np.void]:
        """FLOW rows; a row is valid while its flow lives and until the part in which it ended was used."""
        return self._tables.flows

    @property
    def streams(self) -> npt.NDArray[np.void]:
        """STREAM rows, 2*flow + direction."""
        return self._tables.streams

    def copies(self, rows: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
        """Copies of flows as they leave, and of their streams."""
        return turned(picked(self.flows, rows), picked(self.streams.reshape(-1, 2), rows).reshape(-1))

    @property
    def pages(self) -> npt.NDArray[np.uint8]:
        """What chunks of source 1 refer to."""
        return self._tables.pages

    def fills(self) -> dict[str, tuple[int, int]]:
        """Flows and pages of waiting payload: how many there are, and how many there can be."""
        state = self._tables.state
        pages = len(self._tables.nodes)
        used = pages - int(state[Scalar.NODE_FREE] + state[Scalar.NODE_PENDING])
        return {"flows": (int(state[Scalar.LIVE]), int(state[Scalar.FLOWS_MAX])), "pages": (used, pages)}

    def process(
        self, data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8], segments: npt.NDArray[np.void]
    ) -> Iterator[Part]:
        """Parts for all of these segments (SEGMENT), whose payload lies in the block's `data` or in rebuilt
        `datagrams`.
        """
        row = 0
        while row < len(segments):
            recycle(self._tables)
            row = self._track(data, datagrams, segments, row)
            yield self._part()

    def advance(self, now: int) -> Iterator[Part]:
        """Packet time is `now` (ns) though no packet came: parts for the flows that are due."""
        done = False
        while not done:
            recycle(self._tables)
            try:
                done = pass_time(self._tables, now)
            except IndexError:
                done = not self._fault()
            yield self._part()

    def finish(self) -> Iterator[Part]:
        """End every flow: the capture is over."""
        done = False
        while not done:
            recycle(self._tables)
            try:
                done = end_all(self._tables)
            except IndexError:
                done = not self._fault()
            yield self._part()

    def _track(
        self, data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8], segments: npt.NDArray[np.void], row: int
    ) -> int:
        try:
            return int(track(self._tables, data, datagrams, segments, row, len(segments)))
        except IndexError:
            self._fault()
            return int(self._tables.state[Scalar.CURSOR]) + 1

    def _fault(self) -> bool:
        """Count it, mark the flow, and drop what waits in it, so that it can go on. False when there was nothing to
        drop.
        """
        row = int(self._tables.state[Scalar.FLOW])
        self.counters.values[Count.KERNEL_FAULT] += 1
        if row < 0:
            return False
        self.flows["flags"][row] |= FlowFlag.FAULT
        streams = self.streams[2 * row : 2 * row + 2]
        held = bool((streams["hold_head"] >= 0).any())
        streams["hold_head"] = streams["hold_tail"] = -1
        streams["hold_pages"] = 0
        return held

    def _part(self) -> Part:
        state = self._tables.state
        return Part(
            self._tables.chunks[: state[Scalar.CHUNKS]],
            int(state[Scalar.DNS_CHUNKS]),
            self._tables.ended[: state[Scalar.ENDED]],
            int(state[Scalar.NOW]),
            self._tables.told[: state[Scalar.TOLD]],
            self._tables.told_streams[: 2 * state[Scalar.TOLD]],
        )
