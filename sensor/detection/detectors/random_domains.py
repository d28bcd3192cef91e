"""Made-up domains: in: lookups; out: detections of clients that ask for many domains that do not exist.

A program that finds its master by a list of domains it makes up asks for them until one answers. What also asks for
much that does not exist: mail servers (senders' domains, beside far more that exist), search lists (one domain), names
without a public suffix, reputation (a few domains): each registered domain counts once, beside the client's answered
questions. The one law: a client is judged at the end of a step of packet time, so batches do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import RandomDomainsSettings
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.lookups.ends import ends_of
from sensor.detection.lookups.names import Name, Names
from sensor.detection.ticking import Ticks
from sensor.dns import Lookups
from sensor.schema_dns import LOOKUP, Type

RANDOM = Rule(
    id="dns-random-domains",
    version=1,
    title="Client asks for many domains that do not exist",
    category="command-and-control",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API10:2023",),
    attack=("T1568.002",),
)
STEPS = 10
DAY_SECONDS = 86_400.0
DOMAINS_KEPT = 512
"""Of one step of a client: more change nothing in a verdict."""
DOMAINS_MAX = 131_072
"""Of all clients and steps together, 20 MB; the client not seen for longest gives way."""
ODD_MIN = 0.3
"""Share of domains like no word from which on the verdict is the rule's; below it is a milder one."""
_NXDOMAIN = 3
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
Saved = list[tuple[tuple[int, int], bytes, list[tuple[list[tuple[int, int, dict[str, bool], int]], int]]]]


@dataclass(slots=True)
class _Step:
    """Of one client: answered questions, domains that do not exist and whether each is like no word, first question."""

    answered: int = 0
    missing: dict[str, bool] = field(default_factory=dict)
    first_ts: int = 1 << 62


@dataclass(slots=True)
class _Client:
    """Steps of both spans, when each span's present case began, and the row of the last question that failed."""

    spans: tuple[dict[int, _Step], dict[int, _Step]] = field(default_factory=lambda: ({}, {}))
    runs: list[int] = field(default_factory=lambda: [0, 0])
    row: bytes = b""

    @property
    def domains(self) -> int:
        """How many are remembered, step by step."""
        return sum(len(step.missing) for steps in self.spans for step in steps.values())


