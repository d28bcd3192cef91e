"""Method probing: in: transactions; out: detections of clients that try methods which are refused.

A method that nobody uses (TRACE, PROPFIND ...) is told of at low when it is refused. Several methods refused at several
endpoints, to one client more than to others, are deliberate. The one law: a page whose OPTIONS are refused everywhere,
and a service that takes no changes for a while, are no probing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import MethodProbingSettings
from sensor.detection.by_code import ByCode, each
from sensor.detection.detector import Batch, Strings
from sensor.detection.evidence import address, detection_of
from sensor.detection.suspects import Probing, Suspect, one_of, told

RULE = Rule(
    id="method-probing",
    version=2,
    title="Method probing: one client tries methods that are refused",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API8:2023",),
    attack=("T1595.002",),
)
_COMMON = frozenset({"", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_READS = frozenset({"", "GET", "POST", "HEAD"})
_REFUSED, _NOT_ALLOWED = one_of(400, 403, 404, 405, 501), one_of(405, 501)


class MethodProbing(Probing):
    """See the file's head; settings: MethodProbingSettings."""

    rules = (RULE,)

    def __init__(self, settings: MethodProbingSettings, strings: Strings) -> None:
        super().__init__(settings.clients_max, settings.window_seconds, settings.pairs_min // 2)
        self.settings, self.strings = settings, strings
        self._odd = ByCode(strings, each(lambda text: text not in _COMMON))
        self._changing = ByCode(strings, each(lambda text: text not in _READS))

    def look(self, batch: Batch) -> Iterator[Detection]:
        rows, refused = batch.transactions, batch.failed[_REFUSED[batch.status[batch.failed]]]
        methods, status = rows["method"][refused], batch.status[refused]
        odd = np.zeros(len(refused), np.bool_)
        odd[self._odd.passing(methods)] = True
        counted = _NOT_ALLOWED[status]
        forbidden = self._changing.passing(methods)
        counted[forbidden] |= status[forbidden] == 403
        for place, is_odd in zip(refused[odd | counted].tolist(), odd[odd | counted].tolist(), strict=True):
            entries = self.strings.tables.entries["hash"]
            method, endpoint = int(entries[rows["method"][place]]), int(entries[rows["endpoint"][place]])
            suspect = self.suspects.note(place, method ^ endpoint >> 1, (method >> 1, endpoint >> 1))
            deliberate = self._judge(suspect, rows[place]) if suspect else []
            yield from deliberate or ([self._single(rows[place])] if is_odd else ())

    def _judge(self, suspect: Suspect, row: Any) -> list[Detection]:
        pairs, methods = len(suspect.tries), len({each[1] for each in suspect.tries.values()})
        if pairs < self.settings.pairs_min or methods < self.settings.methods_min:
            return []
        usual = self.suspects.usual(suspect, int(row["now"]))
        threshold = max(float(self.settings.pairs_min), self.settings.ratio_min * usual)
        if pairs < threshold:
            return []
        numbers = Numbers(
            observed=float(pairs), threshold=threshold, unit="pairs of method and endpoint that were refused",
            window_seconds=self.settings.window_seconds, baseline=usual,
        )  # fmt: skip
        return told(suspect, row, self.strings, RULE, numbers, {"methods": methods})

    def _single(self, row: Any) -> Detection:
        """A method out of the ordinary that was refused: it folds with the others of its client."""
        numbers = Numbers(
            observed=1.0, threshold=1.0, unit="requests with methods that nobody uses", window_seconds=0.0
        )  # fmt: skip
        return detection_of(
            row, self.strings, RULE, Entity("client", address(row, "client")), numbers, count=1,
            run=f"{row['flow']}:{row['trans_depth']}", first_ts=int(row["ts"]), severity=Severity.LOW,
        )  # fmt: skip
