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
from sensor.detection.allowance import Allowance, Saved
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds, worth_saying
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


class Try(NamedTuple):
    """`answer` is (status, bytes of the body), bytes -1 of what is not the front page."""

    now: int
    ts: int
    host: str
    answer: tuple[int, int]


class _Words(NamedTuple):
    """All that is remembered."""

    hosts: list[str]
    tries: dict[str, list[Try]]
    told: dict[str, tuple[int, int]]
    looks: Saved


class VhostProbing:
    """See the file's head; settings: VhostProbingSettings."""

    rules = (RULE,)
    faults = 0

    def __init__(self, settings: VhostProbingSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self._gone = 0
        self._hosts: dict[str, None] = {}
        self._tries: dict[str, list[Try]] = {}
        self._told: dict[str, tuple[int, int]] = {}  # packet time and tries when it was told
        self._allowance = Allowance()
        self._hashes = np.zeros(len(strings.tables.entries), np.uint64)  # of the host that a code was last

    @property
    def evicted(self) -> int:
        return self._gone + self._allowance.refused

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"words": packed(_Words(list(self._hosts), self._tries, self._told, self._allowance.state()))}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "words", _Words)
        if words is None:
            return False
        hosts, self._tries, self._told, looks = words
        self._allowance.restore(looks)
        self._hosts = dict.fromkeys(hosts)
        return True

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        codes = np.ascontiguousarray(batch.transactions["host"])
        hashes = self.strings.tables.entries["hash"]
        unknown = np.flatnonzero(self._hashes[codes] != hashes[codes])
        if len(unknown):
            _, first = np.unique(codes[unknown], return_index=True)
            places = unknown[np.sort(first)]
            self._hashes[codes[places]] = hashes[codes[places]]
            for place in self._allowance.afforded(places, batch.transactions["now"][places]):
                host = host_name(self.strings.text(int(codes[place]))).lower()
                if host and host not in self._hosts:
                    detections += self._new(host, batch.transactions[place])
        self._allowance.passed(len(codes))
        return detections

    def _new(self, host: str, row: Any) -> list[Detection]:
        """Somebody asks for a host that nobody asked for before."""
        if len(self._hosts) >= self.settings.hosts_max:
            del self._hosts[next(iter(self._hosts))]
            self._gone += 1
        self._hosts[host] = None
        client, server = address(row, "client"), server_text(address(row, "server"), int(row["server_port"]))
        key = f"{client} {server}"
        tries = self._tries.pop(key, [])
        if not tries and len(self._tries) >= self.settings.clients_max:
            gone = next(iter(self._tries))
            del self._tries[gone]
            self._told.pop(gone, None)
            self._gone += 1
        now = int(row["now"])
        front = self.strings.text(int(row["endpoint"])) == "/"
        size = int(row["response_body_len"]) if front else -1
        tries.append(Try(now, int(row["ts"]), host, (int(row["status_code"]), size)))
        since, old = now - nanoseconds(self.settings.window_seconds), max(len(tries) - self.settings.tries_max, 0)
        while tries[old].now <= since:
            old += 1
        del tries[:old]
        self._tries[key] = tries
        if len(tries) < self.settings.hosts_min or not _unknown(tries):
            return []
        if not worth_saying(now, len(tries), *self._told.get(key, (0, 0))):
            return []
        self._told[key] = now, len(tries)
        return [self._detection(row, client, server, tries)]

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
