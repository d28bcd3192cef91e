"""The anomaly model: in: transactions with their entities; out: identities whose hour is unlike the hours known.

Of each identity and hour ten figures are kept. Once a day an isolation forest (Liu, Ting and Zhou, 2008) learns what
the hours so far were like; an hour that it isolates sooner than nearly all of them is told, with the figures furthest
from their median. It is a hint, never more than low: it sees what no rule was written for. Off unless it is enabled;
needs scikit-learn: pip install tapir-sensor[anomaly]. The one law: the same rows give the same scores, whatever the
batches: hours end in packet time, and the forest's random numbers are fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import AnomalySettings
from sensor.detection.detector import Batch, Strings, Table
from sensor.detection.evidence import address_text
from sensor.errors import SettingError
from sensor.structures.entity_tables import EntityTables

RULE = Rule(
    id="unusual-hour",
    version=1,
    title="Anomaly: an identity's hour is unlike the hours known of all",
    category="anomaly",
    kind=Kind.BEHAVIOUR,
    severity=Severity.LOW,
)
HOUR_NS = 3_600_000_000_000
MINUTE_NS = HOUR_NS // 60
SUMS = ("requests", "response_bytes", "request_bytes", "records", "objects", "server_errors", "refusals", "changes")
MASKS = ("endpoints", "busy_minutes")
FIGURES = (*SUMS, *MASKS)
TOLD_FIGURES = 3
Array = npt.NDArray[Any]


def _forest() -> Any:
    try:
        from sklearn.ensemble import IsolationForest
    except ImportError as error:
        raise SettingError(
            "detection.anomaly.enabled needs scikit-learn: pip install tapir-sensor[anomaly], or set it to false"
        ) from error
    return IsolationForest(n_estimators=100, max_samples=256, random_state=1, n_jobs=1)


def _columns(rows: Table, changing: Array) -> list[Array]:
    """What each row adds to SUMS."""
    status = rows["status_code"]
    return [
        np.ones(len(rows)), rows["response_body_len"], rows["request_body_len"], np.maximum(rows["records"], 0),
        rows["object_id"] != 0, status >= 500, (status == 401) | (status == 403) | (status == 404), changing,
    ]  # fmt: skip


class Anomaly:
    """See the file's head; settings: AnomalySettings."""

    rules = (RULE,)
    faults = 0
    evicted = 0

    def __init__(self, settings: AnomalySettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.forest: Any = None
        self.known: Array = np.zeros((0, len(FIGURES)))
        self.taught = self.known  # those that the forest has learned
        self.limit = 0.0
        self.sums: Array = np.zeros((0, len(SUMS)))
        self.masks: Array = np.zeros((0, len(MASKS)), np.uint64)
        self.hour, self.day = 0, 0
        if settings.enabled:
            _forest()

    def process(self, batch: Batch) -> list[Detection]:
        """Judges the hours that end with a row of this batch."""
        rows = batch.transactions
        detections: list[Detection] = []
        if not len(rows):
            return []
        if not len(self.sums):
            identities = batch.tables.identity.rows
            self.sums = np.zeros((identities, len(SUMS)))
            self.masks = np.zeros((identities, len(MASKS)), np.uint64)
        hours = rows["now"] // HOUR_NS
        edges = [0, *(np.flatnonzero(np.diff(hours)) + 1).tolist(), len(rows)]
        for start, stop in pairwise(edges):
            if hours[start] > self.hour:
                detections += self._end_hour(int(rows["now"][start]), batch.tables)
                self.hour = int(hours[start])
            self._add(rows[start:stop], batch.entities[start:stop])
        return detections

    def _add(self, rows: Table, entities: Table) -> None:
        codes = np.unique(rows["method"])
        changing = [code for code in codes.tolist() if self.strings.text(code) not in ("GET", "HEAD", "OPTIONS")]
        who, whose = np.unique(entities["identity"], return_inverse=True)
        columns = _columns(rows, np.isin(rows["method"], changing))
        self.sums[who] += np.stack([np.bincount(whose, column, len(who)) for column in columns], axis=1)
        one = np.uint64(1)
        places = (entities["endpoint"] % 64, rows["now"] % HOUR_NS // MINUTE_NS)
        for mask, place in enumerate(places):
            np.bitwise_or.at(self.masks[:, mask], entities["identity"], one << place.astype(np.uint64))

    def _end_hour(self, now: int, tables: EntityTables) -> list[Detection]:
        """Judge the hour that is over, and learn once a day."""
        who = np.flatnonzero(self.sums[:, 0])
        figures = np.log1p(np.concatenate([self.sums[who], np.bitwise_count(self.masks[who])], axis=1))
        self.sums[who] = 0
        self.masks[who] = 0
        detections: list[Detection] = []
        if self.forest is not None and len(who):
            scores = -self.forest.score_samples(figures)
            for place in np.flatnonzero(scores > self.limit).tolist():
                key = tables.identity.key(int(who[place]))
                detections.append(self._detection(now, key, figures[place], float(scores[place])))
        self.known = np.concatenate([self.known, figures])[-self.settings.hours_max :]
        if now // (24 * HOUR_NS) > self.day and len(self.known) >= self.settings.hours_min:
            self.day = now // (24 * HOUR_NS)
            self._learn(self.known)
        return detections

    def _learn(self, known: Array) -> None:
        self.taught = known
        self.forest = _forest().fit(known)
        self.limit = float(np.quantile(-self.forest.score_samples(known), 1 - self.settings.part))

    def _detection(self, now: int, key: tuple[int, int, int, int], figures: Array, score: float) -> Detection:
        middle = np.median(self.taught, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(self.taught - middle), axis=0), 0.25)
        away = (figures - middle) / spread
        furthest = np.argsort(-np.abs(away), kind="stable")[:TOLD_FIGURES].tolist()
        return Detection(
            now=now,
            rule=RULE,
            entity=Entity("user" if key[2] else "client", f"{key[0]:016x}" if key[2] else address_text(key[0], key[1])),
            numbers=Numbers(
                observed=round(score, 4), threshold=round(self.limit, 4), unit="isolation score", window_seconds=3_600.0
            ),
            count=round(float(np.expm1(figures[0]))),
            run=str(self.hour),
            first_ts=self.hour * HOUR_NS,
            last_ts=(self.hour + 1) * HOUR_NS - 1,
            confidence=0.3,
            details={
                FIGURES[i]: {
                    "observed": round(float(np.expm1(figures[i]))), "usual": round(float(np.expm1(middle[i])), 1),
                    "deviations": round(float(away[i]), 1),
                }
                for i in furthest
            },
        )  # fmt: skip

    def state(self) -> dict[str, Array]:
        """The hours known, and what is known of the present one; the forest is learned again from them."""
        learned = np.array([self.hour, self.day], np.int64)
        return {
            "known": self.known, "taught": self.taught, "learned": learned, "sums": self.sums, "masks": self.masks
        }  # fmt: skip

    def restore(self, saved: Mapping[str, Array]) -> bool:
        """False when the figures are others now."""
        if saved["known"].shape[1:] != self.known.shape[1:] or saved["sums"].shape[1:] != self.sums.shape[1:]:
            return False
        self.known, self.sums, self.masks = saved["known"].copy(), saved["sums"].copy(), saved["masks"].copy()
        self.hour, self.day = (int(number) for number in saved["learned"])
        if len(saved["taught"]):
            self._learn(saved["taught"].copy())
        return True
