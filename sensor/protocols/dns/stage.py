"""DNS: in: chunks, of which a few may be DNS; out: lookups, a question with its answer each.

The one law: a batch without DNS costs one look at a column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.counters import Counters
from sensor.dns import NO_LOOKUPS, Lookups, joined_lookups
from sensor.protocols.dns.chunks_kernel import read_chunks
from sensor.protocols.dns.tables import (
    ANSWERS,
    CONNECTIONS_MAX,
    HELD_BYTES,
    NAME_BYTES,
    PENDING_MAX,
    ROWS,
    SCRATCH_BYTES,
    SIDE,
    TEXT_BYTES,
    TIMEOUT_NS,
    Count,
    Scalar,
    Tables,
)
from sensor.schema import CHUNK, Service
from sensor.schema_dns import ANSWER, LOOKUP

Rows = npt.NDArray[Any]
_NO_CHUNKS = np.zeros(0, np.int64)


class DnsStage:
    """Reads the chunks of `flows` (FLOW rows) before anyone else does: TCP flows that turn out to be no DNS are left to
    the others.
    """

    def __init__(
        self, flows: Rows, pending_max: int = PENDING_MAX, connections_max: int = CONNECTIONS_MAX
    ) -> None:
        self.counters = Counters(Count)
        numbers = np.zeros(len(Scalar), np.int64)
        numbers[[Scalar.FIRST, Scalar.LAST]] = -1
        numbers[Scalar.FREE], numbers[Scalar.CONNECTIONS_FREE] = pending_max, connections_max
        self._tables = Tables(
            flows=flows,
            pending=np.zeros(pending_max, LOOKUP),
            names=np.zeros(pending_max * NAME_BYTES, np.uint8),
            slots=np.zeros(1 << (2 * pending_max - 1).bit_length(), np.uint64),
            hashes=np.zeros(pending_max, np.uint64),
            order=np.zeros(2 * pending_max, np.int32),
            free=np.arange(pending_max - 1, -1, -1, dtype=np.int32),
            connections=np.zeros(len(flows), np.int32),
            connections_free=np.arange(connections_max - 1, -1, -1, dtype=np.int32),
            sides=np.zeros(2 * connections_max, SIDE),
            held=np.zeros(2 * connections_max * HELD_BYTES, np.uint8),
            scratch=np.zeros(SCRATCH_BYTES, np.uint8),
            rows=np.zeros(ROWS, LOOKUP),
            answers=np.zeros(ANSWERS, ANSWER),
            texts=np.zeros(TEXT_BYTES, np.uint8),
            numbers=numbers,
            counts=self.counters.values,
        )

    def process(
        self, data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8], pages: npt.NDArray[np.uint8],
        chunks: Rows, dns_chunks: int, now: int,
    ) -> Lookups:  # fmt: skip
        """What these chunks complete, and what was given up until packet time `now` (ns). `dns_chunks` of them are, or
        may be, DNS.
        """
        first = self._tables.numbers[Scalar.FIRST]
        waits = first >= 0 and self._tables.pending["now"][first] + TIMEOUT_NS <= now
        if not (dns_chunks or waits):
            return NO_LOOKUPS
        places = np.flatnonzero(chunks["service"] >= Service.MAYBE_DNS) if dns_chunks else _NO_CHUNKS
        return self._read(data, datagrams, pages, chunks, places, now)

    def finish(self, now: int) -> Lookups:
        """The questions that still wait at the end of the capture, at packet time `now` (ns)."""
        none = np.zeros(0, np.uint8)
        told = self._read(none, none, none, np.zeros(0, CHUNK), _NO_CHUNKS, now + TIMEOUT_NS)
        told.rows["now"] = now
        return told

    def _read(
        self, data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8], pages: npt.NDArray[np.uint8],
        chunks: Rows, places: Rows, now: int,
    ) -> Lookups:  # fmt: skip
        tables, numbers, parts = self._tables, self._tables.numbers, []
        item = 0
        while item <= len(places):
            try:
                item = int(read_chunks(tables, data, datagrams, pages, chunks, places, item, now))
            except IndexError:
                self.counters.values[Count.KERNEL_FAULT] += 1
                item = int(numbers[Scalar.CURSOR]) + 1
                numbers[Scalar.DONE] = 0
            rows, answers, texts = (int(numbers[each]) for each in (Scalar.ROWS, Scalar.ANSWERS, Scalar.TEXTS))
            if rows:
                found = tables.rows[:rows].copy(), tables.answers[:answers].copy(), tables.texts[:texts].copy()
                parts.append(Lookups(*found))
        return joined_lookups(parts)
