"""Low and slow exfiltration: in: transactions with their entities; out: detections of identities that read, day by day,
far more than they used to, or than anybody else does.

Rates say nothing here: 556 records a day pass under every limit, and are 50,000 in three months. What tells is how
many objects of an endpoint an identity reads that it never read before, against its own earlier days (median and MAD,
ninety days), and while it is new also against the endpoint's other readers, over three days. Support agents read many
customers every day, exporters and partners take all there is every night: they are like their own past, and like one
another. The one law: both comparisons leave out a few highest others, so that neither a role nor an accomplice hides or
accuses anyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import SlowExfiltrationSettings
from sensor.detection.detector import Batch, Strings
from sensor.detection.detectors.slow_exfiltration_cells_kernel import CELL, READER, SHELF
from sensor.detection.detectors.slow_exfiltration_kernel import (
    HIT,
    OBJECTS,
    TAKEN_DAYS,
    Progress,
    find_slow,
)
from sensor.detection.detectors.slow_exfiltration_takers_kernel import TAKER
from sensor.detection.evidence import address, community_id, http_of, identity_of
from sensor.detection.kept import KeptShared
from sensor.detection.time_zone import offsets_ns
from sensor.structures.distinct import REGISTERS, SKETCH, WORDS
from sensor.structures.entity_tables import EntityTables
from sensor.structures.log_histogram import BINS
from sensor.structures.memory import copy_fields
from sensor.structures.robust import DAYS_MAX
from sensor.structures.shared_columns import SharedColumns

COVERAGE = Rule(
    id="slow-exfiltration",
    version=1,
    title="Slow exfiltration: one identity reads object after object, far more than it used to or others do",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.HIGH,
    owasp=("API1:2023", "API6:2023"),
    attack=("T1213", "T1119"),
)
VOLUME = Rule(
    id="unusual-volume",
    version=1,
    title="Unusual volume: one identity takes far more data in a day than it ever did",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API6:2023",),
    attack=("T1213",),
)
UNITS = ("response bytes", "records", "new objects")
DAY_SECONDS = 86_400
DAY_NS = DAY_SECONDS * limits.NS
Array = npt.NDArray[Any]


class SlowExfiltration(KeptShared):
    """See the file's head; settings: SlowExfiltrationSettings. The tables are made when the entities' size is known."""

    rules = (COVERAGE, VOLUME)

    def __init__(self, settings: SlowExfiltrationSettings, strings: Strings) -> None:
        super().__init__(HIT, len(Progress), self._restore_cells)
        self.settings, self.strings = settings, strings
        self.zone_days, self.zone_ns = offsets_ns(settings.time_zone)
        self.thresholds = np.array(
            [
                settings.own_ratio_min, settings.deviations_min, settings.own_days_min, settings.others_ratio_min,
                settings.peers_min, settings.top_part, settings.top_min, settings.bytes_min, settings.records_min,
                settings.objects_min, settings.cold_objects_min,
            ],
            np.float64,
        )  # fmt: skip
        self.past, self.work, self.out = np.zeros(TAKEN_DAYS), np.zeros(DAYS_MAX), np.zeros(2)
        self.hand = np.zeros(2, np.int64)
        self.cells = np.zeros(settings.cells_max, CELL)
        self.words = np.zeros(settings.cells_max * WORDS, np.uint64)
        self.history = np.zeros(settings.cells_max * DAYS_MAX, np.int32)
        self.populations, self.members = np.zeros(2 * BINS, np.int32), np.zeros(2, np.int64)

    def made(self, tables: EntityTables) -> SharedColumns:
        """Memory that no row used is not resident."""
        columns = SharedColumns(tables)
        columns.add("identity", "takers", TAKER)
        columns.add("identity", "taken_bins", np.dtype(np.uint8), 2 * TAKEN_DAYS)
        columns.add("identity_endpoint", "readers", READER)
        columns.add("endpoint", "shelves", SHELF)
        columns.add("endpoint", "sketches", SKETCH)
        columns.add("endpoint", "registers", np.dtype(np.uint8), REGISTERS)
        columns.add("endpoint", "histograms", np.dtype(np.int32), BINS)
        return columns

    def _restore_cells(self, saved: Mapping[str, Array]) -> None:
        for name in _WHOLE:
            getattr(self, name)[...] = saved[name]
        for name, size in _BY_CELL.items():
            copy_fields(saved[name], getattr(self, name)[: int(self.hand[1]) * size])

    @property
    def evicted(self) -> int:
        """Heavy cells that were taken from a lighter reader, and readers that got none."""
        return int(self.progress[Progress.DEMOTED] + self.progress[Progress.REFUSED])

    def find(self, batch: Batch, own: Mapping[str, Array], start: int) -> int:
        tables = batch.tables
        return find_slow(
            batch.transactions, batch.entities, start, self.zone_days, self.zone_ns,
            tables.identity.generations, tables.endpoint.generations, tables.identity_endpoint.generations,
            own["takers"], own["taken_bins"], self.populations, self.members,
            own["readers"], self.cells, self.words, self.history,
            own["shelves"], own["sketches"], own["registers"], own["histograms"],
            self.thresholds, self.past, self.work, self.out, self.hand, self.hits, self.progress,
        )  # type: ignore[no-any-return]  # fmt: skip

    def detection(self, hit: Any, transaction: Any, entity: Any) -> Detection:
        metric, http = int(hit["metric"]), http_of(transaction, self.strings)
        now = int(transaction["now"])
        zone = int(self.zone_ns[min(max(now // DAY_NS - int(self.zone_days[0]), 0), len(self.zone_ns) - 1)])
        first_ts = int(hit["day"]) * DAY_NS + int(hit["first_second"]) * limits.NS - zone
        client, server = address(transaction, "client"), address(transaction, "server")
        where = f"{server} {http.method} {http.endpoint} " if metric == OBJECTS else ""
        return Detection(
            now=now,
            rule=COVERAGE if metric == OBJECTS else VOLUME,
            entity=identity_of(transaction, int(entity["identity_kind"])),
            numbers=Numbers(
                observed=round(float(hit["observed"])),
                threshold=round(float(hit["threshold"])),
                unit=UNITS[metric],
                window_seconds=DAY_SECONDS,
                baseline=round(float(hit["baseline"]), 1),
            ),
            count=round(float(hit["observed"])),
            run=f"{where}{UNITS[metric]}@{hit['day']}",
            first_ts=min(first_ts, int(transaction["ts"])),
            last_ts=int(transaction["response_end_ts"]) or int(transaction["ts"]),
            confidence=0.9 if hit["own"] else 0.7,
            client_ip=client,
            client_port=int(transaction["client_port"]),
            server_ip=server,
            server_port=int(transaction["server_port"]),
            community_id=community_id(transaction, "client", "server"),
            http=http,
            details=self._details(hit, metric),
        )

    def _details(self, hit: Any, metric: int) -> dict[str, Any]:
        """How it was compared; of objects, what part of all is read and when all will be."""
        details: dict[str, Any] = {
            "compared_with": "its own earlier days" if hit["own"] else "the endpoint's other readers",
            "active_days": int(hit["days"]),
            "others": int(hit["members"]),
            "nearly_all_others_stay_below": round(float(hit["others"])),
            "deviations": round(float(hit["deviations"]), 1),
            "unusual_hour": bool(hit["new_hour"]),
        }
        if metric == OBJECTS:
            total, known, today = (float(hit[name]) for name in ("total", "known", "observed"))
            details |= {
                "objects_read": round(total),
                "objects_known": round(known),
                "coverage_percent": round(100 * total / known, 2),
                "all_read_in_days": round((known - total) / today, 1),
            }
        return details

    def besides(self) -> dict[str, Array]:
        cells = int(self.hand[1])
        by_cell = {name: getattr(self, name)[: cells * size] for name, size in _BY_CELL.items()}
        return {name: getattr(self, name) for name in _WHOLE} | by_cell

    def restore(self, saved: Mapping[str, Array]) -> bool:
        """What is restored is looked at when the entity tables are there; False when there are fewer cells now."""
        if len(saved["cells"]) > len(self.cells) or len(saved["words"]) != len(saved["cells"]) * WORDS:
            return False
        return super().restore(saved)


_WHOLE = ("hand", "populations", "members")
_BY_CELL = {"cells": 1, "words": WORDS, "history": DAYS_MAX}
