"""How the sensor is, as its heartbeats tell: what the pipeline and the log know goes in, heartbeats come out.

Law: cheap enough for twice a second, and true: a figure that is not known is left out.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sensor.alert_log import AlertLog
from sensor.bus.wire import Heartbeat, JournalHealth, Load


class Health:
    """`observe` is called by the pipeline's thread, the rest by the stream's."""

    def __init__(self, sensor: str, interval_seconds: float, replay: str, log: AlertLog) -> None:
        self._sensor, self.interval_seconds, self._replay, self._log = sensor, interval_seconds, replay, log
        self.epoch = log.epoch
        self._capture: Mapping[str, int] = {}
        self.counters: Mapping[str, Mapping[str, int]] = {}

    def observe(self, capture: Mapping[str, int], counters: Mapping[str, Mapping[str, int]]) -> None:
        """Both are replaced, not changed, so the other thread sees one or the other."""
        self._capture, self.counters = dict(capture), dict(counters)

    def heartbeat(self, queued: int, subscribers: int, lag_max: int, closing: bool) -> Heartbeat:
        log, last = self._log, self._log.last
        counts = log.counters.as_dict()
        return Heartbeat(
            sensor=self._sensor,
            epoch=self.epoch,
            sequence=last[1] if last[0] == self.epoch else 0,
            ts=time.time(),
            interval_seconds=self.interval_seconds,
            closing=closing,
            replay=self._replay,
            journal=JournalHealth(
                durable=bool(log.hash), failing=log.failing, unwritten=log.unwritten, lost=counts.get("lost", 0),
                size_bytes=log.size_bytes, first=log.first, hash=log.hash,
            ),
            load=_load(queued),
            capture=dict(self._capture),
            subscribers=subscribers,
            lag_max=lag_max,
        )  # fmt: skip


def _load(queued: int) -> Load:
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident = 0
    with suppress(OSError, ValueError, IndexError):  # Linux only
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Load(queued=queued, cpu_seconds=used.ru_utime + used.ru_stime, rss_bytes=resident)
