"""What servers show that they should not: in: transactions, heads and bodies; out: findings of servers and endpoints.

Documentation, debug pages, repositories and dumps that anybody gets; stack traces in errors; products and versions in
heads; answers without a credential where others need one. The one law: a finding rests on bytes of the answer, never on
a path alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Rule, Severity
from sensor.config import ExposedSettings
from sensor.detection.detector import Batch, Strings, sweep
from sensor.detection.detectors.exposed_kernel import SHOWN, Look, Progress, find_shown
from sensor.detection.exposed_marks import MARKS, TRACES, banners
from sensor.detection.findings import Cases, endpoint_name, found, server_name
from sensor.schema import Wanted

PAGES = Rule(
    id="exposed-page", version=1, title="Documentation or status page open to anybody", category="exposure",
    kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API8:2023", "API9:2023"), attack=("T1592.002",),
)  # fmt: skip
INSIDES = Rule(
    id="exposed-internals", version=1, title="Code, configuration or debugger open to anybody", category="exposure",
    kind=Kind.POSTURE, severity=Severity.HIGH, owasp=("API8:2023",), attack=("T1592", "T1552.001"),
)  # fmt: skip
TRACE = Rule(
    id="stack-trace", version=1, title="Stack trace or database error in an answer", category="exposure",
    kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API8:2023",), attack=("T1592.002",),
)  # fmt: skip
BANNER = Rule(
    id="server-banner", version=1, title="Server tells its product and version", category="exposure",
    kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API8:2023",), attack=("T1592.002",),
)  # fmt: skip
OPEN = Rule(
    id="missing-authentication", version=1, title="Answer without a credential where others need one",
    category="exposure", kind=Kind.POSTURE, severity=Severity.HIGH, owasp=("API2:2023", "API5:2023"), attack=("T1190",),
)  # fmt: skip

_FOUND = np.iinfo(np.uint32).max
"""Looks at an endpoint of which the page is known."""


class Exposed:
    """See the file's head; settings: ExposedSettings."""

    rules = (PAGES, INSIDES, TRACE, BANNER, OPEN)

    def __init__(self, settings: ExposedSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.wanted = Wanted(response_head=True, response_body=settings.body_bytes)
        self.faults = 0
        self._cases = Cases(self.rules, settings.entities_max)
        self._hits = np.zeros(limits.HITS_MAX, np.int64)
        self._progress = np.zeros(len(Progress), np.int64)
        self._shown = np.zeros(0, SHOWN)
        self._servers = np.zeros(0, np.uint32)

    @property
    def evicted(self) -> int:
        return self._cases.evicted

    def process(self, batch: Batch) -> list[Detection]:
        said: list[Detection] = []
        if not len(batch.contents):
            return said
        endpoints, servers = batch.tables.endpoint, batch.tables.server
        if len(self._shown) != endpoints.rows or len(self._servers) != servers.rows:
            self._shown, self._servers = np.zeros(endpoints.rows, SHOWN), np.zeros(servers.rows, np.uint32)
        self.faults += sweep(
            lambda start: find_shown(
                batch.transactions, batch.entities, batch.contents, start, self._shown, endpoints.generations,
                self._servers, servers.generations, self._hits, self._progress,
            ),
            len(batch.transactions),
            self._progress,
            lambda hits: said.extend(self._look(batch, hits)),
        )  # fmt: skip
        return said

    def _look(self, batch: Batch, hits: int) -> list[Detection]:
        said = []
        for hit in self._hits[:hits].tolist():
            row, look = hit >> 4, hit & 15
            if look & Look.SERVER:
                said += self._banner(batch, row)
            if look & Look.OPEN:
                said += self._page(batch, row)
            if look & Look.ERROR:
                said += self._trace(batch, row)
            if look & Look.MISSING:
                said += self._say(OPEN, "endpoint", batch, row, "answers without a credential", {})
        return said

    def _banner(self, batch: Batch, row: int) -> list[Detection]:
        shown = banners(_kept(batch, row, "response_head"))
        old = [name for name, is_old in shown if is_old]
        if not (old or (shown and self.settings.current_banners)):
            return []
        details: dict[str, Any] = {"shown": [name for name, _ in shown][:8]} | ({"out_of_support": old} if old else {})
        return self._say(BANNER, "server", batch, row, "servers", details)

    def _page(self, batch: Batch, row: int) -> list[Detection]:
        endpoint = int(batch.entities["endpoint"][row])
        if self._shown["looked"][endpoint] == _FOUND:
            return []
        body = _kept(batch, row, "response_body")
        path = self.strings.text(int(batch.transactions["endpoint"][row])).lower()
        for mark in MARKS if body else ():
            if mark.path.search(path) and mark.body.search(body):
                self._shown["looked"][endpoint] = _FOUND
                rule = INSIDES if mark.grave else PAGES
                return self._say(rule, "endpoint", batch, row, "pages", {"what": mark.name})
        return []

    def _trace(self, batch: Batch, row: int) -> list[Detection]:
        trace = TRACES.search(_kept(batch, row, "response_body"))
        if not trace:
            return []
        mark = trace.group()[:60].decode("latin-1")
        return self._say(
            TRACE, "endpoint", batch, row, "answers", {"mark": "".join(c for c in mark if c.isprintable())}
        )

    def _say(
        self, rule: Rule, kind: str, batch: Batch, row: int, unit: str, details: dict[str, Any],
        severity: Severity | None = None,
    ) -> list[Detection]:  # fmt: skip
        rows = batch.transactions
        name = server_name(rows[row]) if kind == "server" else endpoint_name(rows[row], self.strings)
        return [
            found(rule, Entity(kind, name), case, rows, self.strings, unit, details, severity)
            for case in self._cases.note(rule, name, rows, np.array([row]))
        ]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"shown": self._shown, "servers": self._servers, **self._cases.state()}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        shown, servers = saved.get("shown"), saved.get("servers")
        if shown is None or servers is None or shown.dtype != SHOWN or servers.dtype != np.uint32:
            return False
        self._shown, self._servers = shown.copy(), servers.copy()
        return self._cases.restore(saved)


def _kept(batch: Batch, row: int, part: str) -> bytes:
    """The bytes that were kept of a part of a transaction."""
    content = batch.contents[row]
    offset = int(content[f"{part}_offset"])
    return batch.arena[offset : offset + int(content[f"{part}_len"])].tobytes()
