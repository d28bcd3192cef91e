"""What sensor and collector share: detections as a detector states them, alerts as they are sent.

A Detection is a verdict about one entity at one moment of packet time. Policy folds repeats of the same (rule, entity) into one
Alert, whose revisions are few. An alert's identity is derived from its content, so the same capture gives the same ids.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

SCHEMA_VERSION = 1


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


RESPOND_WITHIN_SECONDS = {Severity.CRITICAL: 0, Severity.HIGH: 900, Severity.MEDIUM: 3600, Severity.LOW: 86400}


class Kind(StrEnum):
    ATTACK = "attack"        # someone attacks
    BEHAVIOUR = "behaviour"  # an account, client or endpoint behaves unlike itself or its peers
    POSTURE = "posture"      # a weakness anyone could see
    HEALTH = "health"        # the sensor or what it sees is not well


class State(StrEnum):
    RAISED = "raised"
    UPDATED = "updated"
    CLOSED = "closed"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector looks for; one per rule id, constant over a run."""

    id: str                      # "brute-force-login": lower case, dashes; the last part of the topic
    version: int
    title: str
    category: str                # "authentication", "scanning", "exfiltration" ...: the topic's third part
    kind: Kind
    severity: Severity
    owasp: tuple[str, ...] = ()  # OWASP API Security Top 10 2023: "API2:2023"
    attack: tuple[str, ...] = () # MITRE ATT&CK technique ids: "T1110"


class Entity(msgspec.Struct, frozen=True, order=True):
    """To whom the behaviour is ascribed."""

    kind: str   # client, user, account, endpoint, server
    value: str  # an address, a fingerprint, a template


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """The figures behind the verdict, in the unit that `unit` names."""

    observed: float
    threshold: float
    unit: str
    window_seconds: float
    baseline: float | None = None


class Http(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The transaction that decided, secrets replaced."""

    method: str | None = None
    host: str | None = None
    uri: str | None = None
    endpoint: str | None = None
    status_code: int | None = None
    user_agent: str | None = None


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. `now` is packet time (ns) when it was reached, `first_ts`/`last_ts` the packets (ns) it speaks of."""

    now: int
    rule: Rule
    entity: Entity
    numbers: Numbers
    count: int                        # attempts, requests or flows it counts so far
    first_ts: int
    last_ts: int
    confidence: float = 1.0           # 0 to 1
    client_ip: str | None = None
    client_port: int | None = None
    server_ip: str | None = None
    server_port: int | None = None
    community_id: str | None = None
    http: Http | None = None
    severity: Severity | None = None  # when the case is worse or milder than the rule's own
    details: dict[str, Any] = {}      # what else explains it: small, no secrets
