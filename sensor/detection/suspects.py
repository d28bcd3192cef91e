"""Clients that try many different things: in: rows of tries; out: what each client has tried, and how much of all that
it asks for this is.

Who has tried enough to be suspected is watched from then on: how many of its requests are tries. The one law: what is
known at a row does not depend on how rows were cut into batches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Numbers, Rule, Severity
from sensor.detection.allowance import Allowance, Saved
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds, worth_saying
from sensor.detection.evidence import address, detection_of

_TRIES_MAX = 256
"""Tries of a client that are remembered, the latest."""
_OTHERS_MIN, _OTHERS_MAX = 3, 64


class Suspect(msgspec.Struct):
    """`tries`: what was tried (a hash), and of the last time packet time and two figures on the answer."""

    tries: dict[int, tuple[int, int, int]] = msgspec.field(default_factory=dict)
    first_ts: int = 0
    told_now: int = 0
    told_count: int = 0
    suspected: bool = False
    asked: int = 0
    """Tries since it is suspected."""
    requests: int = 0
    """Requests of any kind since then."""

    @property
    def share(self) -> float:
        """Tries of all its requests since it is suspected."""
        return self.asked / max(self.requests, self.asked, 1)


class _Words(msgspec.Struct):
    clients: dict[str, Suspect]
    looks: Saved


class Suspects:
    """At most `clients_max` of them; tries are forgotten after `window_seconds`, `suspected_from` make a suspect."""

    def __init__(self, clients_max: int, window_seconds: float, suspected_from: int) -> None:
        self._most, self._window_ns, self._from = clients_max, nanoseconds(window_seconds), max(suspected_from, 2)
        self._clients: dict[str, Suspect] = {}
        self._gone = 0
        self._allowance = Allowance()
        self._batch: Batch | None = None
        self._rows: dict[str, npt.NDArray[np.intp]] = {}  # of this batch, behind those that are counted

    @property
    def evicted(self) -> int:
        return self._gone + self._allowance.refused

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"words": packed(_Words(self._clients, self._allowance.state()))}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "words", _Words)
        if words is None:
            return False
        self._clients = words.clients
        self._allowance.restore(words.looks)
        return True

    def begin(self, batch: Batch) -> None:
        self._batch, self._rows = batch, {}

    def end(self) -> None:
        """Count what the suspects have asked for in the rest of the batch."""
        assert self._batch is not None
        rows = len(self._batch.transactions)
        for key, suspect in self._clients.items():
            if suspect.suspected and rows:
                self._advance(key, suspect, rows)
        self._allowance.passed(rows)

    def note(self, place: int, what: int, figures: tuple[int, int]) -> Suspect | None:
        """One more try, in row `place`; None when there is no time to look at it."""
        assert self._batch is not None
        row = self._batch.transactions[place]
        now, key = int(row["now"]), client_key(row)
        if not self._allowance.affords(place, now):
            return None
        suspect = self._clients.pop(key, None)
        if suspect is None:
            if len(self._clients) >= self._most:
                del self._clients[next(iter(self._clients))]
                self._gone += 1
            suspect = Suspect()
        self._clients[key] = suspect
        tries = suspect.tries
        tries.pop(what, None)
        tries[what] = now, *figures
        while tries[first := next(iter(tries))][0] < now - self._window_ns or len(tries) > _TRIES_MAX:
            del tries[first]
        if len(tries) == 1:
            suspect.first_ts = int(row["ts"])
        if suspect.suspected:
            self._advance(key, suspect, place + 1)
            suspect.asked += 1
        if suspect.suspected != (len(tries) >= self._from):
            suspect.suspected = not suspect.suspected
            suspect.asked = suspect.requests = 0
            self._rows[key] = self._of(key, place + 1)
        return suspect

    def latest(self, row: Any) -> tuple[int, int, int] | None:
        """The last try of the client whose row it is."""
        suspect = self._clients.get(client_key(row))
        return next(reversed(suspect.tries.values())) if suspect else None

    def _advance(self, key: str, suspect: Suspect, stop: int) -> None:
        """Count the client's requests before row `stop`."""
        if key not in self._rows:
            self._rows[key] = self._of(key, 0)
        counted = int(np.searchsorted(self._rows[key], stop))
        suspect.requests += counted
        self._rows[key] = self._rows[key][counted:]

    def _of(self, key: str, start: int) -> npt.NDArray[np.intp]:
        """The rows of a client from `start` on."""
        assert self._batch is not None
        rows = self._batch.transactions[start:]
        hi, lo = map(int, key.split())
        mine = rows["client_lo"] == np.uint64(lo) if hi == 0 else rows["client_hi"] == np.uint64(hi)
        return np.flatnonzero(mine) + start

    def _others(self, suspect: Suspect, now: int) -> list[Suspect]:
        """Those that have tried something lately."""
        others: list[Suspect] = []
        for other in reversed(self._clients.values()):
            if len(others) == _OTHERS_MAX or next(reversed(other.tries.values()))[0] < now - self._window_ns:
                break
            if other is not suspect:
                others.append(other)
        return others

    def usual(self, suspect: Suspect, now: int) -> float:
        """What half of the others have tried lately; 0 when they are too few to tell."""
        tried = [len(other.tries) for other in self._others(suspect, now)]
        return float(np.median(tried)) if len(tried) >= _OTHERS_MIN else 0.0

    def is_common(self, suspect: Suspect, now: int, figure: int) -> bool:
        """Whether several others had this figure more than once lately."""
        others = self._others(suspect, now)
        return sum(sum(each[1] == figure for each in other.tries.values()) > 1 for other in others) >= _OTHERS_MIN


class Probing(ABC):
    """A detector of such clients: what those share whose tries are of different kinds."""

    faults = 0

    def __init__(self, clients_max: int, window_seconds: float, suspected_from: int) -> None:
        self.suspects = Suspects(clients_max, window_seconds, suspected_from)

    @property
    def evicted(self) -> int:
        return self.suspects.evicted

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return self.suspects.state()

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        return self.suspects.restore(saved)

    def process(self, batch: Batch) -> list[Detection]:
        self.suspects.begin(batch)
        detections = list(self.look(batch))
        self.suspects.end()
        return detections

    @abstractmethod
    def look(self, batch: Batch) -> Iterator[Detection]:
        """Note the tries of a batch, in the order of its rows; what is to be told of them."""


def one_of(*statuses: int) -> npt.NDArray[np.bool_]:
    """Which status codes these are, by code: a look-up where np.isin would sort."""
    table = np.zeros(1 << 16, np.bool_)
    table[list(statuses)] = True
    return table


def client_key(row: Any) -> str:
    """A client's address, IPv6 as /64."""
    hi = int(row["client_hi"])
    return f"{hi} {int(row['client_lo']) if hi == 0 else 0}"


def told(
    suspect: Suspect, row: Any, strings: Strings, rule: Rule, numbers: Numbers, details: dict[str, Any],
    severity: Severity | None = None, confidence: float = 0.8,
) -> list[Detection]:  # fmt: skip
    """The detection of a client that tries too much, when it is worth saying."""
    now, tried = int(row["now"]), len(suspect.tries)
    if not worth_saying(now, tried, suspect.told_now, suspect.told_count):
        return []
    suspect.told_now, suspect.told_count = now, tried
    return [
        detection_of(
            row, strings, rule, Entity("client", address(row, "client")), numbers, count=tried,
            run=str(suspect.first_ts), first_ts=suspect.first_ts, severity=severity, confidence=confidence,
            details=details,
        )
    ]  # fmt: skip
