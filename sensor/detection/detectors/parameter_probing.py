"""Guessed parameters: in: transactions; out: detections of clients that try ever new names of query parameters.

Servers take no notice of a parameter that they do not know, so that nothing fails: what tells is that nobody asked with
these names before, and that hardly anything else is asked. The one law: a name counts once, for who sent it first, and
none while the watching has only begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import ParameterProbingSettings
from sensor.detection.detector import Batch, Strings, nanoseconds, sweep
from sensor.detection.detectors.parameter_probing_kernel import NAMES_MAX, Met, Progress, find_new_names
from sensor.detection.suspects import Probing, Suspect, told

RULE = Rule(
    id="parameter-probing",
    version=1,
    title="One client tries many names of parameters that nobody else sends",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API8:2023", "API3:2023"),
    attack=("T1595.003",),
)
_KNOWN_BITS = 1 << 20
"""Of each of two bitmaps of names."""
_ROOM = 16 * NAMES_MAX
_REQUESTS_MIN = 6
"""Requests with new names: one form may have many."""


class ParameterProbing(Probing):
    """See the file's head; settings: ParameterProbingSettings."""

    rules = (RULE,)

    def __init__(self, settings: ParameterProbingSettings, strings: Strings) -> None:
        super().__init__(settings.clients_max, settings.window_seconds, settings.names_min // 2)
        self.settings, self.strings = settings, strings
        self.faults = 0
        self._began = np.zeros(1, np.int64)
        self._read = np.zeros(len(strings.tables.entries), np.uint64)
        self._known = np.zeros(2 * _KNOWN_BITS // 64, np.uint64)
        self._met = np.zeros(len(Met), np.int64)
        self._rows, self._names = np.zeros(_ROOM, np.int64), np.zeros(_ROOM, np.uint64)
        self._progress = np.zeros(len(Progress), np.int64)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super().state(), "known": self._known, "met": self._met, "began": self._began}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        known, met, began = (saved.get(name) for name in ("known", "met", "began"))
        if known is None or met is None or began is None or known.shape != self._known.shape:
            return False
        if not super().restore(saved):
            return False
        self._known[:], self._met[:], self._began[:] = known, met, began
        return True

    def look(self, batch: Batch) -> Iterator[Detection]:
        rows = batch.transactions
        if not len(rows):
            return
        self._began[0] = self._began[0] or rows["now"][0]
        known_from = int(self._began[0]) + nanoseconds(self.settings.known_seconds)
        for place, names in self._new(batch).items():
            row = rows[place]
            if int(row["now"]) < known_from or not 200 <= row["status_code"] < 400:
                continue
            request = int(row["flow"]) << 20 | int(row["trans_depth"])
            noted = [self.suspects.note(place, name, (request, 0)) for name in names]
            if noted[-1] is not None:
                yield from self._judge(noted[-1], row)

    def _new(self, batch: Batch) -> dict[int, list[int]]:
        """New names by the row that has them."""
        found: dict[int, list[int]] = {}
        pool = self.strings.tables

        def collect(count: int) -> None:
            for place, name in zip(self._rows[:count].tolist(), self._names[:count].tolist(), strict=True):
                found.setdefault(place, []).append(name >> 1)

        self.faults += sweep(
            lambda start: find_new_names(
                batch.transactions, pool.entries, pool.bytes, start, self._read, self._known, self._met, self._rows,
                self._names, self._progress,
            ),
            len(batch.transactions), self._progress, collect,
        )  # fmt: skip
        return found

    def _judge(self, suspect: Suspect, row: Any) -> list[Detection]:
        tried = len(suspect.tries)
        if tried < self.settings.names_min or suspect.share < self.settings.share_min:
            return []
        if len({request for _, request, _ in suspect.tries.values()}) < _REQUESTS_MIN:
            return []
        usual = self.suspects.usual(suspect, int(row["now"]))
        threshold = max(float(self.settings.names_min), self.settings.ratio_min * usual)
        if tried < threshold:
            return []
        numbers = Numbers(
            observed=float(tried), threshold=threshold, unit="new names of parameters",
            window_seconds=self.settings.window_seconds, baseline=usual,
        )  # fmt: skip
        details = {"share_of_requests": round(suspect.share, 2)}
        return told(suspect, row, self.strings, RULE, numbers, details, confidence=0.7)
