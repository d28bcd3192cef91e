"""What sensor and collector share: detections as a detector states them, alerts as they are sent.

A Detection is a verdict about one entity at one moment of packet time. Policy folds repeats of the same (rule, entity)
into one Alert, whose revisions are few. An alert's identity is derived from its content, so the same capture gives the
same ids.
"""

from __future__ import annotations

import hashlib
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
RESPOND_WITHIN = {Severity.CRITICAL: "now", Severity.HIGH: "15 min", Severity.MEDIUM: "1 h", Severity.LOW: "24 h"}


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
    """One verdict. `now` is packet time (ns) when it was reached, `first_ts` and `last_ts` the packets it speaks of."""

    now: int
    rule: Rule
    entity: Entity
    numbers: Numbers
    count: int                        # attempts, requests or flows it counts so far, in this run
    run: str                          # names what `count` counts: a repeat replaces the count, another run adds to it
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


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of an alert, as it leaves on every output.

    Times are seconds since 1970 as Zeek writes them, exact to the microsecond. All times but `detection_ts` are packet
    time. The alert that its first revision raised is updated a few times and closed by its last; `alert_id` stays.
    `sequence` counts all revisions of all alerts from 1 within an epoch, which is one run of one sensor: a missing
    number is a missed revision.
    """

    schema_version: int
    sensor: str
    epoch: int                        # when this run of the sensor began, microseconds since 1970
    sequence: int
    alert_id: str                     # 32 hex digits, of sensor, rule, entity and when it was raised
    revision: int                     # 1 for the raised one
    state: State
    kind: Kind
    ts: float                         # of the verdict, or of the end of the quiet time when it closes
    detection_ts: float               # wall clock of the sensor when it said so
    rule_id: str
    rule_version: int
    title: str
    category: str
    owasp: tuple[str, ...]
    attack: tuple[str, ...]
    severity: Severity                # the highest so far
    respond_within: str               # now, 15 min, 1 h, 24 h
    respond_within_seconds: int
    confidence: float                 # 0 to 1, the highest so far; less as packets were dropped
    entity: Entity
    client_ip: str | None             # this and the next five: of the transaction or flow that decided
    client_port: int | None
    server_ip: str | None
    server_port: int | None
    community_id: str | None
    http: Http | None
    numbers: Numbers                  # of the verdict furthest above its threshold
    first_seen: float                 # first and last packet it speaks of
    last_seen: float
    count: int                        # attempts, requests or flows, of all runs
    details: dict[str, Any]
    degraded: dict[str, int]          # what was lost since the start (evicted, shed, faults), by name


def seconds(ns: int) -> float:
    """Packet time (ns) as an alert shows it."""
    return (ns + 500) // 1000 / 1_000_000


def alert_id_of(sensor: str, rule_id: str, entity: Entity, raised_ts: int) -> str:
    """SHA-256, cut to 128 bits, over a JSON array of what makes the alert: the same capture gives the same ids."""
    content = msgspec.json.encode([sensor, rule_id, entity.kind, entity.value, raised_ts])
    return hashlib.sha256(content).hexdigest()[:32]


def json_schema() -> bytes:
    """JSON Schema of Alert, as docs/alert.schema.json has it."""
    schema = msgspec.json.schema(Alert)
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"


if __name__ == "__main__":
    print(json_schema().decode(), end="")
