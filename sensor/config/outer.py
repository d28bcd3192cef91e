"""Settings of what comes after detection. Law: a setting has a default, a unit and a line that says what it is for."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits
from sensor.config.values import AtLeastOne, NotNegative, Seconds, SecondsOrNone, Share


class AlertingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sensor: str = ""
    """Name of this sensor in its alerts; the host's name when empty."""
    quiet_seconds: Seconds = 300.0
    """An alert closes after this much packet time without a repeat; what comes later is a new alert."""
    update_seconds: SecondsOrNone = 10.0
    """Least packet time between two updates of one alert; a risen severity does not wait."""
    open_max: AtLeastOne = limits.ALERTS_OPEN_MAX
    """Alerts open at once; the one quiet for longest is closed early and counted beyond it."""
    allow_file: str = ""
    """File of what is allowed, by rule, entity, endpoint and schedule, each with a reason and an end; none when empty.
    """
    allow_from: str = ""
    """Address of a collector that offers what is allowed besides (`collector.allow_listen`); nobody is asked when
    empty.
    """
    allow_from_seconds: Seconds = 60.0
    """Time between two questions to that collector."""
    false_alerts_per_day_max: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Alerts a day that are bearable if nothing is wrong: rules that say more are held to what is rare by their own
    past four weeks. 0 leaves the thresholds as they are set.
    """


class StateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    folder: str = ""
    """Where what was learned is kept from run to run, with the fingerprint key; nothing is kept when empty."""
    checkpoint_seconds: Seconds = 60.0
    """Packet time between two checkpoints of a run; a killed run goes on from the last one."""


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    folder: str = ""
    """Where alerts are kept before they are published; none are kept when empty."""
    bytes_max: AtLeastOne = 1 << 30
    """Bytes kept; the oldest segment is removed beyond it."""
    age_max_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30 * 86_400.0
    """Segments whose newest alert is older are removed."""
    segment_bytes: Annotated[int, msgspec.Meta(ge=1, le=64 << 20)] = 8 << 20
    """A file of the journal is ended at this size; what is removed is removed by whole files."""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `tapir run` offers beside its outputs."""

    metrics: str = ""
    """HOST:PORT of the page with Prometheus metrics, such as 127.0.0.1:9464; none when empty."""
    silent_seconds: SecondsOrNone = 60.0
    """Without a packet for so long an alert says so (capture-silent); 0 is never."""
    control: str = ""
    """Path of the socket that `tapir status` and `tapir top` ask; in the runtime folder when empty."""


class OverloadSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `tapir run` leaves undone, and when, while packets come faster than it can work on them."""

    enabled: bool = True
    """Leave work undone rather than lose packets: contents first, then the detectors below, then new connections."""
    pressure_high: Share = 0.5
    """Part of the ring, or of `lag_seconds_max`, that waits from which on the pressure is high."""
    pressure_low: Share = 0.1
    """Part down to which it must fall before anything is taken up again; packets that are let gather
    (`capture.gather_ms`) do not count.
    """
    lag_seconds_max: Seconds = 10.0
    """How late packets may be worked on."""
    step_seconds: Seconds = 0.2
    """Packet time for which the pressure stays high, and does not fall, before a step. The first is taken at once when
    three quarters wait, with the default of `pressure_high`.
    """
    recover_seconds: Seconds = 3.0
    """Packet time for which it stays low before each step back."""
    detectors: tuple[str, ...] = ("injection", "signatures", "sigma", "sensitive_data", "exposed", "anomaly")
    """Detectors that rest from the second step on."""


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files of transactions, flows, TLS connections and alerts. A name with %Y %m %d %H %M %S or %j (packet time, UTC)
    changes with time by itself.
    """

    rotate_bytes: NotNegative = 0
    """Bytes of a file at which it is renamed (http.jsonl to http.1.jsonl, http.2.jsonl ...) and a new one begun; 0 is
    never.
    """
    rotate_seconds: SecondsOrNone = 0.0
    """Packet time after which the same is done; 0 is never."""
    files_kept: NotNegative = 0
    """Earlier files of each output that are kept; the oldest are removed beyond it, 0 keeps all."""


class BusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    publish: str = ""
    """Where alerts are published over ZeroMQ, as tcp://127.0.0.1:5556; nowhere when empty."""
    replay: str = ""
    """Where published alerts can be asked for again; when empty the next port, or the same path with -replay."""
    keys: str = ""
    """Folder of keys (`tapir keys`); when empty the one in the state folder, and none on addresses of this host alone.
    """
    plaintext: bool = False
    """Let everyone who reaches the address read the alerts, without keys or encryption."""
    heartbeat_seconds: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 0.5
    """Time between two heartbeats: after so long a subscriber knows that it missed an alert."""
    linger_seconds: SecondsOrNone = 5.0
    """At the end, how long subscribers are waited for that have not taken all."""
    send_queue_alerts: AtLeastOne = limits.SEND_QUEUE_ALERTS
    """Alerts queued for each subscriber that does not keep up; beyond it, it has to ask for them again."""
    publish_tables: bool = False
    """Publish transactions (tx.arrow) and flows (flow.arrow) too, while someone subscribes to them."""
