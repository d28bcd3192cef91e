"""Provoked errors: in: transactions; out: detections of clients to whom ever other requests are answered with errors.

Who tries values until something breaks gets 400, 422 or 500 for different targets, or bodies of different lengths. The
one law: a request that fails again and again is a program with a fault, and so are requests of one shape; an endpoint
that fails for several clients does so by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import ErrorProbingSettings
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.suspects import Probing, Suspect, client_key, one_of, told
from sensor.schema import TransactionFlag

RULE = Rule(
    id="error-probing",
    version=1,
    title="One client provokes errors with ever other requests",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API8:2023",),
    attack=("T1595.002", "T1190"),
)
_PROVOKED = one_of(400, 406, 413, 414, 415, 416, 422, 431, 500)
_BROKEN = 500
_LENGTHS_MIN, _ENDPOINTS_MIN, _RISING = 3, 3, 0.8
"""Lengths of the targets, or endpoints for bodies, that are several ways to try; and the part of targets that follow on
one another when they are a time or a counter.
"""
_VALUE_BYTES = 7
_STEP = 5
"""Tries after which a suspect is judged again."""
_OTHERS_MIN, _OTHERS_RATIO = 3, 10
"""Others for whom an endpoint fails by itself; of what is no 500, times what half of them have."""
_ENDPOINTS_MAX, _CLIENTS_MAX = 1_024, 16
"""Endpoints of which is remembered for whom they failed last."""

Fails = dict[int, dict[str, tuple[int, int]]]
"""By endpoint and client: packet time of the last error, and errors."""


class ErrorProbing(Probing):
    """See the file's head; settings: ErrorProbingSettings."""

    rules = (RULE,)

    def __init__(self, settings: ErrorProbingSettings, strings: Strings) -> None:
        super().__init__(settings.clients_max, settings.window_seconds, settings.requests_min // 2)
        self.settings, self.strings = settings, strings
        self._fails: Fails = {}
        self._broken_until: dict[int, int] = {}  # endpoints that fail by themselves: no 500 of theirs is looked at

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super().state(), "fails": packed(self._fails)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        fails = unpacked(saved, "fails", Fails)
        if fails is None or not super().restore(saved):
            return False
        self._fails = fails
        for endpoint, clients in fails.items():
            self._note_broken(endpoint, clients)
        return True

    def look(self, batch: Batch) -> Iterator[Detection]:
        rows = batch.transactions
        provoked = batch.failed[_PROVOKED[batch.status[batch.failed]]]
        provoked = provoked[rows["flags"][provoked] & TransactionFlag.LOGIN == 0]
        broken, nows = (batch.status[provoked] == _BROKEN).tolist(), rows["now"][provoked].tolist()
        endpoints = (self.strings.tables.entries["hash"][rows["endpoint"][provoked]] >> np.uint64(1)).tolist()
        for place, endpoint, now, is_broken in zip(provoked.tolist(), endpoints, nows, broken, strict=True):
            if is_broken and now <= self._broken_until.get(endpoint, 0):
                continue
            row = rows[place]
            what, shape = self._request(row)
            suspect = self.suspects.note(place, what, (endpoint << 1 | is_broken, shape))
            if suspect is not None:
                self._note(endpoint, client_key(row), int(row["now"]))
                yield from self._judge(suspect, row)

    def _request(self, row: Any) -> tuple[int, int]:
        """What tells a request from others, and its shape: the target's length and the first letters of its last value;
        negative, the endpoint when it has a body.
        """
        entries = self.strings.tables.entries
        target = int(entries["hash"][row["uri"]])
        if row["request_body_len"] > 0:
            return target ^ int(row["request_body_len"]), -1 - (int(entries["hash"][row["endpoint"]]) >> 1)
        text = self.strings.text(int(row["uri"]))
        value = text[max(text.rfind("="), text.rfind("/")) + 1 :].encode(errors="replace")[:_VALUE_BYTES]
        letters = int.from_bytes(value.ljust(_VALUE_BYTES, b"\0"), "big")
        return target, min(len(text), 127) << 8 * _VALUE_BYTES | letters

    def _note(self, endpoint: int, client: str, now: int) -> None:
        """An endpoint failed for a client."""
        fails = self._fails.pop(endpoint, {})
        if len(self._fails) >= _ENDPOINTS_MAX:
            oldest = next(iter(self._fails))
            del self._fails[oldest]
            self._broken_until.pop(oldest, None)
        self._fails[endpoint] = fails
        last, count = fails.pop(client, (0, 0))
        fails[client] = now, 1 + (count if now - last < nanoseconds(self.settings.window_seconds) else 0)
        if len(fails) > _CLIENTS_MAX:
            del fails[next(iter(fails))]
        self._note_broken(endpoint, fails)

    def _note_broken(self, endpoint: int, fails: dict[str, tuple[int, int]]) -> None:
        """Until when an endpoint fails for enough clients for any one of them to have enough others."""
        if len(fails) > _OTHERS_MIN:
            lasts = sorted(last for last, _ in fails.values())
            self._broken_until[endpoint] = lasts[-1 - _OTHERS_MIN] + nanoseconds(self.settings.window_seconds)

    def _fails_by_itself(self, figure: int, tried: int, client: str, now: int) -> bool:
        """Whether an endpoint fails for others as well; `figure` is that of a try, of which the client had so many."""
        broken = figure & 1
        since = now - nanoseconds(self.settings.window_seconds)
        fails = self._fails.get(figure >> 1, {})
        others = sorted(count for key, (last, count) in fails.items() if key != client and last >= since)
        return len(others) >= _OTHERS_MIN and (bool(broken) or tried < _OTHERS_RATIO * others[len(others) // 2])

    def _judge(self, suspect: Suspect, row: Any) -> list[Detection]:
        least, now = self.settings.requests_min, int(row["now"])
        if len(suspect.tries) < least or suspect.asked % _STEP or suspect.share < self.settings.share_min:
            return []
        figures = Counter(each[1] for each in suspect.tries.values())
        client = client_key(row)
        own = {each for each, tried in figures.items() if not self._fails_by_itself(each, tried, client, now)}
        shapes = [shape for _, figure, shape in suspect.tries.values() if figure in own]
        broken = sum(figures[each] for each in own if each & 1)
        if len(shapes) < least or not (2 * broken >= len(shapes) or _varied(np.array(shapes, np.int64))):
            return []
        numbers = Numbers(
            observed=float(len(shapes)), threshold=float(least), unit="different requests answered with errors",
            window_seconds=self.settings.window_seconds,
        )  # fmt: skip
        details = {"answered_500": broken, "share_of_requests": round(suspect.share, 2)}
        return told(suspect, row, self.strings, RULE, numbers, details, confidence=0.7)


def _varied(shapes: npt.NDArray[np.int64]) -> bool:
    """Whether several things were tried, and not one that changes by itself, as a time does."""
    if len(np.unique(shapes[shapes < 0])) >= _ENDPOINTS_MIN:
        return True
    targets = shapes[shapes >= 0]
    if 2 * len(targets) < len(shapes):
        return False
    lengths = np.unique(targets >> 8 * _VALUE_BYTES)
    values = targets & ((1 << 8 * _VALUE_BYTES) - 1)
    return len(lengths) >= _LENGTHS_MIN or bool(np.mean(np.diff(values) >= 0) < _RISING)
