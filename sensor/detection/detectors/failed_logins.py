"""Failed logins: in: transactions; out: detections of password guessing, by client address and by account.

"More than N failures in W" is exact. A login that goes well for whoever was guessing makes the case critical: the
account is to be taken as compromised. A guesser who waits is found by the different passwords that an account gets in a
day. What stays quiet: a few wrong passwords, tokens that run out, many users behind
one address who each mistype. The one law: only transactions that the protocol marked as logins count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import FailedLoginsSettings
from sensor.detection.by_code import code_of
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, Table, nanoseconds, sweep
from sensor.detection.detectors.failed_logins_kernel import GUESSED, HIT, By, Progress, find_guessing
from sensor.detection.detectors.login_passwords_kernel import tell_passwords
from sensor.detection.evidence import address, detection_of
from sensor.schema import TransactionFlag
from sensor.schema_contents import Wanted
from sensor.structures.entity_table import EntityTable
from sensor.structures.memory import Memory
from sensor.structures.records import picked

CLIENT = Rule(
    id="brute-force-login",
    version=1,
    title="Brute force: many failed logins from one address",
    category="authentication",
    kind=Kind.ATTACK,
    severity=Severity.HIGH,
    owasp=("API2:2023",),
    attack=("T1110",),
)
ACCOUNT = Rule(
    id="brute-force-account",
    version=1,
    title="Brute force: many failed logins to one account",
    category="authentication",
    kind=Kind.ATTACK,
    severity=Severity.HIGH,
    owasp=("API2:2023",),
    attack=("T1110.001",),
)
SLOW = Rule(
    id="brute-force-slow",
    version=1,
    title="Slow brute force: different passwords for one account, all day long",
    category="authentication",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API2:2023",),
    attack=("T1110.001",),
)
DAY_SECONDS = 86_400.0
SLOW_MAX = 4_096
"""Accounts of which a day's failures are remembered: that takes 1 KB each."""
BODY_BYTES = 1_024
LOGIN = np.uint16(TransactionFlag.LOGIN)


class _Guesses:
    """What is remembered of clients or of accounts: the last failures of each, one more than are allowed."""

    def __init__(
        self, by: By, rule: Rule, failures_max: int, window_seconds: float, entities_max: int, slow_seconds: float = 0.0
    ) -> None:
        self.by, self.rule, self.failures_max, self.window_seconds = by, rule, failures_max, window_seconds
        self.size = failures_max + 1
        self.slow_ns = nanoseconds(slow_seconds)
        self.table = EntityTable(entities_max)
        self.guessed = np.zeros(entities_max, GUESSED)
        self.times = np.zeros(entities_max * self.size, np.int64)
        self.starts = np.zeros(entities_max * self.size, np.int64)
        self.whose = np.zeros(entities_max * self.size, np.uint64)


def slow_seconds(settings: FailedLoginsSettings) -> float:
    """What a day's failures span at least that come too slowly for the other rule."""
    part = (settings.account_day_failures_max + 1) / max(settings.account_failures_max, 1)
    return settings.account_window_seconds * part


class FailedLogins:
    """See the file's head; settings: FailedLoginsSettings."""

    rules = (CLIENT, ACCOUNT, SLOW)
    wanted = Wanted(request_body=BODY_BYTES)

    def __init__(self, settings: FailedLoginsSettings, strings: Strings) -> None:
        self.strings = strings
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.kinds = (
            _Guesses(
                By.CLIENT, CLIENT, settings.client_failures_max, settings.client_window_seconds, settings.entities_max
            ),
            _Guesses(
                By.ACCOUNT, ACCOUNT, settings.account_failures_max, settings.account_window_seconds,
                settings.entities_max,
            ),
            _Guesses(
                By.SLOW, SLOW, settings.account_day_failures_max, DAY_SECONDS, min(settings.entities_max, SLOW_MAX),
                slow_seconds(settings),
            ),
        )  # fmt: skip
        self.memory = Memory()
        for kind in self.kinds:
            columns = {
                "guessed": kind.guessed, "times": kind.times, "starts": kind.starts, "whose": kind.whose,
            }  # fmt: skip
            self.memory.keep(kind.by.name.lower(), kind.table, **columns)
        self.state, self.restore = self.memory.state, self.memory.restore
        self.faults = 0

    @property
    def evicted(self) -> int:
        return sum(kind.table.evicted for kind in self.kinds)

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        rows = np.flatnonzero(batch.transactions["flags"] & LOGIN)
        if not rows.size:
            return detections
        logins = picked(batch.transactions, rows)
        passwords = self._passwords(batch, rows)
        basic_code = code_of("basic", logins["auth_scheme"], self.strings)
        for kind in self.kinds:
            self.faults += sweep(
                lambda start, kind=kind: self._find(kind, logins, passwords, basic_code, start),  # type: ignore[misc]
                len(logins),
                self.progress,
                lambda hits, kind=kind: detections.extend(  # type: ignore[misc]
                    self._detection(kind, hit, logins[hit["row"]]) for hit in self.hits[:hits]
                ),
            )
        return detections

    def _passwords(self, batch: Batch, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
        """What tells the passwords of these logins apart; 0 where they were not seen."""
        out = np.zeros(len(rows), np.uint64)
        if len(batch.contents) == len(batch.transactions):
            seeds = self.kinds[By.SLOW].table.seeds
            tell_passwords(picked(batch.contents, rows), batch.arena, np.uint64(seeds[0]), out)  # type: ignore[call-arg]
        return out

    def _find(
        self, kind: _Guesses, logins: Table, passwords: npt.NDArray[np.uint64], basic_code: int, start: int
    ) -> int:
        window_ns, report_ns = nanoseconds(kind.window_seconds), nanoseconds(REPORT_SECONDS)
        return find_guessing(
            logins, passwords, start, int(kind.by), basic_code, *kind.table.arrays,
            kind.guessed, kind.times, kind.starts, kind.whose, kind.size, kind.slow_ns, window_ns, report_ns,
            self.hits, self.progress,
        )  # type: ignore[no-any-return]  # fmt: skip

    def _detection(self, kind: _Guesses, hit: Any, transaction: Any) -> Detection:
        account = f"{transaction['account']:016x}"
        entity = Entity("account", account)
        if kind.by == By.CLIENT:
            entity = Entity("client", address(transaction, "client"))
        details: dict[str, Any] = {"succeeded": bool(hit["succeeded"])}
        if transaction["account"]:
            details["account"] = account
        return detection_of(
            transaction,
            self.strings,
            kind.rule,
            entity,
            Numbers(
                observed=float(hit["failures"]), threshold=float(kind.failures_max), unit="failed logins",
                window_seconds=kind.window_seconds,
            ),
            count=int(hit["failures"]),
            run=f"{entity.value}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            severity=Severity.CRITICAL if hit["succeeded"] else None,
            details=details,
        )  # fmt: skip
