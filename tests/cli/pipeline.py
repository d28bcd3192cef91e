"""A pipeline that has its batches ready, for tests of what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sensor import schema
from sensor.dns import NO_LOOKUPS, Lookups
from sensor.errors import InputError
from tests.export.rows import POOL, random_flows, random_transactions


class ReadyBatch(NamedTuple):
    transactions: Any
    flows: Any
    streams: Any
    alerts: list[Any]
    now: int = 0
    tls: tuple[Any, ...] = ()
    websockets: tuple[Any, ...] = ()
    dns: Lookups = NO_LOOKUPS


NO_BATCH = ReadyBatch(np.zeros(0, schema.TRANSACTION), np.zeros(0, schema.FLOW), np.zeros(0, schema.STREAM), [])


def two_batches(alerts: list[Any]) -> list[ReadyBatch]:
    """30 transactions, 20 flows and some alerts, in two batches."""
    rows, (flows, streams) = random_transactions(1, 30), random_flows(1, 20)
    first = ReadyBatch(rows[:10], flows[:5], streams[:10], alerts[:1])
    return [first, ReadyBatch(rows[10:], flows[5:], streams[10:], alerts[1:])]


class ReadyPipeline:
    """Looks like sensor.pipeline.Pipeline. `before_batch` is called with the number of the batch that comes next."""

    pool = POOL
    bytes_total: int | None = 1_000
    bytes_read = 500
    unknown_links: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rules: tuple[Any, ...] = ()

    def __init__(
        self, batches: list[ReadyBatch], faults: list[InputError], before_batch: Callable[[int], None]
    ) -> None:
        self._batches, self._before_batch = batches, before_batch
        self.faults = faults
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True

    def report(self, detections: list[Any]) -> None:
        assert detections == []

    def __iter__(self) -> Iterator[ReadyBatch]:
        for number, batch in enumerate(self._batches):
            self._before_batch(number)
            if self.stopped:
                return
            yield batch

    def counters(self) -> dict[str, dict[str, int]]:
        return {
            "capture": {"frames": 1_234, "wire_bytes": 98_765, "quarantined": 0},
            "decode": {"decoded": 1_200, "arp": 30, "truncated_tcp": 4},
            "reassembly": {"flows_evicted": 7},
        }