class RandomDomains:
    """See the file's head; settings: RandomDomainsSettings."""

    rules = (RANDOM,)
    faults = 0

    def __init__(self, settings: RandomDomainsSettings, strings: Strings) -> None:
        self.settings = settings
        self.spans = ((settings.window_seconds, settings.domains_min), (DAY_SECONDS, settings.day_domains_min))
        self.names = Names()
        self.clients: dict[tuple[int, int], _Client] = {}
        self.ticks = Ticks(self._step_ns(0), STEPS)
        self.domains = 0
        self.evicted = 0

    def _step_ns(self, span: int) -> int:
        return nanoseconds(self.spans[span][0] / STEPS)

    def process(self, batch: Batch) -> list[Detection]:
        lookups, found = batch.dns, []
        if not len(lookups.rows) and not self.clients:
            return []
        for part in self.ticks.parts(lookups.rows["now"], batch.now):
            if part.tick:
                found += list(self._judge(part.tick))
            else:
                self._note(lookups._replace(rows=lookups.rows[part.start : part.stop]))
        return found

    def _note(self, lookups: Lookups) -> None:
        """Rows of one step."""
        rows = lookups.rows
        missing = (rows["rcode"] == _NXDOMAIN) & np.isin(rows["qtype"], (Type.A, Type.AAAA))
        good = rows[(rows["rcode"] == 0) & (rows["answers"] > 0)]
        step = int(rows["now"][0]) // self._step_ns(0)
        day = step * self._step_ns(0) // self._step_ns(1)
        keys = good["client_hi"] * _SPREAD ^ good["client_lo"]
        _, first, counts = np.unique(keys, return_index=True, return_counts=True)
        for row, count in sorted(zip(first.tolist(), counts.tolist(), strict=True)):
            client = int(good["client_hi"][row]), int(good["client_lo"][row])
            for cell in self._cells(client, step, day):
                cell.answered += count
        for place in np.flatnonzero(missing).tolist():
            name = self.names.of(lookups, rows[place])
            if name.is_public:
                self._note_missing(rows[place], name, step, day)

    def _note_missing(self, row: Any, name: Name, step: int, day: int) -> None:
        client = int(row["client_hi"]), int(row["client_lo"])
        for cell in self._cells(client, step, day):
            cell.first_ts = min(cell.first_ts, int(row["ts"]))
            if name.domain not in cell.missing and len(cell.missing) < DOMAINS_KEPT:
                cell.missing[name.domain] = name.is_odd
                self.domains += 1
        self.clients[client].row = row.tobytes()
        while self.domains > DOMAINS_MAX and len(self.clients) > 1:
            self._forget_oldest()

    def _cells(self, key: tuple[int, int], step: int, day: int) -> tuple[_Step, _Step]:
        """The present steps of a client; the one not seen for longest gives way to a new one."""
        client = self.clients.pop(key, None)
        if client is None:
            client = _Client()
            if len(self.clients) >= self.settings.clients_max:
                self._forget_oldest()
        self.clients[key] = client
        for steps, present in zip(client.spans, (step, day), strict=True):
            if present not in steps:
                self._forget_steps(steps, present)
                steps[present] = _Step()
        return client.spans[0][step], client.spans[1][day]

    def _forget_steps(self, steps: dict[int, _Step], present: int) -> None:
        """Those that have left the span."""
        for gone in [each for each in steps if each <= present - STEPS]:
            self.domains -= len(steps.pop(gone).missing)

    def _forget_oldest(self) -> None:
        client = self.clients.pop(next(iter(self.clients)))
        self.domains -= client.domains
        self.evicted += 1

    def _judge(self, now: int) -> Iterator[Detection]:
        """Clients that asked for what does not exist in the step that ends now."""
        last = now // self._step_ns(0) - 1
        for key in sorted(self.clients):
            client = self.clients[key]
            step = client.spans[0].get(last)
            if step is None or not step.missing:
                continue
            for which, (seconds, least) in enumerate(self.spans):
                self._forget_steps(client.spans[which], (now - 1) // self._step_ns(which))
                yield from self._verdict(client, which, now, seconds, least)

    def _verdict(self, client: _Client, which: int, now: int, seconds: float, least: int) -> Iterator[Detection]:
        steps = client.spans[which].values()
        missing = {domain: odd for step in steps for domain, odd in step.missing.items()}
        share = len(missing) / (len(missing) + sum(step.answered for step in steps))
        if len(missing) < least or share < self.settings.share_min:
            client.runs[which] = 0
            return
        client.runs[which] = client.runs[which] or now
        odd = sum(missing.values()) / len(missing)
        row = np.frombuffer(client.row, LOOKUP)[0]
        ends = ends_of(row)
        yield Detection(
            now=now,
            rule=RANDOM,
            entity=Entity("client", ends["client_ip"]),
            numbers=Numbers(
                observed=float(len(missing)), threshold=float(least), unit="domains that do not exist",
                window_seconds=seconds,
            ),
            count=len(missing),
            run=f"{ends['client_ip']}/{seconds:g}@{client.runs[which]}",
            first_ts=min(step.first_ts for step in steps),
            last_ts=int(row["ts"]),
            confidence=0.8 if odd >= ODD_MIN else 0.5,
            severity=None if odd >= ODD_MIN else Severity.LOW,
            **ends,
            details={"share_of_lookups": round(share, 2), "odd_share": round(odd, 2), "examples": sorted(missing)[:5]},
        )  # fmt: skip

    def state(self) -> dict[str, npt.NDArray[Any]]:
        saved = [
            (key, client.row, [
                ([(step, cell.answered, cell.missing, cell.first_ts) for step, cell in steps.items()], run)
                for steps, run in zip(client.spans, client.runs, strict=True)
            ])
            for key, client in self.clients.items()
        ]  # fmt: skip
        return {"packed": np.frombuffer(msgspec.msgpack.encode(saved), np.uint8), "current": self.ticks.current}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if "packed" not in saved or "current" not in saved:
            return False
        try:
            clients = msgspec.msgpack.decode(saved["packed"].tobytes(), type=Saved)
        except msgspec.DecodeError:
            return False
        for key, row, (window, day) in clients:
            first, second = (
                {step: _Step(good, missing, ts) for step, good, missing, ts in steps} for steps, _ in (window, day)
            )
            self.clients[key] = _Client((first, second), [window[1], day[1]], row)
        self.domains = sum(client.domains for client in self.clients.values())
        self.ticks.current[:] = saved["current"]
        return True
