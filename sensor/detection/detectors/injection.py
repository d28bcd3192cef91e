"""Injection: in: transactions with the bytes of their messages; out: detections by client and class of attack.

Every value that a client can choose is searched, decoded and judged (detection/injection/). A finding is weak evidence
(low), strong (medium), seems to have worked (high) or has (critical). What stays quiet: prose with SQL words, names
with apostrophes, filters, code between code marks. The one law: a case is one client and one class of attack, never an
endpoint.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sensor.alert import Detection, Entity, Http, Numbers, Severity
from sensor.config import InjectionSettings
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.evidence import address, community_id, http_of
from sensor.detection.injection.decode import text_of
from sensor.detection.injection.finding import STRONG, WEAK
from sensor.detection.injection.outcome import Outcome, Verdict, verdict
from sensor.detection.injection.rules import RULES
from sensor.detection.injection.search import Count, Hit, Search
from sensor.detection.injection.usual_kernel import USUAL, learn
from sensor.detection.unseen import unseen_of
from sensor.schema import Wanted

QUIET_SECONDS = 300.0
"""Packet time after which a client's attempts begin to be counted anew."""
_SEVERITIES = (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_NAME_MAX = 64
_RANKS = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_LOOKS = "GraphQL introspection"
_GUESS = re.compile(r"log_?in|sign_?in|authenticat|verify|otp|passcode|password|pin\b", re.IGNORECASE)
_GUESSES_MIN = 10


class _Shown(NamedTuple):
    """The attempt that shows most of a case: how far it got, its points, what it was."""

    outcome: Outcome
    points: int
    why: str
    evidence: str
    place: str
    parameter: str
    http: Http | None


@dataclass(slots=True)
class _Case:
    """One client's attempts of one class; `shown` is the one that got furthest."""

    run_now: int
    first_ts: int
    last_now: int
    attempts: int = 0
    reported: int = 0
    reported_now: int = 0
    rank: int = -1
    outcomes: tuple[int, int, int] = (0, 0, 0)
    shown: _Shown | None = None


class Injection:
    """See the file's head; settings: InjectionSettings."""

    rules = tuple(dict.fromkeys(RULES.values()))

    def __init__(self, settings: InjectionSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.wanted = Wanted(True, settings.request_body_bytes, True, settings.response_body_bytes)
        self.found = Search(unseen_of(strings), settings.judged_per_second)
        self.faults = self._evicted = 0
        self._usual = np.zeros(0, USUAL)
        self._cases: OrderedDict[tuple[str, str], _Case] = OrderedDict()

    def take_over(self, before: Injection) -> None:
        """Go on with the open cases and the usual answers that the one before knew."""
        self._usual, self._cases, self.found = before._usual, before._cases, before.found
        self.found.judged_per_second = self.settings.judged_per_second

    @property
    def evicted(self) -> int:
        return self._evicted + self.shed

    @property
    def shed(self) -> int:
        """Requests that were suspicious and not judged, because the budget was spent."""
        return self.found.counters[Count.SHED]

    def process(self, batch: Batch) -> list[Detection]:
        transactions = batch.transactions
        if not len(batch.contents):
            return []
        if not len(self._usual):
            self._usual = np.zeros(batch.tables.endpoint.rows, USUAL)
        hits = self.found.search(batch.contents, batch.arena, transactions["now"])
        detections: list[Detection] = []
        learnt = 0
        generations = batch.tables.endpoint.generations
        for hit in hits:
            learn(transactions, batch.entities, learnt, hit.row, generations, self._usual)
            learnt = max(learnt, hit.row + 1)
            detection = self._judge(batch, hit)
            if detection is not None:
                detections.append(detection)
        learn(transactions, batch.entities, learnt, len(transactions), generations, self._usual)
        return detections

    def _judge(self, batch: Batch, hit: Hit) -> Detection | None:
        transaction = batch.transactions[hit.row]
        content = batch.contents[hit.row]
        start, length = int(content["response_body_offset"]), int(content["response_body_len"])
        answer = text_of(batch.arena[start : start + length].tobytes())
        usual = self._usual[int(batch.entities[hit.row]["endpoint"])]
        markup = "html" in self.strings.text(int(transaction["response_content_type"]))
        weak = hit.finding.points < STRONG
        judged = verdict(hit.finding.kind, hit.value.text, answer, markup, transaction, usual, weak)
        severity = _SEVERITIES[judged.outcome]
        if weak and judged.outcome != Outcome.CONFIRMED:
            severity = _RANKS[_RANKS.index(severity) - 1]
        if hit.finding.kind == "graphql":
            severity = _of_graphql(hit, severity)
        case = self._case(hit, transaction, judged)
        if not self._is_due(case, _RANKS.index(severity), int(transaction["now"])):
            return None
        return self._detection(hit, transaction, case, severity)

    def _case(self, hit: Hit, transaction: Any, judged: Verdict) -> _Case:
        key = (address(transaction, "client"), RULES[hit.finding.kind].id)
        now = int(transaction["now"])
        case = self._cases.pop(key, None)
        if case is None or now - case.last_now > nanoseconds(QUIET_SECONDS):
            case = _Case(run_now=now, first_ts=int(transaction["ts"]), last_now=now)
            if len(self._cases) >= self.settings.clients_max:
                self._cases.popitem(last=False)
                self._evicted += 1
        self._cases[key] = case
        case.attempts += 1
        case.last_now = now
        case.first_ts = min(case.first_ts, int(transaction["ts"]))
        counts = list(case.outcomes)
        counts[judged.outcome] += 1
        case.outcomes = (counts[0], counts[1], counts[2])
        if case.shown is None or (judged.outcome, hit.finding.points) > (case.shown.outcome, case.shown.points):
            parameter = hit.value.name if hit.value.name.isprintable() and len(hit.value.name) <= _NAME_MAX else ""
            case.shown = _Shown(
                judged.outcome, hit.finding.points, judged.why, hit.finding.evidence, hit.value.place, parameter,
                http_of(transaction, self.strings),
            )  # fmt: skip
        return case

    def _is_due(self, case: _Case, rank: int, now: int) -> bool:
        grown = case.attempts - case.reported
        due = rank > case.rank or grown > case.reported >> 4 or now - case.reported_now >= nanoseconds(REPORT_SECONDS)
        if due:
            case.rank, case.reported, case.reported_now = max(case.rank, rank), case.attempts, now
        return due

    def _detection(self, hit: Hit, transaction: Any, case: _Case, severity: Severity) -> Detection:
        client, shown = address(transaction, "client"), case.shown
        assert shown is not None
        details: dict[str, Any] = {
            "outcome": shown.outcome.name.lower(),
            "why": shown.why,
            "evidence": shown.evidence,
            "place": shown.place,
            "attempts": case.attempts,
            "probable": case.outcomes[Outcome.PROBABLE],
            "confirmed": case.outcomes[Outcome.CONFIRMED],
        }
        if shown.parameter:
            details["parameter"] = shown.parameter
        if self.shed:
            details["not_judged"] = self.shed
        return Detection(
            now=int(transaction["now"]),
            rule=RULES[hit.finding.kind],
            entity=Entity("client", client),
            numbers=Numbers(
                observed=float(shown.points), threshold=float(WEAK), unit="points", window_seconds=QUIET_SECONDS
            ),
            count=case.attempts,
            run=f"{client}@{case.run_now}",
            first_ts=case.first_ts,
            last_ts=int(transaction["ts"]),
            confidence=min(1.0, shown.points / 20) if shown.outcome != Outcome.CONFIRMED else 1.0,
            client_ip=client,
            client_port=int(transaction["client_port"]),
            server_ip=address(transaction, "server"),
            server_port=int(transaction["server_port"]),
            community_id=community_id(transaction, "client", "server"),
            http=shown.http,
            severity=severity,
            details=details,
        )


def _of_graphql(hit: Hit, severity: Severity) -> Severity:
    """A schema that is read harms nobody by itself, and developers' tools do so; one request that tries many logins or
    codes under as many aliases is guessing.
    """
    if hit.finding.evidence == _LOOKS:
        return Severity.LOW
    return Severity.HIGH if len(_GUESS.findall(hit.value.text)) >= _GUESSES_MIN else severity
