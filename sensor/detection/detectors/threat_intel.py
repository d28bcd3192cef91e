"""Threat intelligence: in: transactions, flows, TLS connections and DNS lookups; out: detections of what feeds name.

Addresses of both sides, hosts, SNI and names asked of DNS, URLs, user agents, JA3 and JA4. Feeds are read again when
`tapir feeds update` has changed them. The one law: without a folder of feeds nothing is loaded and nothing is paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import ThreatIntelSettings
from sensor.detection.by_code import ByCode, each
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.evidence import address, community_id, host_name
from sensor.detection.findings import REMIND_SECONDS, Case, Cases, found
from sensor.detection.lookups.ends import ends_of
from sensor.detection.reloading import Reloading
from sensor.dns import Lookups
from sensor.errors import SettingError, StateError, TapirError
from sensor.intel.indicator import Kind as Named
from sensor.intel.matcher import Hit, Matcher
from sensor.limits import NS
from sensor.schema import Service


def _rule(name: str, title: str, severity: Severity, owasp: str, attack: str) -> Rule:
    return Rule(id=name, version=1, title=title, category="threat-intelligence", kind=Kind.ATTACK, severity=severity,
                owasp=(owasp,), attack=(attack,))  # fmt: skip


CLIENT = _rule("threat-client", "Client whose address is in a feed", Severity.MEDIUM, "API8:2023", "T1190")
SERVER = _rule("threat-server", "Call to an address that is in a feed", Severity.HIGH, "API10:2023", "T1071.001")
NAME = _rule("threat-domain", "Call to a name that is in a feed", Severity.HIGH, "API10:2023", "T1071.001")
LOOKED_UP = _rule("threat-lookup", "Question for a name that is in a feed", Severity.HIGH, "API10:2023", "T1071.004")
URL = _rule("threat-url", "Request of a URL that is in a feed", Severity.HIGH, "API10:2023", "T1105")
AGENT = _rule("threat-user-agent", "User agent that is in a feed", Severity.MEDIUM, "API8:2023", "T1071.001")
PRINT = _rule("threat-fingerprint", "TLS client whose fingerprint is in a feed", Severity.MEDIUM, "API8:2023", "T1573")
HEALTH = Rule(
    id="threat-feed", version=1, title="A feed of threat intelligence is stale or fails", category="health",
    kind=Kind.HEALTH, severity=Severity.MEDIUM,
)  # fmt: skip
_ROW = np.dtype([("ts", "i8"), ("now", "i8")])
SURE, UNSURE = 0.8, 0.5
_MILDER = {Severity.HIGH: Severity.MEDIUM, Severity.MEDIUM: Severity.LOW, Severity.LOW: Severity.LOW}


class Told(NamedTuple):
    """A hit in a connection: who is meant, when, and on which ends."""

    rule: Rule
    hit: Hit
    ts: int
    now: int
    client_ip: str
    client_port: int
    server_ip: str
    server_port: int
    community_id: str
    shown: str


class ThreatIntel:
    """See the file's head; settings: ThreatIntelSettings. SettingError when there are feeds and no folder."""

    rules = (CLIENT, SERVER, NAME, LOOKED_UP, URL, AGENT, PRINT, HEALTH)
    faults = 0

    def __init__(self, settings: ThreatIntelSettings, strings: Strings) -> None:
        if settings.feeds and not settings.folder:
            raise SettingError("detection.threat_intel.folder: empty, so that feeds have no place")
        self.settings, self.strings = settings, strings
        self.folder = Path(settings.folder)
        self._cases = Cases(self.rules, settings.entities_max)
        self._problem = ""
        self._said: dict[str, int] = {}
        self._take(Matcher())
        if not settings.folder:
            return
        try:
            self._take(Matcher.of_folder(self.folder))
        except StateError as error:
            self._problem = str(error)
        self._reloading = Reloading(
            lambda: [*self.folder.glob("*.json"), *self.folder.glob("*.npz")], lambda: Matcher.of_folder(self.folder)
        )

    def _take(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self._hosts = ByCode(self.strings, each(self._is_listed))
        self._agents = ByCode(self.strings, each(lambda text: bool(matcher.user_agent(text, 0.0))))
        self._addresses: dict[str, npt.NDArray[np.int64] | None] = {"client": None, "server": None}

    @property
    def evicted(self) -> int:
        return self._cases.evicted

    def process(self, batch: Batch) -> list[Detection]:
        if not self.settings.folder:
            return []
        read = self._reloading.poll()
        if isinstance(read, Matcher):
            self._take(read)
            self._problem = ""
        elif isinstance(read, TapirError):
            self._problem = str(read)
        said = self._health(batch)
        if len(self.matcher):
            if len(batch.transactions):
                said += self._transactions(batch)
            for told in (*self._flows(batch), *self._tls(batch), *self._dns(batch.dns)):
                said += self._connection(told)
        return said

    def _transactions(self, batch: Batch) -> list[Detection]:
        rows = batch.transactions
        hits: dict[tuple[Rule, str, Hit], list[int]] = {}

        def add(rule: Rule, row: int, named: list[Hit]) -> None:
            for hit in named[:1]:
                hits.setdefault((rule, address(rows[row], "client"), hit), []).append(row)

        for rule, side in ((CLIENT, "client"), (SERVER, "server")) if len(self.matcher.networks) else ():
            for row in self._addressed(batch, side).tolist():
                hi, lo = int(rows[f"{side}_hi"][row]), int(rows[f"{side}_lo"][row])
                add(rule, row, self.matcher.address(hi, lo, _seconds(rows[row])))
        for row in self._hosts.passing(rows["host"]).tolist() if self.matcher.asks_hosts else ():
            host, now = self.strings.text(int(rows["host"][row])), _seconds(rows[row])
            add(NAME, row, self.matcher.host(host_name(host), now))
            if self.matcher.has_urls_of(host):
                add(URL, row, self.matcher.url(host, self.strings.text(int(rows["uri"][row])), now))
        for row in self._agents.passing(rows["user_agent"]).tolist() if Named.USER_AGENT in self.matcher.kinds else ():
            text = self.strings.text(int(rows["user_agent"][row]))
            add(AGENT, row, self.matcher.user_agent(text, _seconds(rows[row])))
        said = []
        for (rule, client, hit), numbers in hits.items():
            key = f"{client} {hit.feed} {hit.value}"
            for case in self._cases.note(rule, key, rows, np.array(numbers, np.int64)):
                entity = Entity("client", client)
                one = found(rule, entity, case, rows, self.strings, "requests", _details(hit), severity_of(rule, hit))
                said.append(replace(one, confidence=round(hit.confidence, 2)))
        return said

    def _addressed(self, batch: Batch, side: str) -> npt.NDArray[np.intp]:
        """Rows whose client or server is listed: each is asked when it is new to the entity table."""
        table, known = getattr(batch.tables, side), self._addresses[side]
        if known is None:
            known = self._addresses[side] = np.zeros(table.rows, np.int64)  # 2 * generation + listed
        entities = batch.entities[side]
        generations = table.generations[entities].astype(np.int64)
        new = known[entities] >> 1 != generations
        if self.matcher.networks.has_ipv6:  # of which a client's row is a whole /64
            new |= batch.transactions[f"{side}_hi"] != 0
        fresh = np.flatnonzero(new)
        if len(fresh):
            hi, lo = batch.transactions[f"{side}_hi"][fresh], batch.transactions[f"{side}_lo"][fresh]
            known[entities[fresh]] = 2 * generations[fresh]
            listed = fresh[self.matcher.networks.listed(hi, lo)]
            known[entities[listed]] |= 1
        return np.flatnonzero(known[entities] & 1)

    def _is_listed(self, host: str) -> bool:
        return bool(self.matcher.host(host_name(host), 0.0)) or self.matcher.has_urls_of(host)

    def _flows(self, batch: Batch) -> Iterator[Told]:
        """Flows that are not HTTP: their transactions speak for the others."""
        networks, flows = self.matcher.networks, batch.flows
        for rule, side in ((CLIENT, "orig"), (SERVER, "resp")) if len(networks) and len(flows) else ():
            hi, lo = flows[f"{side}_hi"], flows[f"{side}_lo"]
            for place in networks.listed(hi, lo).tolist():
                row = flows[place]
                if row["service"] == Service.HTTP:
                    continue
                for hit in self.matcher.address(int(hi[place]), int(lo[place]), row["end_now"] / NS)[:1]:
                    yield Told(
                        rule, hit, int(row["start_ts"]), int(row["end_now"]), address(row, "orig"),
                        int(row["orig_port"]), address(row, "resp"), int(row["resp_port"]),
                        community_id(row, "orig", "resp"), address(row, side),
                    )  # fmt: skip

    def _tls(self, batch: Batch) -> Iterator[Told]:
        for row in batch.tls if self.matcher.kinds - {Named.USER_AGENT} else ():
            now = row.end_now / NS
            named = [(NAME, row.server_name, self.matcher.host(row.server_name, now))] if row.server_name else []
            named += [
                (PRINT, text, self.matcher.fingerprint(kind, text, now))
                for kind, text in ((Named.JA3, row.ja3), (Named.JA4, row.ja4))
                if text
            ]
            for rule, shown, hits in named:
                for hit in hits[:1]:
                    yield Told(
                        rule, hit, round(row.ts * NS), row.end_now, row.orig_h, row.orig_p, row.resp_h, row.resp_p,
                        row.community_id, shown,
                    )  # fmt: skip

    def _dns(self, lookups: Lookups) -> Iterator[Told]:
        """Names asked for; each is looked up once in a batch."""
        rows = lookups.rows
        if not len(rows) or not self.matcher.asks_hosts:
            return
        _, places, which = np.unique(rows["name_hash"], return_index=True, return_inverse=True)
        names = [lookups.query(row) for row in rows[places]]
        listed = np.array([bool(name) and self._is_listed(name) for name in names], np.bool_)
        for place in np.flatnonzero(listed[which]).tolist():
            row, name = rows[place], names[which[place]]
            for hit in self.matcher.host(name, _seconds(row))[:1]:
                ends = ends_of(row)
                yield Told(LOOKED_UP, hit, int(row["ts"]), int(row["now"]), **ends, shown=name)

    def _connection(self, told: Told) -> list[Detection]:
        times = np.array([(told.ts, told.now)], _ROW)
        key = f"{told.client_ip} {told.hit.feed} {told.hit.value}"
        cases = self._cases.note(told.rule, key, times, np.zeros(1, np.int64))
        return [_detection(told, case) for case in cases]

    def _health(self, batch: Batch) -> list[Detection]:
        """Feeds of the settings and of the folder that are not well, when first seen and once a day."""
        names = {feed.name for feed in self.settings.feeds} | set(self.matcher.statuses)
        problems = {name: unwell for name in sorted(names) if (unwell := self.problem_of(name, batch.now))}
        if self._problem:
            problems["folder"] = (self._problem, 0)
        if not problems:
            return []
        times = np.sort(np.concatenate([batch.transactions["now"], batch.flows["end_now"]]))
        said = []
        for name, (problem, since) in problems.items():
            for now in self._due(name, since, times):
                self._said[name] = now
                said.append(_unwell(name, problem, now))
        return said

    def _due(self, name: str, since: int, times: npt.NDArray[np.int64]) -> Iterator[int]:
        """Those of these moments at which a problem of a feed is to be told, a day apart."""
        last = self._said.get(name)
        while True:
            due = since if last is None else max(since, last + nanoseconds(REMIND_SECONDS))
            place = int(np.searchsorted(times, due))
            if place == len(times):
                return
            last = int(times[place])
            yield last

    def problem_of(self, name: str, now: int) -> tuple[str, int] | None:
        """What is wrong with a feed at packet time (ns), and since when it was."""
        status = self.matcher.statuses.get(name)
        if status is None or not status.updated:
            return status.error if status and status.error else "never fetched: tapir feeds update", 0
        if status.error:
            return f"{status.failures} updates in a row failed: {status.error}", 0
        end = nanoseconds(status.updated + status.stale_seconds)
        return (f"not updated for {status.stale_seconds / 3600:g} h", end + 1) if now > end else None

    def state(self) -> dict[str, npt.NDArray[Any]]:
        said = np.frombuffer(msgspec.json.encode(self._said), np.uint8)
        return self._cases.state() | {"said": said}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if "said" in saved:
            self._said = msgspec.json.decode(saved["said"].tobytes(), type=dict[str, int])
        return self._cases.restore(saved)


def _unwell(name: str, problem: str, now: int) -> Detection:
    return Detection(
        now=now, rule=HEALTH, entity=Entity("feed", name),
        numbers=Numbers(observed=1.0, threshold=0.0, unit="feeds", window_seconds=0.0),
        count=1, run=f"{name}@{now}", first_ts=now, last_ts=now, details={"problem": problem},
    )  # fmt: skip


def severity_of(rule: Rule, hit: Hit) -> Severity:
    """The rule's, less so the less sure the feed is."""
    if hit.confidence >= SURE:
        return rule.severity
    return Severity.LOW if hit.confidence < UNSURE else _MILDER[rule.severity]


def _seconds(row: Any) -> float:
    return float(row["now"]) / NS


def _details(hit: Hit) -> dict[str, Any]:
    details: dict[str, Any] = {"feed": hit.feed, "entry": hit.value, "kind": hit.kind.value}
    return details | ({"note": hit.note} if hit.note else {}) | ({"expires": hit.expires} if hit.expires else {})


def _detection(told: Told, case: Case) -> Detection:
    return Detection(
        now=told.now,
        rule=told.rule,
        entity=Entity("client", told.client_ip),
        numbers=Numbers(
            observed=float(case.times), threshold=1.0, unit="connections", window_seconds=float(REMIND_SECONDS)
        ),
        count=case.times,
        run=f"{told.client_ip} {told.hit.value}@{case.first_ts}",
        first_ts=case.first_ts,
        last_ts=max(told.ts, case.first_ts),
        confidence=round(told.hit.confidence, 2),
        client_ip=told.client_ip,
        client_port=told.client_port,
        server_ip=told.server_ip,
        server_port=told.server_port,
        community_id=told.community_id,
        severity=severity_of(told.rule, told.hit),
        details={**_details(told.hit), "shown": told.shown},
    )
