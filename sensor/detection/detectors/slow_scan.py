"""Slow and scattered scans: in: flows that ended; out: detections of clients that try port after port in vain, so
slowly, or on so many hosts and ports at once, that no window of minutes shows it.

One probe a minute adds up over a day. A proxy or a mail server meets many dead hosts too, but uses far more; whoever
retries what is dead tries one target. The one law: see the kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import SlowScanSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds, sweep
from sensor.detection.detectors.slow_scan_kernel import HIT, SCANNER, TRY, Progress, find_slow_scans
from sensor.detection.evidence import address, community_id
from sensor.structures.entity_table import EntityTable
from sensor.structures.memory import Memory

SLOW = Rule(
    id="port-scan-slow",
    version=1,
    title="Slow port scan: one client tries hosts and ports in vain, little by little",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    attack=("T1046", "T1595.001"),
)


class SlowScan:
    """See the file's head; settings: SlowScanSettings."""

    rules = (SLOW,)

    def __init__(self, settings: SlowScanSettings, strings: Strings) -> None:
        self.settings = settings
        size, clients = settings.targets_min, settings.clients_max
        self.limits = np.array(
            [
                size, nanoseconds(settings.window_seconds), nanoseconds(settings.fast_seconds), settings.fast_ports,
                settings.fast_hosts, nanoseconds(REPORT_SECONDS),
            ],
            np.int64,
        )  # fmt: skip
        self.table = EntityTable(clients)
        self.scanners = np.zeros(clients, SCANNER)
        self.targets = np.zeros(clients * size, np.uint64)
        self.times = np.zeros(clients * size, np.int64)
        self.tries = np.zeros(clients * size, TRY)
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.memory = Memory()
        self.memory.keep(
            "clients", self.table, scanners=self.scanners, targets=self.targets, times=self.times, tries=self.tries
        )
        self.state, self.restore = self.memory.state, self.memory.restore
        self.faults = 0

    @property
    def evicted(self) -> int:
        return self.table.evicted

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        self.faults += sweep(
            lambda start: find_slow_scans(
                batch.flows, batch.streams, start, *self.table.arrays, self.scanners, self.targets, self.times,
                self.tries, self.limits, self.hits, self.progress,
            ),
            len(batch.flows),
            self.progress,
            lambda hits: detections.extend(self._detection(hit, batch.flows[hit["flow"]]) for hit in self.hits[:hits]),
        )  # fmt: skip
        return detections

    def _detection(self, hit: Any, flow: Any) -> Detection:
        client = address(flow, "orig")
        return Detection(
            now=int(flow["end_now"]),
            rule=SLOW,
            entity=Entity("client", client),
            numbers=Numbers(
                observed=float(hit["attempts"]),
                threshold=float(self.settings.targets_min),
                unit="attempts in vain",
                window_seconds=self.settings.window_seconds,
            ),
            count=int(hit["attempts"]),
            run=f"{client}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            last_ts=int(hit["last_ts"]),
            confidence=0.8,
            client_ip=client,
            client_port=int(flow["orig_port"]),
            server_ip=address(flow, "resp"),
            server_port=int(flow["resp_port"]),
            community_id=community_id(flow, "orig", "resp"),
            details={
                "latest_targets": self.settings.targets_min,
                "hosts": int(hit["hosts"]),
                "ports": int(hit["ports"]),
                "flows_that_were_used": int(hit["used"]),
            },
        )
