"""Web scans: in: transactions; out: detections of clients that look for what is not there, and of scanners by name.

A scan asks for many different targets that no server has, much of it fails, and no other client does the like: counted
over a minute, an hour and a day, so that one probe a minute still adds up. The one law: what is missed again and again
(a dead bookmark, a poller of something gone) is one target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Http, Kind, Numbers, Rule, Severity
from sensor.config import WebScanSettings
from sensor.detection import carried
from sensor.detection.by_code import ByCode, matching
from sensor.detection.by_row import ByRow
from sensor.detection.carried import packed, refill, unpacked
from sensor.detection.detector import Batch, Strings, Table, nanoseconds
from sensor.detection.detectors.web_scan_kernel import CLIENT, MISS, count_misses
from sensor.detection.evidence import address, community_id, http_of
from sensor.detection.owners import Owners
from sensor.detection.scan import Scanner
from sensor.detection.ticking import Distinct, Part, Rolling, Ticks
from sensor.structures.entity_table_kernels import Use
from sensor.structures.records import copied, joined

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
_STEPS = 6
_HOUR_SECONDS, _DAY_SECONDS = 3_600.0, 86_400.0
_CERTAIN_SHARE, _CERTAIN_PART = 0.8, 0.55
"""Of who misses so large a share over an hour or a day, this part of the targets is enough."""
_SCANNERS = re.compile(
    r"\b(nikto|sqlmap|nuclei|gobuster|dirbuster|feroxbuster|ffuf|fuzz faster|wfuzz|wpscan|masscan|zgrab|acunetix|"
    r"nessus|openvas|w3af|arachni|nmap scripting engine|skipfish|whatweb|dirsearch|kiterunner|jaeles|commix|havij|"
    r"netsparker|appscan|qualys|burp ?suite|owasp zap|zaproxy|zap/|vega|xsstrike|dalfox|joomscan|droopescan|"
    r"httpx - open-source|katana|naabu|subfinder|crackmapexec|hydra|patator|paros|webinspect|fimap|grabber|wapiti|"
    r"sn1per|openbullet|sentry mba|arjun|rustbuster|tplmap|nosqlmap|graphw00f|clairvoyance)\b",
    re.IGNORECASE,
)

_OTHERS_MAX = 1_024
"""Clients, evenly picked, with whose different misses a suspect's are compared."""
_MISSED_MAX = 256
"""Batches with misses of one step that are kept before they are added to the spans."""


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

    rules = (SCAN, SCANNER)
    faults = 0
    evicted = 0

    def __init__(self, settings: WebScanSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self._step_ns = nanoseconds(settings.window_seconds / _STEPS)
        self._ticks = Ticks(self._step_ns, 1 + nanoseconds(_DAY_SECONDS) // self._step_ns)
        self._spans: list[_Span] = []
        self._saved: Mapping[str, npt.NDArray[Any]] = {}
        self._clients = ByRow(CLIENT)
        self._owners = Owners("client", self._clients)
        self._present = self._misses = np.zeros(0, np.int32)  # requests of the present step by client, and misses
        self._untold = np.zeros(0, np.int32)  # misses by client since it was told last
        self._granted = np.zeros(0, np.uint32)  # generation of endpoints that somebody got something from
        self._missed: list[Table] = []  # MISS
        self._asked = True  # whether the present step may have requests
        self._room = np.zeros(0, MISS)
        least = min(settings.targets_min, settings.hour_targets_min, settings.day_targets_min)
        self._suspect_misses = max(1, least // 2)
        self._seen: dict[int, _Seen] = {}
        self._scanners = ByCode(strings, matching(Scanner([_SCANNERS.pattern])))

    def take_over(self, before: WebScan) -> None:
        """Go on with the windows of the one before; where their length was changed they begin anew."""
        if not before._spans or before._step_ns != self._step_ns:
            return
        least = (self.settings.targets_min, self.settings.hour_targets_min, self.settings.day_targets_min)
        self._spans = [span._replace(targets_min=most) for span, most in zip(before._spans, least, strict=True)]
        self._ticks, self._clients, self._owners = before._ticks, before._clients, before._owners
        self._present, self._misses, self._missed = before._present, before._misses, before._missed
        self._untold, self._granted, self._seen = before._untold, before._granted, before._seen

    def _windows(self, rows: int) -> dict[str, npt.NDArray[Any]]:
        """What is counted of the first so many clients, by name."""
        windows: dict[str, npt.NDArray[Any]] = {
            "requests": self._present[:rows], "misses": self._misses[:rows], "untold": self._untold[:rows],
            "granted": self._granted,
        }  # fmt: skip
        for number, span in enumerate(self._spans):
            for name in ("requests", "misses", "targets"):
                windows |= carried.under(f"span{number}.{name}", getattr(span, name).windows(rows))
        return windows

    def state(self) -> dict[str, npt.NDArray[Any]]:
        clients = self._clients.state()
        return {
            "clients": clients, "ticks": self._ticks.current, "words": packed(self._seen),
            "missed": np.concatenate([self._room[:0], *self._missed]),
            **(self._windows(len(clients)) if self._spans else self._saved),
        }  # fmt: skip

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        seen = unpacked(saved, "words", dict[int, _Seen])
        if seen is None or any(name not in saved for name in ("clients", "ticks", "missed")):
            return False
        self._seen, self._saved = seen, saved
        self._missed = [saved["missed"].astype(MISS)] if len(saved["missed"]) else []
        self._ticks.current[:] = saved["ticks"]
        return self._clients.restore(saved["clients"])

    def process(self, batch: Batch) -> list[Detection]:
        spans = self._spans or self._begin(batch)
        for span in spans:
            span.requests.used = span.misses.used = int(batch.tables.client.state[Use.ROWS])
        self._forget_former(self._owners.changed(batch))
        rows = batch.transactions
        if len(self._room) < len(rows):
            self._room = np.zeros(2 * len(rows), MISS)
        detections: list[Detection] = []
        for part in self._ticks.parts(rows["now"], batch.now):
            if part.tick:
                detections += self._tick(spans, part.tick)
            else:
                self._count(spans, batch, part)
        if len(rows):
            detections += self._by_name(rows)
        return detections

    def _count(self, spans: list[_Span], batch: Batch, part: Part) -> None:
        """Take down misses, and the last one of each suspect in words: codes are given again."""
        clients = self._clients.of(batch.tables.client)
        self._asked = True
        found = count_misses(
            batch.transactions, batch.entities, self.strings.tables.entries, part.start, part.stop, self._present,
            self._misses, spans[-1].misses.total, clients, self._suspect_misses, self._granted,
            batch.tables.endpoint.generations, self._room,
        )  # fmt: skip
        if not found:
            return
        missed = copied(self._room[:found])
        self._missed.append(missed)
        suspects = missed[missed["is_suspect"] != 0]
        for client, place in dict(zip(suspects["client"].tolist(), suspects["place"].tolist(), strict=True)).items():
            self._seen[client] = self._seen_of(batch.transactions[place], int(clients["first_ts"][client]))
        if len(self._missed) >= _MISSED_MAX:
            self._end_step(spans)

    def _end_step(self, spans: list[_Span]) -> None:
        """Add what the step had so far to the spans."""
        if not self._asked:
            return
        self._asked = False
        asking = np.flatnonzero(self._present[: spans[0].requests.used])
        for span in spans:
            span.requests.add(asking, self._present[asking])
        self._present[asking] = 0
        if not self._missed:
            return
        missing, missed = np.flatnonzero(self._misses), joined(self._missed)
        self._untold[missing] += self._misses[missing]
        for span in spans:
            span.misses.add(missing, self._misses[missing])
            span.targets.add(missed["client"], missed["target"])
        self._misses[missing] = 0
        self._missed = []

    def _tick(self, spans: list[_Span], tick: int) -> list[Detection]:
        """A step is over: judge every span once a window, and end those whose own step is over with it."""
        detections: list[Detection] = []
        self._end_step(spans)
        for span in spans:
            ends = tick // self._step_ns % span.steps == 0
            if ends or tick // self._step_ns % _STEPS == 0:
                detections += self._judge(span, tick, 0 if ends else tick - nanoseconds(self.settings.window_seconds))
            if ends:
                span.requests.step()
                span.misses.step()
                span.targets.step()
        if tick % nanoseconds(_DAY_SECONDS) < self._step_ns:
            self._expire(tick)
        return detections

    def _begin(self, batch: Batch) -> list[_Span]:
        """Tables as long as that of the clients."""
        clients = batch.tables.client.rows
        self._present, self._misses, self._untold = np.zeros((3, clients), np.int32)
        self._granted = np.zeros(len(batch.tables.endpoint.generations), np.uint32)
        self._spans = [
            self._span(clients, seconds, buckets, targets)
            for seconds, buckets, targets in (
                (self.settings.window_seconds, _STEPS, self.settings.targets_min),
                (_HOUR_SECONDS, 12, self.settings.hour_targets_min),
                (_DAY_SECONDS, 12, self.settings.day_targets_min),
            )
        ]
        if self._saved:
            refill(self._windows(clients), self._saved)
            for span in self._spans:
                span.targets.recall()
            self._saved = {}
        return self._spans

    def _span(self, clients: int, seconds: float, buckets: int, targets_min: int) -> _Span:
        steps = max(1, round(nanoseconds(seconds / buckets) / self._step_ns))
        requests, misses = Rolling(clients, buckets), Rolling(clients, buckets)
        return _Span(seconds, targets_min, steps, requests, misses, Distinct(clients, buckets))

    def _forget_former(self, changed: npt.NDArray[np.integer]) -> None:
        """Rows that belong to other clients than before begin anew."""
        if len(changed):
            self._present[changed] = self._misses[changed] = self._untold[changed] = 0
            self._missed = [each[~np.isin(each["client"], changed)] for each in self._missed]
            for span in self._spans:
                for table in (span.requests, span.misses, span.targets):
                    table.clear(changed)
            for client in changed.tolist() if self._seen else ():
                self._seen.pop(client, None)

    def _seen_of(self, row: Any, first_ts: int) -> _Seen:
        return _Seen(
            first_ts, int(row["ts"]), address(row, "client"), int(row["client_port"]), address(row, "server"),
            int(row["server_port"]), community_id(row, "client", "server"), http_of(row, self.strings),
        )  # fmt: skip

    def _judge(self, span: _Span, tick: int, since: int) -> list[Detection]:
        """At the end of a step: who has looked for too much that is not there, the last time at `since` or later, and
        not only what was told before.
        """
        if span.misses.is_empty:
            return []
        is_long = span.seconds > self.settings.window_seconds
        least = span.targets_min * (_CERTAIN_PART if is_long else 1.0)
        used = span.misses.used
        suspects = np.flatnonzero((span.misses.total[:used] >= least) & (self._untold[:used] > 0))
        if not len(suspects):
            return []
        active = np.flatnonzero(span.requests.total[:used] > 0)
        active = active[:: 1 + len(active) // _OTHERS_MAX]
        targets = np.minimum(span.targets.count(active), span.misses.total[active])
        detections = []
        for client, found in zip(suspects.tolist(), span.targets.count(suspects).tolist(), strict=True):
            misses, requests = int(span.misses.total[client]), int(span.requests.total[client])
            seen = self._seen.get(client)
            others = np.sort(targets[active != client])
            usual = float(round(others[len(others) * 3 // 4])) if len(others) else 0.0
            certain = is_long and misses >= _CERTAIN_SHARE * requests
            threshold = max(round(least) if certain else span.targets_min, self.settings.ratio_min * usual)
            if seen is None or seen.last_ts < since or found < threshold or misses < self.settings.share_min * requests:
                continue
            numbers = Numbers(
                observed=min(round(found), misses), threshold=threshold, unit="different targets that are not there",
                window_seconds=span.seconds, baseline=usual,
            )  # fmt: skip
            fresh, self._untold[client] = min(int(self._untold[client]), misses), 0
            details = {"requests": requests, "missed": misses}
            detections.append(_detection(SCAN, seen, tick, numbers, fresh, details, f"{seen.client}@{tick}"))
        return detections

    def _expire(self, tick: int) -> None:
        """Misses older than the longest span are no evidence any more."""
        since = tick - nanoseconds(2 * _DAY_SECONDS)
        for client in [client for client, seen in self._seen.items() if seen.last_ts < since]:
            del self._seen[client]

    def _by_name(self, rows: Table) -> list[Detection]:
        codes, detections = rows["user_agent"], []
        named = self._scanners.passing(codes)
        for code in np.unique(codes[named]).tolist() if len(named) else ():
            match = _SCANNERS.search(self.strings.text(code))
            at = named[codes[named] == code]
            detections += self._each(SCANNER, rows, at, "requests", {"scanner": match[1].lower() if match else ""})
        return detections

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
    rule: Rule, seen: _Seen, now: int, numbers: Numbers, count: int, details: dict[str, Any], run: str
) -> Detection:
    return Detection(
        now=now,
        rule=rule,
        entity=Entity("client", seen.client),
        numbers=numbers,
        count=count,
        run=run,
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
