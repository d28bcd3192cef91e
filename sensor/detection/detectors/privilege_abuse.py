"""Functions and fields above one's role: in: transactions, request bodies; out: detections.

A role that was refused an endpoint and is served there; a role with many holders, none of whom used an endpoint that
other roles use, or that is an administrator's by its name, until one of them did; an identity that is refused one
endpoint after the other, or is let in where it was refused once it has sent a field that gives rights; such a field
(role, is_admin, balance) in a request to an endpoint that never had it. The one law: only roles that tokens name are
compared, and only once they are known by enough holders and uses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import PrivilegeAbuseSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.detectors.privilege_abuse_body_kernel import NAMES, hash_names
from sensor.detection.detectors.privilege_abuse_kernel import (
    ACCESS,
    BARRED,
    FIELDS,
    HIT,
    REFUSALS,
    Progress,
    Why,
    find_above_role,
)
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.kept import Kept
from sensor.limits import IDENTITIES_MAX
from sensor.schema import Wanted
from sensor.structures.entity_table import EntityTable
from sensor.structures.word_search import folded_words


def _rule(name: str, title: str, owasp: str, attack: str) -> Rule:
    return Rule(
        id=name, version=1, title=title, category="authorisation", kind=Kind.ATTACK, severity=Severity.MEDIUM,
        owasp=(owasp,), attack=(attack,),
    )  # fmt: skip


FUNCTION = _rule("function-above-role", "A function above one's role was served", "API5:2023", "T1068")
PROBING = _rule("function-probing", "One identity is refused one function after the other", "API5:2023", "T1595")
FIELD = _rule("unexpected-field", "A request sets a field that gives rights and was never sent", "API3:2023", "T1565")
RULES = {
    Why.REFUSED_BEFORE: FUNCTION, Why.OTHER_ROLES: FUNCTION, Why.ADMIN: FUNCTION, Why.PROBING: PROBING,
    Why.FIELD: FIELD, Why.GAINED: FUNCTION,
}  # fmt: skip
REASONS = {
    Why.REFUSED_BEFORE: "its role was refused there before",
    Why.OTHER_ROLES: "only other roles used it before",
    Why.ADMIN: "an administrator's by its name, and nobody of its role used it before",
    Why.PROBING: "different endpoints refused with 403",
    Why.FIELD: "no request to this endpoint had the field before",
    Why.GAINED: "it was refused there itself, until it had sent a field that gives rights",
}
CONFIDENCE = {
    Why.REFUSED_BEFORE: 0.8, Why.OTHER_ROLES: 0.5, Why.ADMIN: 0.7, Why.PROBING: 0.8, Why.FIELD: 0.7, Why.GAINED: 0.9,
}  # fmt: skip
ADMIN_WORDS = ("admin", "internal", "manage", "actuator", "console", "debug")
RIGHTS = (
    "role", "roles", "admin", "isadmin", "superuser", "issuperuser", "staff", "isstaff", "permission", "permissions",
    "privileges", "scope", "scopes", "groups", "tenantid", "accounttype", "usertype", "accesslevel",
    "verified", "isverified", "emailverified", "approved", "isapproved",
    "balance", "credit", "credits", "price", "discount", "tier", "plan", "ownerid",
)  # fmt: skip
"""Fields that give rights or money, without regard to case, `_` and `-`; ROLE_FIELDS of them come first."""
BODY_BYTES = 2_048


def hashes_of(names: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    data = np.frombuffer("".join(names).encode(), np.uint8).copy()
    out = np.zeros(len(names), np.uint64)
    hash_names(data, np.cumsum([len(name) for name in names]).astype(np.int64), out)
    return out


class PrivilegeAbuse(Kept):
    """See the file's head; settings: PrivilegeAbuseSettings."""

    rules = (FUNCTION, PROBING, FIELD)
    wanted = Wanted(request_body=BODY_BYTES)

    def __init__(self, settings: PrivilegeAbuseSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.thresholds = np.array(
            [
                settings.holders_min,
                settings.uses_min,
                nanoseconds(settings.known_seconds),
                settings.others_min,
                settings.refused_endpoints_min,
                nanoseconds(settings.window_seconds),
                settings.bodies_min,
            ],
            np.float64,
        )
        self.admin_words, self.sensitive = folded_words(ADMIN_WORDS), hashes_of(RIGHTS)
        self.accesses = np.zeros(settings.accesses_max, ACCESS)
        self.names = np.zeros(2 * NAMES, np.uint64)
        self.refusals, self.barred = ByRow(REFUSALS), ByRow(BARRED, rows_max=IDENTITIES_MAX)
        self.fields = ByRow(FIELDS)
        super().__init__(
            "access_rows", EntityTable(settings.accesses_max), {"accesses": self.accesses},
            {"refusals": self.refusals, "barred": self.barred, "field_rights": self.fields},
            HIT, len(Progress),
        )  # fmt: skip

    def process(self, batch: Batch) -> list[Detection]:
        detections: list[Detection] = []
        endpoint, identity = batch.tables.endpoint, batch.tables.identity
        refusals, barred = self.refusals.of(identity), self.barred.of(identity)
        fields = self.fields.of(endpoint)
        pool = self.strings.tables
        self.sweep(
            len(batch.transactions),
            lambda start: find_above_role(
                batch.transactions, batch.entities, batch.contents, batch.arena, start,
                pool.entries, pool.bytes, self.admin_words, *self.table.arrays, self.accesses,
                refusals, barred, identity.generations, fields, endpoint.generations, self.names,
                self.sensitive, self.thresholds, self.hashes, self.hits, self.progress,
            ),
            lambda hit: detections.append(self._detection(hit, batch)),
        )  # fmt: skip
        return detections

    def _detection(self, hit: Any, batch: Batch) -> Detection:
        transaction, why = batch.transactions[hit["row"]], Why(int(hit["why"]))
        entity = identity_of(transaction, int(batch.entities["identity_kind"][hit["row"]]))
        details: dict[str, Any] = {"reason": REASONS[why]}
        if why == Why.FIELD:
            start = int(hit["field"])
            name = batch.arena[start : start + int(hit["field_len"])].tobytes()
            details["field"] = name.decode("ascii", "backslashreplace")
        else:
            details["role"] = f"{int(transaction['role']):016x}"
        changed = why == Why.GAINED and bool(transaction["role"])
        threshold = self.settings.refused_endpoints_min if why == Why.PROBING else 1
        return detection_of(
            transaction,
            self.strings,
            RULES[why],
            entity,
            Numbers(
                observed=float(hit["observed"]), threshold=float(threshold),
                unit="endpoints refused" if why == Why.PROBING else "uses",
                window_seconds=self.settings.window_seconds,
                baseline=float(hit["usual"]) if why != Why.PROBING else None,
            ),
            count=int(hit["observed"]),
            run=f"{entity.value} {why.name} {self.strings.text(int(transaction['endpoint']))}@{transaction['now']}",
            first_ts=int(hit["first_ts"]),
            severity=Severity.HIGH if why == Why.REFUSED_BEFORE or changed else None,
            confidence=CONFIDENCE[why],
            details=details,
        )  # fmt: skip
