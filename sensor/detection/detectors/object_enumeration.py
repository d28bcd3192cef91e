"""Object enumeration (BOLA): in: transactions; out: detections of identities that read far more than their own objects.

Objects are the ids in a request's target, counted by identity (account, token, else address) and endpoint over a day,
so that a slow walk adds up like a fast one. An identity is compared with others of its role on that endpoint: an agent
who looks up customers all day is no customer. Where hardly anyone else uses the endpoint it is compared with what
others of its role read anywhere; where there is nobody to compare with, only a pace far above its own counts. The one
law: who is compared has a role that the token names; without roles it takes a walk in order, refusals, a pace that no
person has, or several times as much.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import ObjectEnumerationSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.detectors.object_enumeration_cohorts_kernel import BINS, COHORT, READER
from sensor.detection.detectors.object_enumeration_kernel import (
    HIT,
    LISTED,
    OBJECTS,
    WORDS,
    Grade,
    Progress,
    find_enumeration,
)
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.kept import Kept
from sensor.limits import IDENTITIES_MAX
from sensor.structures.entity_table import EntityTable

ENUMERATION = Rule(
    id="object-enumeration",
    version=1,
    title="Object enumeration: one identity reads far more objects than others of its role",
    category="authorisation",
    kind=Kind.ATTACK,
    severity=Severity.HIGH,
    owasp=("API1:2023",),
    attack=("T1213", "T1087"),
)
COMPARED_WITH = {
    Grade.PEERS: "what nine in ten others of its role have read",
    Grade.PROBING: "the objects that were answered",
    Grade.ALONE: "its own busiest minute before",
    Grade.PACED: "what nine in ten others have read, as its role is not known and it reads at a program's pace",
    Grade.ROLELESS: "what nine in ten others have read, who have roles as it has none",
    Grade.ELSEWHERE: "what nine in ten others of its role have read of any endpoint, as hardly anyone uses this one",
}
UNITS = {
    Grade.PEERS: "different objects answered",
    Grade.PROBING: "different objects refused",
    Grade.ALONE: "new objects a minute",
    Grade.PACED: "different objects answered",
    Grade.ROLELESS: "different objects answered",
    Grade.ELSEWHERE: "different objects answered",
}
CONFIDENCE = {
    Grade.PEERS: 0.9, Grade.PROBING: 0.8, Grade.ALONE: 0.5, Grade.PACED: 0.6, Grade.ROLELESS: 0.6, Grade.ELSEWHERE: 0.6,
}  # fmt: skip
SEVERITY = {
    Grade.PEERS: None, Grade.PROBING: Severity.MEDIUM, Grade.ALONE: Severity.MEDIUM, Grade.PACED: Severity.MEDIUM,
    Grade.ROLELESS: Severity.MEDIUM, Grade.ELSEWHERE: Severity.MEDIUM,
}  # fmt: skip


def _thresholds(settings: ObjectEnumerationSettings) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The settings in the order of Threshold."""
    return np.array(
        [
            nanoseconds(settings.window_seconds),
            settings.objects_min,
            settings.ratio_min,
            settings.peers_min,
            nanoseconds(settings.known_seconds),
            settings.unknown_role_factor,
            settings.refused_min,
            settings.alone_per_minute_min,
            settings.alone_ratio_min,
            nanoseconds(REPORT_SECONDS),
            nanoseconds(settings.refused_seconds),
            settings.paced_per_minute_min,
            settings.paced_factor,
            settings.roleless_factor,
        ],
        np.float64,
    )


class ObjectEnumeration(Kept):
    """See the file's head; settings: ObjectEnumerationSettings."""

    rules = (ENUMERATION,)

    def __init__(self, settings: ObjectEnumerationSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = _thresholds(settings)
        self.cohorts = np.zeros(settings.cohorts_max, COHORT)
        self.histograms = np.zeros(settings.cohorts_max * BINS, np.int32)
        self.pairs, self.bitmaps = ByRow(OBJECTS), ByRow(np.uint64, WORDS)
        self.listed, self.readers = ByRow(LISTED), ByRow(READER, rows_max=IDENTITIES_MAX)
        super().__init__(
            "cohort_rows", EntityTable(settings.cohorts_max),
            {"cohorts": self.cohorts, "histograms": self.histograms},
            {"pairs": self.pairs, "bitmaps": self.bitmaps, "listed": self.listed, "readers": self.readers}, HIT,
            Progress.TALLY + BINS,
        )  # fmt: skip

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        shared, identities = batch.tables.identity_endpoint, batch.tables.identity
        columns = (
            self.pairs.of(shared), self.bitmaps.of(shared), shared.generations, batch.tables.endpoint.generations
        )  # fmt: skip
        self.sweep(
            len(batch.transactions),
            lambda start: find_enumeration(
                batch.transactions, batch.entities, start, *columns, *self.table.arrays, self.cohorts,
                self.histograms, self.listed.of(identities), self.readers.of(identities), identities.generations,
                self.thresholds, self.hits, self.progress,
            ),
            lambda hit: detections.extend(() if self._stores(hit, batch) else (self._detection(hit, batch),)),
        )  # fmt: skip
        return detections

    def _stores(self, hit: Any, batch: Batch) -> bool:
        """Whether somebody whom nobody can be compared with stores objects: he reads none, however fast he is."""
        alone = hit["grade"] == Grade.ALONE or (hit["grade"] == Grade.ELSEWHERE and 2 * hit["steps"] < hit["seen"])
        return alone and self.strings.text(int(batch.transactions["method"][hit["row"]])) == "PUT"

    def _detection(self, hit: Any, batch: Batch) -> Detection:
        transaction = batch.transactions[hit["row"]]
        grade = Grade(int(hit["grade"]))
        entity = identity_of(transaction, int(batch.entities["identity_kind"][hit["row"]]))
        seen, refused, steps = int(hit["seen"]), int(hit["refused"]), int(hit["steps"])
        observed = {Grade.PROBING: refused, Grade.ALONE: int(hit["minute"])}.get(grade, seen)
        return detection_of(
            transaction,
            self.strings,
            ENUMERATION,
            entity,
            Numbers(
                observed=float(observed), threshold=float(hit["threshold"]), unit=UNITS[grade],
                window_seconds=self.settings.window_seconds, baseline=float(hit["usual"]),
            ),
            count=seen + refused,
            run=f"{entity.value} {self.strings.text(int(transaction['endpoint']))}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            severity=SEVERITY[grade],
            confidence=CONFIDENCE[grade],
            details={
                "compared_with": COMPARED_WITH[grade],
                "peers": int(hit["peers"]),
                "objects_answered": seen,
                "objects_refused": refused,
                "in_sequence": round(steps / max(seen, 1), 2),
                "role_known": bool(transaction["role"]),
            },
        )  # fmt: skip
