"""How a running sensor is: in: its pipeline and its batches; out: a snapshot that other threads may read.

The one law: a snapshot is whole and never changes once it is there; making one costs nothing that traffic sets.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sensor._version import __version__

if TYPE_CHECKING:
    from sensor.batch import Batch
    from sensor.pipeline import Pipeline

_PERIOD_SECONDS = 1.0
_LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the histogram of batch times, seconds."""

Snapshot = dict[str, Any]


class Vitals:
    """`note` after every batch; `snapshot` is at most a second old while batches come."""

    def __init__(self, pipeline: Pipeline, source: str) -> None:
        self._pipeline, self._source = pipeline, source
        self._started = time.time()
        self._alerts: Counter[tuple[str, str, str]] = Counter()
        self._transactions = self._batches = 0
        self._latency = [0] * (len(_LATENCY_BOUNDS) + 1)
        self._latency_sum = 0.0
        self._asked = time.perf_counter()
        self._due = 0.0
        self._before: tuple[float, int, int, int] | None = None
        self.snapshot: Snapshot = {}

    def note(
        self, batch: Batch, outputs: Mapping[str, Mapping[str, int]], worked_seconds: float,
        stream: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        """One batch was worked on for so long; `outputs` are the outputs' counters, `stream` says who subscribes."""
        self._batches += 1
        self._transactions += len(batch.transactions)
        for alert in batch.alerts:
            self._alerts[alert.rule_id, str(alert.severity), str(alert.state)] += 1
        place = sum(worked_seconds > bound for bound in _LATENCY_BOUNDS)
        self._latency[place] += 1
        self._latency_sum += worked_seconds
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _PERIOD_SECONDS
            self.snapshot = self._make(now, batch.now, outputs, stream or {})

    def _make(
        self, now: float, packet_now: int, outputs: Mapping[str, Mapping[str, int]], stream: Mapping[str, int]
    ) -> Snapshot:
        counters = {**self._pipeline.counters(), **outputs}
        capture = counters["capture"]
        figures = now, capture["frames"], capture["captured_bytes"], self._transactions
        rates = _rates(self._before, figures)
        self._before = figures
        return {
            "version": __version__,
            "source": self._source,
            "started": self._started,
            "taken": time.time(),
            "packet_time": packet_now / 1e9,
            "rates": rates,
            "counters": counters,
            "fills": {name: {"used": used, "size": size} for name, (used, size) in self._pipeline.fills().items()},
            "memory_bytes": memory_bytes(),
            "stream": dict(stream),
            "batches": {
                "count": self._batches,
                "seconds_sum": self._latency_sum,
                "seconds_buckets": dict(zip((*map(str, _LATENCY_BOUNDS), "+Inf"), self._latency, strict=True)),
            },
            "detector_seconds": {name: spent / 1e9 for name, spent in self._pipeline.spent_ns.items()},
            "alerts": [
                {"rule_id": rule, "severity": severity, "state": state, "count": count}
                for (rule, severity, state), count in sorted(self._alerts.items())
            ],
        }


def _rates(before: tuple[float, int, int, int] | None, after: tuple[float, int, int, int]) -> dict[str, float]:
    """Packets, bytes and transactions a second since the snapshot before."""
    names = ("packets", "bytes", "transactions")
    if before is None or after[0] <= before[0]:
        return dict.fromkeys(names, 0.0)
    return {name: (after[at] - before[at]) / (after[0] - before[0]) for at, name in enumerate(names, 1)}


def memory_bytes() -> dict[str, int]:
    """Resident memory of this process by kind, from /proc/self/status; empty elsewhere."""
    kinds = {"RssAnon:": "anonymous", "RssFile:": "file", "RssShmem:": "shared"}
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            fields = [line.split() for line in status]
    except OSError:
        return {}
    return {kinds[name]: int(rest[0]) * 1024 for name, *rest in fields if name in kinds}
