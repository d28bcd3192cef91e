"""Refused connections: in: flows that ended and transactions; out: detections of services that are down.

A service, a TCP port of a host, is down when it answered before and now several of those whom it answered are refused
(RST), or get no answer to their SYN, one after the other; with its next answer a last detection says that it has
recovered. The one law: the service is named, never a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import ErrorSpikeSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, nanoseconds, sweep
from sensor.detection.evidence import address_text
from sensor.detection.findings import server_text
from sensor.detection.refusals_kernel import HIT, SERVICE, WORDS, Progress, find_refusals
from sensor.structures.entity_table import EntityTable
from sensor.structures.memory import Memory

OUTAGE = Rule(
    id="api-endpoint-down",
    version=2,
    title="Endpoint down: what answered before gives 502, 503, 504 or nothing, or takes no connections",
    category="availability",
    kind=Kind.BEHAVIOUR,
    severity=Severity.HIGH,
    owasp=("API4:2023", "API8:2023"),
    attack=("T1499",),
)
SECURITY = Rule(
    id="security-service-down",
    version=1,
    title="A security service is down: what protects the API does not answer any more",
    category="availability",
    kind=Kind.BEHAVIOUR,
    severity=Severity.CRITICAL,
    owasp=("API2:2023", "API4:2023", "API8:2023"),
    attack=("T1499", "T1562"),
)
ALONE_TIMES = 2
"""Times as many requests, or connections, when one client alone says that something is down."""


def outage_of(settings: ErrorSpikeSettings, server: str) -> tuple[Rule, dict[str, Any]]:
    """The rule for the outage of a server (address and port), and what it is when it is a security service."""
    name = settings.security_services.get(server)
    return (OUTAGE, {}) if name is None else (SECURITY, {"service": name})


class Refusals:
    """Part of ErrorSpike, whose settings it takes."""

    def __init__(self, settings: ErrorSpikeSettings) -> None:
        self.settings = settings
        self.thresholds = np.array(
            [
                settings.down_known_requests_min, settings.down_requests_min,
                nanoseconds(settings.down_lasting_seconds), nanoseconds(REPORT_SECONDS), ALONE_TIMES,
            ],
            np.float64,
        )  # fmt: skip
        self.table = EntityTable(limits.SERVERS_MAX)
        self.services = np.zeros(limits.SERVERS_MAX, SERVICE)
        self.filters = np.zeros(limits.SERVERS_MAX * WORDS, np.uint64)
        self.service_of = np.zeros(0, np.int32)
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.faults = 0
        self._memory = Memory()
        self._memory.keep("services", self.table, services=self.services, filters=self.filters)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return self._memory.state()

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        return self._memory.restore(saved)

    def process(self, batch: Batch) -> list[Detection]:
        if not len(self.service_of):
            self.service_of = np.zeros(batch.tables.server.rows, np.int32)
        detections: list[Detection] = []
        self.progress[Progress.FLOW] = self.progress[Progress.TRANSACTION] = 0
        self.faults += sweep(
            lambda start: find_refusals(
                batch.flows, batch.streams, batch.transactions, batch.entities, start, *self.table.arrays,
                self.services, self.filters, self.service_of, self.thresholds, self.hits, self.progress,
            ),
            len(batch.flows) + len(batch.transactions),
            self.progress,
            lambda hits: detections.extend(self._detection(hit) for hit in self.hits[:hits]),
        )  # fmt: skip
        return detections

    def _detection(self, hit: Any) -> Detection:
        host, port = address_text(int(hit["hi"]), int(hit["lo"])), int(hit["port"])
        server = server_text(host, port)
        rule, service = outage_of(self.settings, server)
        first, last, failed = int(hit["first_ts"]), int(hit["last_ts"]), int(hit["failed"])
        return Detection(
            now=int(hit["now"]),
            rule=rule,
            entity=Entity("server", server),
            numbers=Numbers(
                observed=float(failed), threshold=float(self.settings.down_requests_min),
                unit="connections in a row refused or unanswered", window_seconds=round((last - first) / 1e9, 3),
            ),
            count=failed,
            run=f"{server} connections@{first}",
            first_ts=first,
            last_ts=last,
            server_ip=host,
            server_port=port,
            details=service | {
                "refused": int(hit["refused"]), "unanswered": failed - int(hit["refused"]),
                "clients": int(hit["clients"]), "down_seconds": (last - first) // 1_000_000_000,
                "recovered": bool(hit["recovered"]),
            },
        )  # fmt: skip
