"""Off hours: in: transactions; out: detections of identities that take much at an hour at which they never work.

Hours are local, working days and week-ends apart; an hour is usual when the identity was active about it on one day in
twenty. Much is more, in this hour alone, than it takes on a usual day. The one law: an identity is compared with
itself, and only once it is known for weeks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import OffHoursSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import Batch, Strings
from sensor.detection.detectors.off_hours_kernel import COUNTS, HIT, WORK, Progress, find_off_hours
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.kept import KeptByRow
from sensor.detection.time_zone import offsets_ns

RULE = Rule(
    id="off-hours",
    version=1,
    title="Off hours: an identity takes more than on a usual day, at an hour at which it never works",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.LOW,
    owasp=("API6:2023",),
    attack=("T1213", "T1078"),
)


class OffHours(KeptByRow):
    """See the file's head; settings: OffHoursSettings."""

    rules = (RULE,)

    def __init__(self, settings: OffHoursSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = np.array(
            [settings.known_days, settings.bytes_min, settings.days_part_min, settings.day_ratio_min], np.float64
        )
        self.zone = offsets_ns(settings.time_zone)
        self.work, self.counts = ByRow(WORK), ByRow(np.uint8, COUNTS)
        super().__init__({"work": self.work, "counts": self.counts}, HIT, len(Progress))

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        identity = batch.tables.identity
        columns = self.work.of(identity), self.counts.of(identity), identity.generations
        self.sweep(
            len(batch.transactions),
            lambda start: find_off_hours(
                batch.transactions, batch.entities, start, *self.zone, *columns, self.thresholds, self.hits,
                self.progress,
            ),  # type: ignore[call-arg]  # counts no items of a list
            lambda hit: detections.append(self._detection(hit, batch)),
        )  # fmt: skip
        return detections

    def _detection(self, hit: Any, batch: Batch) -> Detection:
        transaction, usual = batch.transactions[hit["row"]], float(hit["usual"])
        entity = identity_of(transaction, int(batch.entities["identity_kind"][hit["row"]]))
        least = max(float(self.settings.bytes_min), self.settings.day_ratio_min * usual)
        return detection_of(
            transaction,
            self.strings,
            RULE,
            entity,
            Numbers(
                observed=float(hit["taken"]), threshold=round(least), baseline=round(usual), unit="response bytes",
                window_seconds=3_600.0,
            ),
            count=int(hit["requests"]),
            run=f"{entity.value}@{hit['first_ts']}",
            first_ts=int(hit["first_ts"]),
            confidence=0.5,
            details={
                "local_hour": int(hit["hour"]), "time_zone": self.settings.time_zone, "days_known": int(hit["days"]),
                "days_at_this_hour": int(hit["at_this_hour"]),
            },
        )  # fmt: skip
