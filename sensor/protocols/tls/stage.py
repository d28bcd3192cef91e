"""TLS: in: chunks of ordered bytes; out: a row for each TLS connection that ended, whatever its port, over QUIC too.

A kernel looks at the first bytes of each side, keeps the handshake of those that begin with a hello and counts records
afterwards; the few handshakes are read in Python, at most `tls_handshakes_per_second` of packet time. Of QUIC and DTLS
it hands on the first datagrams of a connection, which are read in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.config import ProtocolSettings
from sensor.counters import Counters
from sensor.limits import NS
from sensor.protocols.http1.tables import TunnelKind
from sensor.protocols.quic.connection import QuicConnection
from sensor.protocols.quic.protection import HAVE_CIPHERS
from sensor.protocols.tls.datagrams import DtlsConnection
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
    State,
    Tables,
)
from sensor.schema import ChunkSource, Service
from sensor.tls import TlsConnection
from sensor.tunnel import Tunnel

Rows = npt.NDArray[Any]
_COUNTED = {
    type(None): Count.CONNECTIONS, QuicConnection: Count.QUIC_CONNECTIONS, DtlsConnection: Count.DTLS_CONNECTIONS,
}  # fmt: skip
_MAY_HOLD_TLS = {TunnelKind.UPGRADE, TunnelKind.CONNECT, TunnelKind.TLS}


class TlsStage:
    """Reads the chunks of `flows` (FLOW rows)."""

    def __init__(self, settings: ProtocolSettings, flows: Rows) -> None:
        self.counters = Counters(Count)
        self._enabled = settings.tls
        self._quic = settings.tls and settings.quic
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
        return self._read_all(data, datagrams, pages, chunks) if self._enabled else []

    def process_tunnels(
        self, tunnels: Sequence[Tunnel], data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8],
        pages: npt.NDArray[np.uint8], chunks: Rows,
    ) -> list[TlsConnection]:  # fmt: skip
        """Look again at chunks that were processed, for TLS behind CONNECT, an upgrade or a start in clear."""
        opened = [tunnel for tunnel in tunnels if tunnel.kind in _MAY_HOLD_TLS]
        if not (opened and self._enabled):
            return []
        for tunnel in opened:
            rows = slice(2 * tunnel.flow, 2 * tunnel.flow + 2)
            self._tables.states[rows] = State.WAITS
            self._tables.sides["waits_for"][rows] = tunnel.starts
            self._tables.sides["flags"][rows] = 0
        flows = np.array([tunnel.flow for tunnel in opened], np.int32)
        return self._read_all(data, datagrams, pages, chunks[np.isin(chunks["stream"] >> 1, flows)])

    def _read_all(
        self, data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8], pages: npt.NDArray[np.uint8], chunks: Rows
    ) -> list[TlsConnection]:
        found: list[TlsConnection] = []
        row = 0
        while row < len(chunks):
            try:
                row = int(read_records(self._tables, data, datagrams, pages, chunks, row, len(chunks)))
            except IndexError:
                self.counters.values[Count.KERNEL_FAULT] += 1
                row = int(self._tables.numbers[Scalar.CURSOR]) + 1
            for number in range(int(self._tables.numbers[Scalar.NOTICES])):
                notice = self._tables.notices[number]
                if notice["kind"] == NoticeKind.HANDSHAKE:
                    self._handshake(notice)
                elif notice["kind"] == NoticeKind.DATAGRAM:
                    chunk = chunks[int(notice["slot"])]
                    start, buffer = int(chunk["offset"]), data if chunk["source"] == ChunkSource.BLOCK else datagrams
                    self._datagram(notice, buffer[start : start + int(chunk["length"])].tobytes())
                elif notice["kind"] == NoticeKind.END:
                    found += self._end(notice, self._tables.ended[2 * number : 2 * number + 2])
        return found

    def _has_time(self, now: int) -> bool:
        """Whether one more may be read in this second of packet time; counted when not."""
        second = now // NS
        if second != self._second:
            self._second, self._read = second, 0
        self._read += 1
        if self._read > self._per_second:
            self.counters.values[Count.HANDSHAKES_SKIPPED] += 1
        return self._read <= self._per_second

    def _know(self, flow: int) -> _Known:
        """What is known of a connection; the one known for longest gives way to a new one."""
        known = self._known.setdefault(flow, _Known())
        if len(self._known) > CONNECTIONS_MAX:
            del self._known[next(iter(self._known))]
            self.counters.values[Count.CONNECTIONS_EVICTED] += 1
        return known

    def _datagram(self, notice: Any, datagram: bytes) -> None:
        """Read one datagram of QUIC or DTLS, unless all of the handshake that can be known is."""
        stream = int(notice["stream"])
        quic = self._tables.flows["service"][stream >> 1] == Service.QUIC
        if quic and not self._reads_quic():
            return
        known = self._know(stream >> 1)
        known.datagrams = known.datagrams or (QuicConnection() if quic else DtlsConnection())
        if known.datagrams.is_over or not self._has_time(int(notice["now"])):
            return
        read = _hellos(known.datagrams.handshakes)
        known.datagrams.read(stream & 1, datagram)
        known.sides = known.datagrams.handshakes
        self.counters.values[Count.HANDSHAKES] += _hellos(known.sides) - read

    def _reads_quic(self) -> bool:
        if self._quic and not HAVE_CIPHERS:
            self.counters.values[Count.QUIC_WITHOUT_CIPHERS] += 1
        return self._quic and HAVE_CIPHERS

    def _handshake(self, notice: Any) -> None:
        """Read one side's handshake, if there is time for it, and free its slot."""
        counts, slot, stream = self.counters.values, int(notice["slot"]), int(notice["stream"])
        self._tables.owners[slot] = 0
        if not self._has_time(int(notice["now"])):
            return
        start = slot * SLOT_BYTES
        side = read_handshake(self._tables.slots[start : start + int(notice["length"])].tobytes())
        counts[Count.HANDSHAKES] += 1
        counts[Count.MALFORMED] += side.malformed
        self._know(stream >> 1).sides[stream & 1] = side

    def _end(self, notice: Any, sides: Rows) -> list[TlsConnection]:
        """The row of a connection that ended; none when nothing of its handshake is known."""
        flow = int(notice["stream"]) >> 1
        known, counts = self._known.pop(flow, None), self.counters.values
        if known and isinstance(known.datagrams, QuicConnection):
            counts[Count.QUIC_UNOPENED] += known.datagrams.unopened
        if known is None or (known.datagrams and not known.datagrams.opened):
            return []
        counts[_COUNTED[type(known.datagrams)]] += 1
        uid = int(notice["uid_hi"]), int(notice["uid_lo"])
        return [row_of(Ended(self._tables.flows[flow], uid, int(notice["now"]), sides, known.sides, known.datagrams))]


@dataclass
class _Known:
    """What the two directions of a connection sent in clear."""

    sides: list[Handshake] = field(default_factory=lambda: [Handshake(), Handshake()])
    datagrams: QuicConnection | DtlsConnection | None = None


def _hellos(sides: Sequence[Handshake]) -> int:
    return sum(side.client_hello is not None or side.server_hello is not None for side in sides)


