"""Response times: in: transactions; out: detections of endpoints, and servers, that answer far more slowly than before.

Three in four of an endpoint's last waits must be longer than nearly all before them, several times its median, and of
several clients where it has several; and that must last. Once three endpoints of a server are slow, the server is
named. A shift that lasts for an hour is what is usual from then on. The one law: the endpoint or server is named, never
a client.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import ResponseTimesSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.detectors.response_times_kernel import (
    HIT,
    RECENT,
    SLOW_SERVER,
    WAITS,
    Progress,
    find_shifts,
)
from sensor.detection.evidence import address, http_of
from sensor.detection.findings import endpoint_name, server_name
from sensor.detection.kept import KeptByRow
from sensor.structures.log_histogram import BINS, MIDDLES

SHIFT = Rule(
    id="response-time-shift",
    version=1,
    title="Slow answers: an endpoint takes several times as long as it used to",
    category="availability",
    kind=Kind.BEHAVIOUR,
    severity=Severity.LOW,
    owasp=("API4:2023",),
    attack=("T1499",),
)
_ENDPOINTS_OF_SERVER = 3
"""Slow endpoints from which on their server is named."""


class ResponseTimes(KeptByRow):
    """See the file's head; settings: ResponseTimesSettings."""

    rules = (SHIFT,)

    def __init__(self, settings: ResponseTimesSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = np.array(
            [
                settings.answers_min, settings.ratio_min, settings.shift_ms_min * 1_000,
                nanoseconds(settings.lasting_seconds), settings.clients_min, nanoseconds(settings.adopt_seconds),
                nanoseconds(REPORT_SECONDS),
            ],
            np.float64,
        )  # fmt: skip
        self.waits, self.servers = ByRow(WAITS), ByRow(SLOW_SERVER)
        self.recent, self.whose = ByRow(np.uint8, RECENT), ByRow(np.uint8, RECENT)
        self.histograms = ByRow(np.int32, BINS)
        columns = {
            "waits": self.waits, "recent": self.recent, "whose": self.whose, "histograms": self.histograms,
            "servers": self.servers,
        }  # fmt: skip
        super().__init__(columns, HIT, len(Progress))

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        endpoint, server = batch.tables.endpoint, batch.tables.server
        columns = (
            self.waits.of(endpoint), self.recent.of(endpoint), self.whose.of(endpoint), self.histograms.of(endpoint),
            endpoint.generations, self.servers.of(server), server.generations,
        )  # fmt: skip
        self.sweep(
            len(batch.transactions),
            lambda start: find_shifts(
                batch.transactions, batch.entities, start, *columns, self.thresholds, self.hits, self.progress
            ),  # type: ignore[call-arg]  # counts no items of a list
            lambda hit: detections.append(self._detection(hit, batch.transactions[hit["row"]])),
        )
        return detections

    def _detection(self, hit: Any, transaction: Any) -> Detection:
        name, server = endpoint_name(transaction, self.strings), server_name(transaction)
        whole = int(hit["endpoints"]) >= _ENDPOINTS_OF_SERVER
        now, since = int(transaction["now"]), int(hit["since_now"])
        details: dict[str, Any] = {
            "slow_answers": f"{int(hit['slow_held'])} of the last {RECENT}", "clients": int(hit["clients"]),
        }  # fmt: skip
        if whole:
            details |= {"endpoint": name, "slow_endpoints": int(hit["endpoints"])}
        return Detection(
            now=now,
            rule=SHIFT,
            entity=Entity("server", server) if whole else Entity("endpoint", name),
            numbers=Numbers(
                observed=_milliseconds(hit["held"]), threshold=_milliseconds(hit["high"]),
                baseline=_milliseconds(hit["usual"]), unit="ms to answer (median)",
                window_seconds=round((now - since) / 1e9, 3),
            ),
            count=int(hit["slow"]),
            run=f"{name}@{since}",
            first_ts=int(hit["since_ts"]),
            last_ts=max(int(transaction["ts"]), int(hit["since_ts"])),
            server_ip=address(transaction, "server"),
            server_port=int(transaction["server_port"]),
            http=http_of(transaction, self.strings),
            severity=Severity.MEDIUM if whole else None,
            details=details,
        )  # fmt: skip


def _milliseconds(number: Any) -> float:
    """The middle of a bin of microseconds."""
    return round(float(MIDDLES[int(number)]) / 1_000, 3)
