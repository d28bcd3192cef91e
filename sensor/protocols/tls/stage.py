"""TLS: in: chunks of ordered bytes; out: a row for each TLS connection that ended, whatever its port.

A kernel looks at the first bytes of each side, keeps the handshake of those that begin with a hello and counts records
afterwards; the few handshakes are read in Python, at most `tls_handshakes_per_second` of packet time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.config import ProtocolSettings
from sensor.counters import Counters
from sensor.limits import NS
from sensor.protocols.tls.hello import Handshake, read_handshake
from sensor.protocols.tls.records_kernel import read_records
from sensor.protocols.tls.rows import Ended, row_of
from sensor.protocols.tls.tables import (
    CONNECTIONS_MAX,
    NOTICE,
    NOTICES,
    SIDE,
    SLOT_BYTES,
    SLOTS,
    Count,
    NoticeKind,
    Scalar,
    Tables,
)
from sensor.tls import TlsConnection

Rows = npt.NDArray[Any]


class TlsStage:
    """Reads the chunks of `flows` (FLOW rows)."""

    def __init__(self, settings: ProtocolSettings, flows: Rows) -> None:
        self.counters = Counters(Count)
        self._enabled = settings.tls
        self._per_second = settings.tls_handshakes_per_second
        self._second = self._read = 0
        self._known: dict[int, _Known] = {}
        self._tables = Tables(
            flows=flows,
            states=np.zeros(2 * len(flows), np.uint8),
            sides=np.zeros(2 * len(flows), SIDE),
            slots=np.zeros(SLOTS * SLOT_BYTES, np.uint8),
            owners=np.zeros(SLOTS, np.int32),
            notices=np.zeros(NOTICES, NOTICE),
            ended=np.zeros(2 * NOTICES, SIDE),
            numbers=np.zeros(len(Scalar), np.int64),
            counts=self.counters.values,
        )

    def process(
        self, data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8], pages: npt.NDArray[np.uint8], chunks: Rows
    ) -> list[TlsConnection]:
        """The TLS connections that ended with these chunks; ChunkSource says which buffer a chunk refers to."""
        found: list[TlsConnection] = []
        row = 0
        while self._enabled and row < len(chunks):
            try:
                row = int(read_records(self._tables, data, datagrams, pages, chunks, row, len(chunks)))
            except IndexError:
                self.counters.values[Count.KERNEL_FAULT] += 1
                row = int(self._tables.numbers[Scalar.CURSOR]) + 1
            for number in range(int(self._tables.numbers[Scalar.NOTICES])):
                notice = self._tables.notices[number]
                if notice["kind"] == NoticeKind.HANDSHAKE:
                    self._handshake(notice)
                else:
                    found += self._end(notice, self._tables.ended[2 * number : 2 * number + 2])
        return found

    def _handshake(self, notice: Any) -> None:
        """Read one side's handshake, if there is time for it, and free its slot."""
        counts, slot, stream = self.counters.values, int(notice["slot"]), int(notice["stream"])
        second = int(notice["now"]) // NS
        if second != self._second:
            self._second, self._read = second, 0
        self._tables.owners[slot] = 0
        self._read += 1
        if self._read > self._per_second:
            counts[Count.HANDSHAKES_SKIPPED] += 1
            return
        start = slot * SLOT_BYTES
        side = read_handshake(self._tables.slots[start : start + int(notice["length"])].tobytes())
        counts[Count.HANDSHAKES] += 1
        counts[Count.MALFORMED] += side.malformed
        known = self._known.setdefault(stream >> 1, _Known())
        known.sides[stream & 1] = side
        if len(self._known) > CONNECTIONS_MAX:
            del self._known[next(iter(self._known))]
            counts[Count.CONNECTIONS_EVICTED] += 1

    def _end(self, notice: Any, sides: Rows) -> list[TlsConnection]:
        """The row of a connection that ended; none when nothing of its handshake is known."""
        flow = int(notice["stream"]) >> 1
        known = self._known.pop(flow, None)
        if known is None:
            return []
        self.counters.values[Count.CONNECTIONS] += 1
        uid = int(notice["uid_hi"]), int(notice["uid_lo"])
        return [row_of(Ended(self._tables.flows[flow], uid, int(notice["now"]), sides, known.sides))]


@dataclass
class _Known:
    """What the two directions of a connection sent in clear."""

    sides: list[Handshake] = field(default_factory=lambda: [Handshake(), Handshake()])


