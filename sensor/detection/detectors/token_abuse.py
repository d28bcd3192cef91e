"""Tokens and sessions: in: transactions; out: detections of tokens with two holders and of tokens that should not work.

A token in the hands of a second holder is used in turns with the first, from another address and by other software. A
phone that moves from one network to another takes its software along and does not come back and forth; many tokens
from one address are a gateway or a NAT. Expired, unsigned and logged-out tokens count where they were accepted by an
endpoint that serves nobody without one. The one law: the second holder is shown as the client, not the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import TokenAbuseSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.detectors.token_abuse_kernel import (
    GUARD,
    HIT,
    HOLDER,
    RIGHTS,
    SESSION,
    Progress,
    Told,
    find_abuse,
)
from sensor.detection.evidence import address, address_text, detection_of
from sensor.detection.kept import Kept
from sensor.structures.client_stack import differences
from sensor.structures.entity_table import EntityTable


def _rule(name: str, title: str, kind: Kind, severity: Severity, attack: tuple[str, ...] = ()) -> Rule:
    return Rule(
        id=name, version=1, title=title, category="session", kind=kind, severity=severity, owasp=("API2:2023",),
        attack=attack,
    )  # fmt: skip


SHARED = _rule("token-shared", "One token in use by two clients at once", Kind.ATTACK, Severity.HIGH, ("T1550.001",))
EXPIRED = _rule("token-expired", "An expired token was accepted", Kind.POSTURE, Severity.MEDIUM, ("T1550.001",))
UNSIGNED = _rule("token-unsigned", "A token without a signature was accepted", Kind.ATTACK, Severity.HIGH, ("T1606",))
LOGGED_OUT = _rule("token-after-logout", "A token was accepted after its logout", Kind.POSTURE, Severity.MEDIUM)
ENDLESS = _rule("token-lifetime", "A token is good for too long", Kind.POSTURE, Severity.LOW)
LONG = _rule("session-lifetime", "A session goes on for too long", Kind.POSTURE, Severity.LOW)
ROLE = _rule("role-change", "An account has another role than before", Kind.BEHAVIOUR, Severity.LOW, ("T1098",))
IN_URL = _rule("token-in-url", "A token stands in the request target", Kind.POSTURE, Severity.LOW, ("T1552",))
RULES = (SHARED, EXPIRED, UNSIGNED, LOGGED_OUT, ENDLESS, LONG, ROLE, IN_URL)
UNITS = {
    Told.SHARED: "changes between the two",
    Told.EXPIRED: "seconds past its end",
    Told.UNSIGNED: "uses",
    Told.LOGGED_OUT: "seconds past the logout",
    Told.ENDLESS: "seconds from issue to end, 0 without end",
    Told.LONG: "seconds since its first use",
    Told.ROLE: "changes",
    Told.IN_URL: "uses",
}


def _thresholds(settings: TokenAbuseSettings) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The settings in the order of Threshold."""
    return np.array(
        [
            nanoseconds(settings.window_seconds),
            settings.switches_min,
            settings.relay_credentials_min,
            nanoseconds(settings.leeway_seconds),
            settings.token_seconds_max,
            nanoseconds(settings.session_seconds_max),
            settings.guarded_answers_min,
            settings.role_uses_min,
            nanoseconds(REPORT_SECONDS),
            nanoseconds(settings.logout_seconds),
        ],
        np.float64,
    )


class TokenAbuse(Kept):
    """See the file's head; settings: TokenAbuseSettings."""

    rules = RULES

    def __init__(self, settings: TokenAbuseSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = _thresholds(settings)
        self.sessions = np.zeros(settings.sessions_max, SESSION)
        self.guards, self.holders, self.rights = ByRow(GUARD), ByRow(HOLDER), ByRow(RIGHTS)
        super().__init__(
            "sessions", EntityTable(settings.sessions_max), {"sessions": self.sessions},
            {"guards": self.guards, "holders": self.holders, "rights": self.rights}, HIT, len(Progress),
        )  # fmt: skip

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        tables = batch.tables
        columns = (
            self.guards.of(tables.endpoint), tables.endpoint.generations,
            self.holders.of(tables.client), tables.client.generations,
            self.rights.of(tables.identity), tables.identity.generations,
        )  # fmt: skip
        self.sweep(
            len(batch.transactions),
            lambda start: find_abuse(
                batch.transactions, batch.entities, self.strings.tables.entries, start, *self.table.arrays,
                self.sessions, *columns, self.thresholds, self.hashes, self.hits, self.progress,
            ),
            lambda hit: detections.append(self._detection(hit, batch.transactions[hit["row"]])),
        )  # fmt: skip
        return detections

    def _detection(self, hit: Any, transaction: Any) -> Detection:
        told = Told(int(hit["rule"]))
        token = f"{int(transaction['user']):016x}"
        posture = told in (Told.ENDLESS, Told.LONG, Told.IN_URL)
        user = f"{int(transaction['subject'] or transaction['user']):016x}"
        entity = Entity("server", address(transaction, "server")) if posture else Entity("user", user)
        settings = self.settings
        threshold = {
            Told.SHARED: float(settings.switches_min),
            Told.EXPIRED: settings.leeway_seconds,
            Told.LOGGED_OUT: settings.logout_seconds,
            Told.ENDLESS: settings.token_seconds_max,
            Told.LONG: settings.session_seconds_max,
        }.get(told, 0.0)
        return detection_of(
            transaction,
            self.strings,
            RULES[told],
            entity,
            Numbers(
                observed=float(hit["observed"]), threshold=float(threshold), unit=UNITS[told],
                window_seconds=settings.window_seconds,
            ),
            count=int(hit["count"]),
            run=f"{RULES[told].id} {token}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            severity=Severity.MEDIUM if told == Told.SHARED and self._is_key(transaction) else None,
            details=_shared(hit, transaction, token) if told == Told.SHARED else {"token": token},
        )  # fmt: skip

    def _is_key(self, transaction: Any) -> bool:
        """Whether a token is an API key: it is a program's, and programs have several machines."""
        return self.strings.text(int(transaction["auth_scheme"])) == "api-key"


def _shared(hit: Any, transaction: Any, token: str) -> dict[str, Any]:
    """Who has a token twice, and how that shows."""
    parts = differences(int(hit["first_order"]), int(hit["order"]))
    if not hit["same_agent"]:
        parts.append("user agent")
    return {
        "token": token,
        "first_holder": address_text(int(hit["first_hi"]), int(hit["first_lo"])),
        "second_holder": address(transaction, "client"),
        "second_holder_uses": int(hit["count"]),
        "differs_in": parts,
    }
