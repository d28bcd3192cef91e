"""Bulk transfers: in: transactions; out: detections of clients that take far more bytes or records than others do.

A client is compared with the endpoint's other clients (median and MAD of log1p, per credential, so that an address with
many users is not accused for them). Where there are too few of them, with what the server's other (client, endpoint)
pairs take: only a walk of many large answers that began once the server was known counts then, with low confidence, and
a single large download never does. The one law: no figure is absolute but the floors, unless the operator sets a limit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import BulkTransferSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds, sweep
from sensor.detection.detectors.bulk_transfer_cells_kernel import (
    BYTES,
    CELL,
    CREDENTIALS,
    POPULATION,
    STRETCH,
    STRETCHES,
    USER,
)
from sensor.detection.detectors.bulk_transfer_kernel import AHEAD, HIT, Against, Progress, find_bulk
from sensor.detection.evidence import address, community_id, http_of
from sensor.structures.entity_table import EntityTable
from sensor.structures.log_histogram import BINS
from sensor.structures.memory import Memory


def _rule(name: str, title: str) -> Rule:
    return Rule(
        id=name, version=2, title=title, category="exfiltration", kind=Kind.BEHAVIOUR, severity=Severity.HIGH,
        owasp=("API4:2023", "API6:2023"), attack=("T1213", "T1119"),
    )  # fmt: skip


BULK = _rule("bulk-transfer", "Bulk exfiltration: one client takes far more data than others do")
RECORDS = _rule("bulk-records", "Bulk exfiltration: one client takes far more records a minute than others do")
CONFIDENCE = {Against.LIMIT: 1.0, Against.PEERS: 0.9, Against.SERVER: 0.5}
COMPARED_WITH = {
    Against.LIMIT: "the limit that is set",
    Against.PEERS: "the median of the endpoint's other clients",
    Against.SERVER: "the 90th percentile of what clients take from the server's endpoints",
}


def _thresholds(settings: BulkTransferSettings) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The settings in the order of Threshold."""
    return np.array(
        [
            nanoseconds(settings.window_seconds / STRETCHES),
            nanoseconds(REPORT_SECONDS),
            settings.ratio_min,
            settings.deviations_min,
            settings.peers_min,
            settings.alone_ratio_min,
            settings.alone_responses_min,
            nanoseconds(settings.alone_known_seconds),
            nanoseconds(settings.known_seconds),
            settings.answers_min,
            settings.at_once_min,
            settings.bytes_min,
            settings.records_min,
            settings.alone_bytes_min,
            settings.alone_records_min,
            settings.bytes_max,
            settings.records_max,
        ],
        np.float64,
    )


class BulkTransfer:
    """See the file's head; settings: BulkTransferSettings."""

    rules = (BULK, RECORDS)

    def __init__(self, settings: BulkTransferSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = _thresholds(settings)
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.endpoints = EntityTable(settings.endpoints_max)
        self.populations = np.zeros(settings.endpoints_max, POPULATION)
        self.histograms = np.zeros(settings.endpoints_max * 2 * BINS, np.int32)
        self.pairs = EntityTable(settings.pairs_max)
        self.cells = np.zeros(settings.pairs_max, CELL)
        self.cells["bytes_bin"] = self.cells["records_bin"] = -1
        self.stretches = np.zeros(settings.pairs_max * STRETCHES, STRETCH)
        self.users = np.zeros(settings.pairs_max * CREDENTIALS, USER)
        self.hashes = np.zeros(AHEAD, np.uint64)
        self.memory = Memory()
        self.memory.keep("peers", self.endpoints, populations=self.populations, histograms=self.histograms)
        self.memory.keep("windows", self.pairs, cells=self.cells, stretches=self.stretches, users=self.users)
        self.state, self.restore = self.memory.state, self.memory.restore
        self.faults = 0

    @property
    def evicted(self) -> int:
        return self.endpoints.evicted + self.pairs.evicted

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        self.faults += sweep(
            lambda start: self._find(batch, start),
            len(batch.transactions),
            self.progress,
            lambda hits: detections.extend(
                self._detection(hit, batch.transactions[hit["row"]]) for hit in self.hits[:hits]
            ),
        )
        return detections

    def _find(self, batch: Batch, start: int) -> int:
        return find_bulk(
            batch.transactions, self.strings.tables.entries, start,
            *self.endpoints.arrays, self.populations, self.histograms,
            *self.pairs.arrays, self.cells, self.cells.view(np.uint64), self.stretches, self.users,
            self.hashes, self.thresholds, self.hits, self.progress,
        )  # type: ignore[no-any-return]  # fmt: skip

    def _detection(self, hit: Any, transaction: Any) -> Detection:
        http = http_of(transaction, self.strings)
        client, server = address(transaction, "client"), address(transaction, "server")
        against = Against(int(hit["against"]))
        by_bytes = hit["metric"] == BYTES
        minutes = max(int(transaction["now"]) - int(hit["first_ts"]), nanoseconds(60)) / nanoseconds(60)
        return Detection(
            now=int(transaction["now"]),
            rule=BULK if by_bytes else RECORDS,
            entity=Entity("client", client),
            numbers=Numbers(
                observed=float(hit["taken"]),
                threshold=round(float(hit["threshold"])),
                unit="response bytes" if by_bytes else "records",
                window_seconds=self.settings.window_seconds,
                baseline=None if against == Against.LIMIT else float(hit["baseline"]),
            ),
            count=int(hit["responses"]),
            run=f"{server} {http.method} {http.endpoint}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            last_ts=int(transaction["response_end_ts"]) or int(transaction["ts"]),
            confidence=CONFIDENCE[against],
            client_ip=client,
            client_port=int(transaction["client_port"]),
            server_ip=server,
            server_port=int(transaction["server_port"]),
            community_id=community_id(transaction, "client", "server"),
            http=http,
            severity=Severity.MEDIUM if against == Against.SERVER else None,
            details={
                "compared_with": COMPARED_WITH[against],
                "peers": int(hit["peers"]),
                "credentials": int(hit["credentials"]),
                "deviations": round(float(hit["deviations"]), 2),
                "bytes_per_minute" if by_bytes else "records_per_minute": round(float(hit["taken"]) / minutes),
            },
        )
