"""Web scans: in: transactions; out: detections of clients that look for what is not there, and of scanners by name.

A scan asks for many different targets that no server has, much of it fails, and no other client does the like: counted
over a minute, an hour and a day, so that one probe a minute still adds up. Methods that nobody uses are told as well.
The one law: what is missed again and again (a dead bookmark, a poller of something gone) is one target.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Http, Kind, Numbers, Rule, Severity
from sensor.config import WebScanSettings
from sensor.detection.detector import Batch, Strings, Table, nanoseconds
from sensor.detection.evidence import address, community_id, http_of
from sensor.detection.ticking import Distinct, Rolling, Ticks

SCAN = Rule(
    id="web-scan",
    version=1,
    title="Web scan: one client asks for many different things that are not there",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API9:2023", "API8:2023"),
    attack=("T1595.003",),
)
SCANNER = Rule(
    id="scanner-software",
    version=1,
    title="A vulnerability scanner gives its name",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API8:2023",),
    attack=("T1595.002",),
)
METHODS = Rule(
    id="method-probing",
    version=1,
    title="Method probing: one client tries methods that nobody uses",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.LOW,
    owasp=("API8:2023",),
    attack=("T1595.002",),
)
_STEPS = 6
_HOUR_SECONDS, _DAY_SECONDS = 3_600.0, 86_400.0
_COMMON = frozenset({"", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_SCANNERS = re.compile(
    r"\b(nikto|sqlmap|nuclei|gobuster|dirbuster|feroxbuster|ffuf|wfuzz|wpscan|masscan|zgrab|acunetix|nessus|openvas|w3af|"
    r"arachni|nmap scripting engine|skipfish|whatweb|dirsearch|kiterunner|jaeles|commix|havij|netsparker|appscan|"
    r"qualys|burp ?suite|owasp zap|zaproxy|vega|xsstrike|dalfox|joomscan|droopescan|httpx - open-source|katana|naabu|"
    r"subfinder|crackmapexec|hydra|patator|paros|webinspect|fimap|grabber|wapiti|sn1per|openbullet|sentry mba)\b",
    re.IGNORECASE,
)


class _Span(NamedTuple):
    """One length of time, how many steps each of its buckets has, and what is counted per client over it."""

    seconds: float
    targets_min: int
    steps: int
    requests: Rolling
    misses: Rolling
    targets: Distinct


class _Seen(NamedTuple):
    """The last miss of a client."""

    first_ts: int
    last_ts: int
    client: str
    client_port: int
    server: str
    server_port: int
    community_id: str
    http: Http


class WebScan:
    """See the file's head; settings: WebScanSettings."""

    rules = (SCAN, SCANNER, METHODS)
    faults = 0
    evicted = 0

    def __init__(self, settings: WebScanSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self._step_ns = nanoseconds(settings.window_seconds / _STEPS)
        self._ticks = Ticks(self._step_ns, 1 + nanoseconds(_DAY_SECONDS) // self._step_ns)
        self._spans: list[_Span] | None = None
        self._generations = np.zeros(0, np.uint32)
        self._first = np.zeros(0, np.int64)
        least = min(settings.targets_min, settings.hour_targets_min, settings.day_targets_min)
        self._suspect_misses = max(1, least // 2)
        self._seen: dict[int, _Seen] = {}
        self._scanners: dict[str, str] = {}

    def process(self, batch: Batch) -> list[Detection]:
        spans = self._begin(batch)
        rows = batch.transactions
        clients = batch.entities["client"].astype(np.intp)
        if len(rows):
            self._forget_former(spans, clients, batch.tables.client.generations)
        missing = self._missing(rows, batch.entities)
        detections: list[Detection] = []
        for part in self._ticks.parts(rows["now"], batch.now):
            if part.tick:
                detections += self._tick(spans, part.tick)
                continue
            at = part.start + np.flatnonzero(missing[part.start : part.stop])
            targets = self.strings.tables.entries["hash"][rows["uri"][at]]
            requests = np.unique(clients[part.start : part.stop], return_counts=True)
            missed, first, counts = np.unique(clients[at], return_index=True, return_counts=True)
            new = spans[-1].misses.total[missed] == 0
            self._first[missed[new]] = rows["ts"][at[first[new]]]
            for span in spans:
                span.requests.add(*requests)
                span.misses.add(missed, counts)
                span.targets.add(clients[at], targets)
            suspect = spans[-1].misses.total[clients[at]] >= self._suspect_misses
            self._note(rows, clients, at[suspect])
        if len(rows):
            detections += self._by_name(rows)
            detections += self._by_method(rows)
        return detections

    def _tick(self, spans: list[_Span], tick: int) -> list[Detection]:
        """A step is over: judge each span that has a step of its own over with it."""
        detections: list[Detection] = []
        for span in spans:
            if tick // self._step_ns % span.steps == 0:
                detections += self._judge(span, tick)
                span.requests.step()
                span.misses.step()
                span.targets.step()
        if tick % nanoseconds(_DAY_SECONDS) < self._step_ns:
            self._expire(tick)
        return detections

    def _begin(self, batch: Batch) -> list[_Span]:
        """Tables as long as that of the clients."""
        if self._spans is None:
            clients = batch.tables.client.rows
            self._generations = np.zeros(clients, np.uint32)
            self._first = np.zeros(clients, np.int64)
            self._spans = [
                self._span(clients, seconds, buckets, targets)
                for seconds, buckets, targets in (
                    (self.settings.window_seconds, _STEPS, self.settings.targets_min),
                    (_HOUR_SECONDS, 12, self.settings.hour_targets_min),
                    (_DAY_SECONDS, 12, self.settings.day_targets_min),
                )
            ]
        return self._spans

    def _span(self, clients: int, seconds: float, buckets: int, targets_min: int) -> _Span:
        steps = max(1, round(nanoseconds(seconds / buckets) / self._step_ns))
        requests, misses = Rolling(clients, buckets), Rolling(clients, buckets)
        return _Span(seconds, targets_min, steps, requests, misses, Distinct(clients, buckets))

    def _forget_former(self, spans: list[_Span], clients: npt.NDArray[np.intp], now: npt.NDArray[np.uint32]) -> None:
        """Rows that belong to other clients than before begin anew."""
        changed = np.unique(clients[now[clients] != self._generations[clients]])
        former = self._generations[changed] != 0
        self._generations[changed] = now[changed]
        changed = changed[former]
        if len(changed):
            for span in spans:
                for table in (span.requests, span.misses, span.targets):
                    table.clear(changed)
            for client in changed.tolist():
                self._seen.pop(client, None)

    @staticmethod
    def _missing(rows: Table, entities: Table) -> npt.NDArray[np.bool_]:
        status = rows["status_code"]
        absent = (status == 404) | (status == 405) | (status == 410) | (status == 501) | (status == 400)
        missing: npt.NDArray[np.bool_] = absent & ((entities["endpoint"] == 0) | (status == 404))
        return missing

    def _note(self, rows: Table, clients: npt.NDArray[np.intp], at: npt.NDArray[np.intp]) -> None:
        """Remember each client's last miss, in words, because codes do not outlive the batch."""
        last = dict(zip(clients[at].tolist(), at.tolist(), strict=True))
        for client, place in last.items():
            self._seen[client] = self._seen_of(rows[place], int(self._first[client]))

    def _seen_of(self, row: Any, first_ts: int) -> _Seen:
        return _Seen(
            first_ts, int(row["ts"]), address(row, "client"), int(row["client_port"]), address(row, "server"),
            int(row["server_port"]), community_id(row, "client", "server"), http_of(row, self.strings),
        )  # fmt: skip

    def _judge(self, span: _Span, tick: int) -> list[Detection]:
        """At the end of a step: who has looked for too much that is not there."""
        suspects = np.flatnonzero(span.misses.total >= span.targets_min)
        if not len(suspects):
            return []
        active = np.sort(span.misses.total[span.requests.total > 0])
        detections = []
        for client, found in zip(suspects.tolist(), span.targets.count(suspects).tolist(), strict=True):
            misses, requests = int(span.misses.total[client]), int(span.requests.total[client])
            seen = self._seen.get(client)
            others = np.delete(active, np.searchsorted(active, misses))
            usual = float(others[len(others) * 3 // 4]) if len(others) else 0.0
            threshold = max(span.targets_min, self.settings.ratio_min * usual)
            if seen is None or found < threshold or misses < self.settings.share_min * requests:
                continue
            numbers = Numbers(
                observed=round(found), threshold=threshold, unit="different targets that are not there",
                window_seconds=span.seconds, baseline=usual,
            )  # fmt: skip
            detections.append(_detection(SCAN, seen, tick, numbers, misses, {"requests": requests, "missed": misses}))
        return detections

    def _expire(self, tick: int) -> None:
        """Misses older than the longest span are no evidence any more."""
        since = tick - nanoseconds(2 * _DAY_SECONDS)
        for client in [client for client, seen in self._seen.items() if seen.last_ts < since]:
            del self._seen[client]

    def _by_name(self, rows: Table) -> list[Detection]:
        detections = []
        for code in np.unique(rows["user_agent"]).tolist():
            text = self.strings.text(code)
            name = self._scanners.get(text)
            if name is None:
                match = _SCANNERS.search(text)
                name = match[1].lower() if match else ""
                if len(self._scanners) >= self.settings.agents_max:
                    self._scanners.clear()
                self._scanners[text] = name
            if name:
                at = np.flatnonzero(rows["user_agent"] == code)
                detections += self._each(SCANNER, rows, at, "requests", {"scanner": name})
        return detections

    def _by_method(self, rows: Table) -> list[Detection]:
        """Methods out of the ordinary that were refused: each is told, and folds with the others of its client."""
        codes = [code for code in np.unique(rows["method"]).tolist() if self.strings.text(code) not in _COMMON]
        if not codes:
            return []
        refused = np.isin(rows["method"], codes) & np.isin(rows["status_code"], (400, 403, 404, 405, 501))
        return self._each(METHODS, rows, np.flatnonzero(refused), "requests with methods that nobody uses", {})

    def _each(
        self, rule: Rule, rows: Table, at: npt.NDArray[np.intp], unit: str, details: dict[str, Any]
    ) -> list[Detection]:
        """One detection for each row, in order of the rows."""
        detections = []
        for place in at.tolist():
            row = rows[place]
            seen = self._seen_of(row, int(row["ts"]))
            numbers = Numbers(observed=1.0, threshold=1.0, unit=unit, window_seconds=0.0)
            run = f"{row['flow']}:{row['trans_depth']}"
            detections.append(_detection(rule, seen, int(row["now"]), numbers, 1, details, run))
        return detections


def _detection(
    rule: Rule, seen: _Seen, now: int, numbers: Numbers, count: int, details: dict[str, Any], run: str = ""
) -> Detection:
    return Detection(
        now=now,
        rule=rule,
        entity=Entity("client", seen.client),
        numbers=numbers,
        count=count,
        run=run or f"{seen.client}@{seen.first_ts}/{numbers.window_seconds:g}",
        first_ts=seen.first_ts,
        last_ts=seen.last_ts,
        client_ip=seen.client,
        client_port=seen.client_port,
        server_ip=seen.server,
        server_port=seen.server_port,
        community_id=seen.community_id,
        http=seen.http,
        details=details,
    )
