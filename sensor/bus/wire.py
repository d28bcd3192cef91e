"""What passes between sensor and subscriber besides alerts: heartbeats, requests, replies, as JSON both ends share.

    stats.heartbeat    Heartbeat, on the alert stream, twice a second and when a subscriber comes
    stats.rules        ToldRules, on the alert stream
    replay socket      Request goes in; out comes Reply, followed by [topic, alert] pairs

Law: a field that is not known is passed over, so either end may be newer.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor.alert_log import Hole, Position

HEARTBEAT = "stats.heartbeat"
COUNTERS = "stats.counters"
SUBSCRIBERS = "stats.subscribers"
RULES = "stats.rules"
VERSION = 1

Natural = Annotated[int, msgspec.Meta(ge=0)]


class JournalHealth(msgspec.Struct, frozen=True, kw_only=True):
    durable: bool            # kept on disk; otherwise only the last alerts, in memory
    failing: str = ""        # why alerts cannot be written at present
    unwritten: int = 0       # alerts that wait in memory for that to pass
    lost: int = 0            # alerts given up because too many waited
    size_bytes: int = 0
    first: Position = (0, 0) # the oldest alert that can be asked for
    hash: str = ""           # of the newest record: what `tapir journal verify` prints


class Load(msgspec.Struct, frozen=True, kw_only=True):
    queued: int = 0          # alerts that wait to be written and published
    cpu_seconds: float = 0.0 # of the whole process since its start
    rss_bytes: int = 0


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The sensor is there. All alerts up to `sequence` were published before it, on the same connection."""

    version: int = VERSION
    sensor: str
    epoch: Natural
    sequence: Natural        # of the last alert of this epoch; 0 before the first
    ts: float                # wall clock of the sensor, seconds since 1970
    interval_seconds: float
    closing: bool = False    # the run is at its end: the sensor waits a moment for those who lag
    replay: str = ""         # where alerts can be asked for again, as the sensor listens there
    journal: JournalHealth
    load: Load = Load()
    capture: dict[str, int] = {}  # packets, bytes, what was lost, by name; packet time `now` in ns
    subscribers: int = 0
    lag_max: int = 0         # alerts that the slowest known subscriber has not taken


class SubscriberHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One subscriber that tells how far it is; plain SUB sockets do not."""

    address: str             # of the peer
    key: str                 # its name in the list of allowed keys; empty without keys
    lag: int                 # alerts of this epoch that it has not taken
    heard_seconds: float     # since it last said so


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`after`: what follows this position. `snapshot`: the open alerts, those behind this alert_id. `at`: how far the
    peer is; a request with this alone gets no reply.
    """

    request: int = 0         # comes back in the reply
    after: tuple[Natural, Natural] | None = None
    snapshot: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    at: tuple[Natural, Natural] | None = None
    topics: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ("alert.",)
    records_max: Natural = 1_000


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`upto`: the pairs that follow are all there is to this position. `problem`: why there are none."""

    request: int = 0
    sensor: str = ""
    epoch: int = 0
    upto: Position = (0, 0)
    more: bool = False
    reset: bool = False      # the log was made anew: this begins at its oldest alert
    holes: list[Hole] = []
    problem: str = ""


class ToldRule(msgspec.Struct, frozen=True):
    """One rule that a sensor looks for, as sensor.alert.Rule has it."""

    id: str
    category: str
    severity: str
    owasp: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()


class ToldRules(msgspec.Struct, frozen=True, kw_only=True):
    """All that a sensor looks for: when a subscriber comes, when they change, and every minute."""

    version: int = VERSION
    sensor: str
    epoch: Natural
    ts: float                # wall clock of the sensor, seconds since 1970
    rules: tuple[ToldRule, ...]
