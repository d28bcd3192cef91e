"""Probing for virtual hosts: in: transactions; out: detections of clients that try host names at one server.

Names are tried when nobody asked for them before and the server knows none of them: it refuses nearly all, or answers
its front page, the same each time. The one law: a name counts once, for who asked for it first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import VhostProbingSettings
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.evidence import address, detection_of, host_name
from sensor.detection.findings import server_text

RULE = Rule(
    id="vhost-probing",
    version=1,
    title="One client tries many host names that a server does not know",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API9:2023",),
    attack=("T1595.003",),
)
_ALIKE = 0.9
"""Part of the tries that must have failed, or have had the same answer."""
_SHOWN = 5
_NAMES_MAX, _NAMES_PER_SECOND, _NAMES_PER_ROW = 2_000, 50.0, 1 / 40
"""New names that are looked at: saved up at most, and what a second of packet time and a transaction add."""


class Try(NamedTuple):
    """`answer` is (status, bytes of the body), bytes -1 of what is not the front page."""

    now: int
    ts: int
    host: str
    answer: tuple[int, int]


class _Words(NamedTuple):
    """All that is remembered; `earned` is what may be looked at, when that was known last, and rows since."""

    hosts: list[str]
    tries: dict[str, list[Try]]
    told: dict[str, tuple[int, int]]
    earned: tuple[float, int, int]


class VhostProbing:
    """See the file's head; settings: VhostProbingSettings."""

    rules = (RULE,)
    faults = 0

    def __init__(self, settings: VhostProbingSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.evicted = 0
        self._hosts: dict[str, None] = {}
        self._tries: dict[str, list[Try]] = {}
        self._told: dict[str, tuple[int, int]] = {}  # packet time and tries when it was told
        self._credits, self._rows = float(_NAMES_MAX), 0
        self._earned_now = self._earned_row = 0
        self._hashes = np.zeros(len(strings.tables.entries), np.uint64)  # of the host that a code was last

    def state(self) -> dict[str, npt.NDArray[Any]]:
        earned = self._credits, self._earned_now, self._rows - self._earned_row
        return {"words": packed(_Words(list(self._hosts), self._tries, self._told, earned))}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "words", _Words)
        if words is None:
            return False
        hosts, self._tries, self._told, (self._credits, self._earned_now, rows) = words
        self._rows, self._earned_row = rows, 0
        self._hosts = dict.fromkeys(hosts)
        return True

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        codes = np.ascontiguousarray(batch.transactions["host"])
        hashes = self.strings.tables.entries["hash"]
        for place in np.flatnonzero(self._hashes[codes] != hashes[codes]).tolist():
            code = int(codes[place])
            if self._hashes[code] == hashes[code]:
                continue
            self._hashes[code] = hashes[code]
            if not self._affords(self._rows + place, int(batch.transactions["now"][place])):
                self.evicted += 1
                continue
            host = host_name(self.strings.text(code)).lower()
            if host and host not in self._hosts:
                detections += self._new(host, batch.transactions[place])
        self._rows += len(codes)
        return detections

    def _affords(self, row: int, now: int) -> bool:
        """Whether one more name may be looked at: a flood of them must not cost more than all else."""
        seconds = max(now - self._earned_now, 0) / 1e9 if self._earned_now else 0.0
        earned = seconds * _NAMES_PER_SECOND + (row - self._earned_row) * _NAMES_PER_ROW
        self._credits = min(self._credits + earned, _NAMES_MAX)
        self._earned_now, self._earned_row = max(now, self._earned_now), row
        if self._credits < 1:
            return False
        self._credits -= 1
        return True

    def _new(self, host: str, row: Any) -> list[Detection]:
        """Somebody asks for a host that nobody asked for before."""
        if len(self._hosts) >= self.settings.hosts_max:
            del self._hosts[next(iter(self._hosts))]
            self.evicted += 1
        self._hosts[host] = None
        client, server = address(row, "client"), server_text(address(row, "server"), int(row["server_port"]))
        key = f"{client} {server}"
        tries = self._tries.pop(key, [])
        if not tries and len(self._tries) >= self.settings.clients_max:
            gone = next(iter(self._tries))
            del self._tries[gone]
            self._told.pop(gone, None)
            self.evicted += 1
        now = int(row["now"])
        front = self.strings.text(int(row["endpoint"])) == "/"
        size = int(row["response_body_len"]) if front else -1
        tries.append(Try(now, int(row["ts"]), host, (int(row["status_code"]), size)))
        since, old = now - nanoseconds(self.settings.window_seconds), max(len(tries) - self.settings.tries_max, 0)
        while tries[old].now <= since:
            old += 1
        del tries[:old]
        self._tries[key] = tries
        if len(tries) < self.settings.hosts_min or not self._is_due(key, now, len(tries)) or not _unknown(tries):
            return []
        self._told[key] = now, len(tries)
        return [self._detection(row, client, server, tries)]

    def _is_due(self, key: str, now: int, tries: int) -> bool:
        """Whether it is worth saying: first, when it has doubled, and now and then."""
        told_now, told_tries = self._told.get(key, (0, 0))
        return not told_now or tries >= 2 * told_tries or now - told_now >= nanoseconds(REPORT_SECONDS)

    def _detection(self, row: Any, client: str, server: str, tries: list[Try]) -> Detection:
        numbers = Numbers(
            observed=float(len(tries)), threshold=float(self.settings.hosts_min), unit="host names",
            window_seconds=self.settings.window_seconds,
        )  # fmt: skip
        status = Counter(each.answer[0] for each in tries).most_common(1)[0][0]
        details = {"server": server, "names": [each.host for each in tries[-_SHOWN:]], "usual_status": status}
        return detection_of(
            row, self.strings, RULE, Entity("client", client), numbers, count=len(tries), run=server,
            first_ts=tries[0].ts, confidence=0.8, details=details,
        )  # fmt: skip


def _unknown(tries: list[Try]) -> bool:
    """Whether the server knows none of the names: it refuses, or its front page is always the same."""
    least = _ALIKE * len(tries)
    refused = sum(each.answer[0] >= 400 for each in tries)
    fronts = Counter(each.answer for each in tries if each.answer[1] > 0 and each.answer[0] < 300)
    return refused >= least or max(fronts.values(), default=0) >= least
