"""Concurrent sessions: in: transactions; out: detections of accounts that are used from too many places at once.

Each place has a credential of its own, in a network and with software of its own, and comes back again and again while
the others are in use. People have a laptop and a phone, services have replicas: what is too much is more places than a
person has, or twice what is usual for the account; or a second place, with software that is new, of an account that
never had two. The one law: the place that came first is never shown as the client.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import numpy as np

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import ConcurrentSessionsSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings
from sensor.detection.detectors.account_changes import BROWSERS
from sensor.detection.detectors.concurrent_sessions_kernel import (
    ACCOUNT,
    HELD,
    HIT,
    HOLDER,
    SEAT,
    Progress,
    find_sessions,
)
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.kept import Kept
from sensor.detection.places import Networks
from sensor.limits import NS
from sensor.structures.entity_table import EntityTable
from sensor.structures.entity_tables import IdentityKind
from sensor.structures.word_search import folded_words

RULE = Rule(
    id="concurrent-sessions",
    version=1,
    title="One account in use at more places at once than its holder can be",
    category="session",
    kind=Kind.BEHAVIOUR,
    severity=Severity.LOW,
    owasp=("API2:2023",),
    attack=("T1078",),
)


class ConcurrentSessions(Kept):
    """See the file's head; settings: ConcurrentSessionsSettings."""

    rules = (RULE,)

    def __init__(self, settings: ConcurrentSessionsSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = np.array(
            [settings.places_min, settings.window_seconds, settings.turns_min, settings.known_days, REPORT_SECONDS],
            np.float64,
        )
        path = settings.network_table
        self.networks = Networks(path, "detection.concurrent_sessions.network_table") if path else None
        self.browsers = folded_words(BROWSERS)
        self.holders = ByRow(HOLDER)
        self.accounts = np.zeros(settings.accounts_max, ACCOUNT)
        self.seats = np.zeros(settings.accounts_max * HELD, SEAT)
        super().__init__(
            "accounts", EntityTable(settings.accounts_max), {"accounts": self.accounts, "seats": self.seats},
            {"holders": self.holders}, HIT, len(Progress),
        )  # fmt: skip

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        identity, pool = batch.tables.identity, self.strings.tables
        columns: list[Any] = [self.holders.of(identity), identity.generations, *self.table.arrays]
        self.sweep(
            len(batch.transactions),
            lambda start: find_sessions(  # type: ignore[call-arg]  # counts no items of a list
                batch.transactions, batch.entities, start, pool.entries, pool.bytes, *columns, self.accounts,
                self.seats, self.browsers, self.thresholds, self.hits, self.progress,
            ),
            lambda hit: detections.extend(self._detections(hit, batch.transactions[hit["row"]])),
        )  # fmt: skip
        return detections

    def _detections(self, hit: Any, transaction: Any) -> list[Detection]:
        networks = sorted({_text(int(network)) for network in hit["networks"][: hit["credentials"]]})
        if self.networks is not None:
            holders = {self.networks.network(text.partition("/")[0]) or text for text in networks}
            if len(holders) < hit["threshold"]:
                return []
        return [self._detection(hit, transaction, networks)]

    def _detection(self, hit: Any, transaction: Any, networks: list[str]) -> Detection:
        entity = identity_of(transaction, IdentityKind.SUBJECT)
        known = int(hit["days"]) >= self.settings.known_days
        many = int(hit["places"]) >= self.settings.places_min
        return detection_of(
            transaction,
            self.strings,
            RULE,
            entity,
            Numbers(
                observed=float(hit["places"]), threshold=float(hit["threshold"]), unit="places at once",
                window_seconds=self.settings.window_seconds, baseline=float(hit["peak"]) if known else None,
            ),
            count=int(hit["places"]),
            run=f"{entity.value}@{hit['run']}",
            first_ts=int(hit["begun"]) * NS,
            severity=Severity.MEDIUM if known and many else None,
            confidence=0.8 if many else 0.5,
            details={
                "credentials": int(hit["credentials"]),
                "networks": networks,
                "days_known": int(hit["days"]),
            },
        )  # fmt: skip


def _text(network: int) -> str:
    """A network as the kernel has it, in its usual form."""
    if network >> 63:
        return f"{ipaddress.IPv4Address((network & 0xFFFFFF) << 8)}/24"
    return f"{ipaddress.IPv6Address(network << 80)}/48"
