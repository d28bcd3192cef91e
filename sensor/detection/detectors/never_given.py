"""Objects that an identity was never given (BOLA): in: transactions and answers; out: detections of who reads them.

In many APIs one reads what a list, a search or the answer to a creation named before. Where that is so is learned for
each endpoint whose path has one id: identities whose reads there are nearly all of ids that answers gave to them are
its faithful readers. Who reads many others there, unlike them, has his ids from elsewhere: counting, a leak, another's
list. The one law: where too few are faithful, answers were not seen whole, or several others do alike, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import NeverGivenSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.detectors.never_given_ids_kernel import BLOCK, HALF_WORDS, SHAPES
from sensor.detection.detectors.never_given_kernel import GRAVE, HIT, LOST, Progress, find_never_given
from sensor.detection.detectors.never_given_votes_kernel import COHORT, FAMILY, READER
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.kept import Kept
from sensor.schema import CONTENT, Wanted
from sensor.structures.entity_table import EntityTable
from sensor.structures.memory import State, copy_fields

NEVER_GIVEN = Rule(
    id="objects-never-given",
    version=1,
    title="Objects never given: one identity reads objects whose ids no answer gave to it, unlike all others",
    category="authorisation",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API1:2023",),
    attack=("T1213", "T1087"),
)
_SEED = 0x6A09E667F3BCC908
"""Of the filters' hashes, the same in every run, so that what seems noted by chance is the same as well."""
_BITS = 2 * HALF_WORDS
_AWAY_NS = nanoseconds(600.0)
"""Packet time after which, over a restart, what was given is not known well enough."""


class NeverGiven(Kept):
    """See the file's head; settings: NeverGivenSettings."""

    rules = (NEVER_GIVEN,)

    def __init__(self, settings: NeverGivenSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.wanted = Wanted(response_head=True, response_body=settings.body_bytes)
        self.thresholds = np.array(
            [
                nanoseconds(settings.window_seconds), settings.ids_min, settings.share_min, settings.faithful_min,
                settings.faithful_share_min, settings.others_max, nanoseconds(REPORT_SECONDS),
            ],
            np.float64,
        )  # fmt: skip
        self.cohorts = np.zeros(settings.cohorts_max, COHORT)
        self.families, self.readers = ByRow(FAMILY), ByRow(READER)
        self.blocks = np.zeros(settings.identities_max, BLOCK)
        self.bits = np.zeros(settings.identities_max * _BITS, np.uint64)
        self.shapes, self.lost = np.zeros(SHAPES, np.uint8), np.zeros(LOST, np.uint64)
        super().__init__(
            "never_given_cohorts", EntityTable(settings.cohorts_max), {"cohorts": self.cohorts},
            {"families": self.families, "readers": self.readers}, HIT, len(Progress),
        )  # fmt: skip
        self.progress[Progress.SEED] = _SEED
        self._unseen = np.zeros(0, CONTENT)
        self._restored = False

    @property
    def evicted(self) -> int:
        """Endpoints with a role that gave way, and identities that lost or did not get what they were given."""
        return self.table.evicted + int(self.progress[Progress.DEMOTED] + self.progress[Progress.REFUSED])

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        tables, strings = batch.tables, self.strings.tables
        columns = (
            tables.identity.generations, tables.endpoint.generations, tables.identity_endpoint.generations,
            self.families.of(tables.endpoint), self.readers.of(tables.identity_endpoint),
        )  # fmt: skip
        contents = self._contents(batch)
        if self._restored and len(batch.transactions):
            self._restored = False
            now = int(batch.transactions["now"][0])
            if now - int(self.progress[Progress.LATEST]) > _AWAY_NS:
                self.progress[Progress.SINCE] = now
        self.progress[Progress.LATEST] = batch.now
        self.sweep(
            len(batch.transactions),
            lambda start: find_never_given(
                batch.transactions, batch.entities, contents, batch.arena, start, strings.entries, strings.bytes,
                *columns, self.blocks, self.bits, self.shapes, self.lost, *self.table.arrays, self.cohorts,
                self.thresholds, self.hits, self.progress,
            ),
            lambda hit: detections.append(self._detection(hit, batch)),
        )  # fmt: skip
        return detections

    def _contents(self, batch: Batch) -> npt.NDArray[np.void]:
        """The batch's contents; when none were kept, rows that say so."""
        if len(batch.contents) == len(batch.transactions):
            return batch.contents
        if len(self._unseen) < len(batch.transactions):
            self._unseen = np.zeros(len(batch.transactions), CONTENT)
        return self._unseen

    def _detection(self, hit: Any, batch: Batch) -> Detection:
        transaction = batch.transactions[hit["row"]]
        entity = identity_of(transaction, int(batch.entities["identity_kind"][hit["row"]]))
        ungiven, reads, threshold = int(hit["ungiven"]), int(hit["reads"]), float(hit["threshold"])
        others, faithful = int(hit["others"]), int(hit["faithful"])
        return detection_of(
            transaction,
            self.strings,
            NEVER_GIVEN,
            entity,
            Numbers(
                observed=float(ungiven), threshold=threshold, unit="objects never given",
                window_seconds=self.settings.window_seconds, baseline=0.0,
            ),
            count=ungiven,
            run=f"{entity.value} {self.strings.text(int(transaction['endpoint']))}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            severity=Severity.HIGH if ungiven >= GRAVE * threshold else None,
            confidence=0.7,
            details={
                "objects_read": reads,
                "share_never_given": round(ungiven / max(reads, 1), 2),
                "others": others,
                "others_who_read_what_they_were_given": faithful,
            },
        )  # fmt: skip

    def state(self) -> State:
        """See Kept; of blocks those that are somebody's."""
        used = np.flatnonzero(self.blocks["owner"])
        return {
            **super().state(), "figures": self.progress, "shapes": self.shapes, "lost": self.lost, "at": used,
            "blocks": self.blocks[used], "bits": self.bits.reshape(-1, _BITS)[used],
        }  # fmt: skip

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        used = saved["at"]
        bits = self.bits.reshape(-1, _BITS)
        fits = saved["figures"].shape == self.progress.shape and saved["shapes"].shape == self.shapes.shape
        fits = fits and saved["bits"].shape == (len(used), _BITS) and not (used >= len(self.blocks)).any()
        if not fits or not super().restore(saved):
            return False
        self.progress[:], self.shapes[:], self.lost[:] = saved["figures"], saved["shapes"], saved["lost"]
        blocks = self.blocks[used]
        copy_fields(saved["blocks"], blocks)
        self.blocks[used], bits[used] = blocks, saved["bits"]
        self._restored = True
        return True
