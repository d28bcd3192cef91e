"""Port scans: in: flows that ended; out: detections of clients that try many ports of a host, or many hosts on a port,
in vain.

A dead server that is tried over and over is one target and stays quiet, as do clients whose connections carry data.
What also looks like this: a balancer that checks many hosts on one port without sending anything. The one law: both
thresholds are exact, see windows.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import PortScanSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds, sweep
from sensor.detection.detectors.port_scan_kernel import HIT, PAIR, TRY, Progress, Shape, find_scans
from sensor.detection.evidence import address, address_text, community_id
from sensor.structures.entity_table import EntityTable
from sensor.structures.memory import Memory

VERTICAL = Rule(
    id="port-scan-vertical",
    version=1,
    title="Port scan: one client tries many ports of one host",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    attack=("T1046", "T1595.001"),
)
HORIZONTAL = Rule(
    id="port-scan-horizontal",
    version=1,
    title="Port scan: one client tries one port on many hosts",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    attack=("T1046", "T1595.001"),
)


class _Pairs:
    """What is remembered of (client, host) or (client, port): the last `size` targets of each."""

    def __init__(self, shape: Shape, rule: Rule, size: int, pairs_max: int) -> None:
        self.shape, self.rule, self.size = shape, rule, size
        self.table = EntityTable(pairs_max)
        self.pairs = np.zeros(pairs_max, PAIR)
        self.targets = np.zeros(pairs_max * size, np.uint64)
        self.times = np.zeros(pairs_max * size, np.int64)
        self.tries = np.zeros(pairs_max * size, TRY)


class PortScan:
    """See the file's head; settings: PortScanSettings."""

    rules = (VERTICAL, HORIZONTAL)

    def __init__(self, settings: PortScanSettings, strings: Strings) -> None:
        self.settings = settings
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.samples = np.zeros(limits.HITS_MAX * max(settings.ports_min, settings.hosts_min), TRY)
        self.shapes = (
            _Pairs(Shape.VERTICAL, VERTICAL, settings.ports_min, settings.pairs_max),
            _Pairs(Shape.HORIZONTAL, HORIZONTAL, settings.hosts_min, settings.pairs_max),
        )
        self.memory = Memory()
        for each in self.shapes:
            columns = {"pairs": each.pairs, "targets": each.targets, "times": each.times, "tries": each.tries}
            self.memory.keep(each.shape.name.lower(), each.table, **columns)
        self.state, self.restore = self.memory.state, self.memory.restore
        self.faults = 0

    @property
    def evicted(self) -> int:
        return sum(shape.table.evicted for shape in self.shapes)

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        for shape in self.shapes:
            self.faults += sweep(
                lambda start, shape=shape: self._find(shape, batch, start),  # type: ignore[misc]
                len(batch.flows),
                self.progress,
                lambda hits, shape=shape: detections.extend(  # type: ignore[misc]
                    self._detection(shape, hit, batch.flows[hit["flow"]]) for hit in self.hits[:hits]
                ),
            )
        return detections

    def _find(self, shape: _Pairs, batch: Batch, start: int) -> int:
        window_ns, report_ns = nanoseconds(self.settings.window_seconds), nanoseconds(REPORT_SECONDS)
        return find_scans(
            batch.flows, batch.streams, start, int(shape.shape), *shape.table.arrays,
            shape.pairs, shape.targets, shape.times, shape.tries, shape.size, window_ns, report_ns,
            self.hits, self.samples, self.progress,
        )  # type: ignore[no-any-return]  # fmt: skip

    def _detection(self, shape: _Pairs, hit: Any, flow: Any) -> Detection:
        samples = self.samples[hit["samples"] : hit["samples"] + shape.size]
        details: dict[str, Any]
        if shape.shape == Shape.VERTICAL:
            details = {"host": address(flow, "resp"), "latest_ports": sorted(int(port) for port in samples["lo"])}
            scanned = details["host"]
        else:
            hosts = sorted(zip(samples["hi"].tolist(), samples["lo"].tolist(), strict=True))
            details = {"port": int(flow["resp_port"]), "latest_hosts": [address_text(hi, lo) for hi, lo in hosts]}
            scanned = details["port"]
        return Detection(
            now=int(hit["now"]),
            rule=shape.rule,
            entity=Entity("client", address(flow, "orig")),
            numbers=Numbers(
                observed=float(hit["targets"]),
                threshold=float(shape.size),
                unit="ports" if shape.shape == Shape.VERTICAL else "hosts",
                window_seconds=self.settings.window_seconds,
            ),
            count=int(hit["attempts"]),
            run=f"{scanned}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            last_ts=int(hit["last_ts"]),
            client_ip=address(flow, "orig"),
            client_port=int(flow["orig_port"]),
            server_ip=address(flow, "resp"),
            server_port=int(flow["resp_port"]),
            community_id=community_id(flow, "orig", "resp"),
            details=details,
        )
