"""Attacks on logins as a whole: in: transactions; out: detections of spraying and stuffing, and of logins that fail.

Many accounts that fail from one client, with few tries each, within minutes or within a day, or from many clients by
one kind of software, are somebody's list of accounts. A login that goes well in the middle of it makes the case
critical: that account is to be taken as compromised. An endpoint at which far more fails than usual, whoever asks, is
attacked from everywhere or is not well. The one law: accounts that fail and then go well count for nothing, so that
users behind one address who mistype are no attack.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from sensor import limits
from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import LoginAttacksSettings
from sensor.detection.by_code import code_of
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds, sweep
from sensor.detection.detectors.login_attacks_kernel import HIT, LOGINS, WORDS, By, Progress, find_attacks
from sensor.detection.evidence import address, detection_of, http_of
from sensor.schema import TransactionFlag
from sensor.structures.entity_table import EntityTable
from sensor.structures.memory import Memory
from sensor.structures.records import picked

SPRAYING = Rule(
    id="password-spraying",
    version=1,
    title="Password spraying or credential stuffing: many accounts fail from one client",
    category="authentication",
    kind=Kind.ATTACK,
    severity=Severity.HIGH,
    owasp=("API2:2023",),
    attack=("T1110.003", "T1110.004"),
)
DISTRIBUTED = Rule(
    id="password-spraying-distributed",
    version=1,
    title="Many accounts fail from many clients with one kind of software",
    category="authentication",
    kind=Kind.ATTACK,
    severity=Severity.HIGH,
    owasp=("API2:2023",),
    attack=("T1110.003", "T1110.004"),
)
FAILING = Rule(
    id="logins-failing",
    version=1,
    title="Far more logins fail than usual, from many clients",
    category="authentication",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API2:2023",),
    attack=("T1110",),
)
RULES = {By.CLIENT: SPRAYING, By.SOFTWARE: DISTRIBUTED, By.ENDPOINT: FAILING, By.DAY: SPRAYING}
DAY_SECONDS = 86_400.0
_VERSION = re.compile(r"\d[\d._]*")
LOGIN = np.uint16(TransactionFlag.LOGIN)


class LoginAttacks:
    """See the file's head; settings: LoginAttacksSettings."""

    rules = (SPRAYING, DISTRIBUTED, FAILING)

    def __init__(self, settings: LoginAttacksSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = np.array(
            [
                nanoseconds(settings.window_seconds / 2),
                settings.accounts_min,
                settings.tries_max,
                settings.clients_min,
                settings.ratio_min,
                settings.endpoint_failures_min,
                nanoseconds(REPORT_SECONDS),
                nanoseconds(DAY_SECONDS / 2),
                settings.day_accounts_min,
            ],
            np.float64,
        )
        self.table = EntityTable(settings.entities_max)
        self.records = np.zeros(settings.entities_max, LOGINS)
        self.bitmaps = np.zeros(settings.entities_max * WORDS, np.uint64)
        self.progress = np.zeros(len(Progress), np.int64)
        self.hits = np.zeros(limits.HITS_MAX, HIT)
        self.faults = 0
        self.memory = Memory()
        self.memory.keep("records", self.table, records=self.records, bitmaps=self.bitmaps)
        self.state, self.restore = self.memory.state, self.memory.restore

    @property
    def evicted(self) -> int:
        return self.table.evicted

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        rows = np.flatnonzero(batch.transactions["flags"] & LOGIN)
        if not rows.size:
            return detections
        logins, entities = picked(batch.transactions, rows), picked(batch.entities, rows)
        basic = code_of("basic", logins["auth_scheme"], self.strings)
        pool = self.strings.tables
        self.faults += sweep(
            lambda start: find_attacks(
                logins, entities, pool.entries, pool.bytes, start, basic, *self.table.arrays, self.records,
                self.bitmaps, self.thresholds, self.hits, self.progress,
            ),
            len(logins),
            self.progress,
            lambda hits: detections.extend(self._detection(hit, logins[hit["row"]]) for hit in self.hits[:hits]),
        )  # fmt: skip
        return detections

    def _entity(self, by: By, transaction: Any) -> Entity:
        if by in (By.CLIENT, By.DAY):
            return Entity("client", address(transaction, "client"))
        http = http_of(transaction, self.strings)
        if by == By.SOFTWARE:
            return Entity("software", _VERSION.sub("*", http.user_agent or "no user agent"))
        return Entity("endpoint", f"{address(transaction, 'server')} {http.endpoint}")

    def _detection(self, hit: Any, transaction: Any) -> Detection:
        by, settings = By(int(hit["by"])), self.settings
        entity = self._entity(by, transaction)
        failing, daily = by == By.ENDPOINT, by == By.DAY
        least = settings.day_accounts_min if daily else settings.accounts_min
        return detection_of(
            transaction,
            self.strings,
            RULES[by],
            entity,
            Numbers(
                observed=float(hit["failures"] if failing else hit["accounts"]),
                threshold=float(settings.endpoint_failures_min if failing else least),
                unit="failed logins" if failing else "accounts that failed",
                window_seconds=DAY_SECONDS if daily else settings.window_seconds,
                baseline=round(float(hit["usual"]), 3) if failing else None,
            ),
            count=int(hit["failures"]),
            run=f"{entity.value}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            severity=Severity.CRITICAL if hit["guessed"] else Severity.MEDIUM if daily else None,
            confidence=0.6 if failing else 0.9,
            details={
                "failures": int(hit["failures"]),
                "successes": int(hit["successes"]),
                "accounts": int(hit["accounts"]),
                "clients": int(hit["clients"]),
                "locked_out": int(hit["locked"]),
                "succeeded": bool(hit["guessed"]),
            },
        )
