"""Settings of `tapir collect --store --settings`. Law: a setting has a default, a unit and a line that says what it is
for; a secret may be named as ${VARIABLE} of the environment instead of standing in the file.
"""

from __future__ import annotations

import msgspec

from sensor.alert import Severity
from sensor.config.values import AtLeastOne, Seconds, SecondsOrNone


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where notifications go: an address of apprise, or a webhook of one's own. One of the two."""

    name: str
    """By which routes and the on-call chain name it."""
    apprise: str = ""
    """Address in apprise's syntax (slack://, mailto://, pagerduty://); ${VARIABLE} is taken from the environment."""
    webhook: str = ""
    """http:// or https:// address that gets the body; ${VARIABLE} is taken from the environment."""
    headers: dict[str, str] = {}
    """Further headers of the webhook; ${VARIABLE} is taken from the environment."""
    body: str = ""
    """Template of the webhook's body with {{severity}}, {{endpoint}}, {{timestamp}} ...; a JSON object when empty."""
    secret: str = ""
    """Signs the webhook's body (HMAC-SHA256); unsigned when empty. ${VARIABLE} is taken from the environment."""


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which incidents go to which channels: all that is given must hold."""

    channels: tuple[str, ...]
    """Names of channels."""
    severities: tuple[Severity, ...] = ()
    """critical, high, medium, low; any when empty."""
    categories: tuple[str, ...] = ()
    """Categories of rules (authentication, exfiltration ...); any when empty."""
    entities: tuple[str, ...] = ()
    """Actors or KIND:VALUE with * for anything, or networks (10.0.0.0/8); any when empty."""
    hours: str = ""
    """As Mon-Fri 08:00-18:00, days or hours may be left out; any time when empty."""


class CollectorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of alerts in `tapir collect --store`."""

    incident_idle_seconds: Seconds = 86_400.0
    """Packet time after which an actor's next alert is a new incident."""
    channels: tuple[ChannelSettings, ...] = ()
    """Where notifications can go."""
    routes: tuple[RouteSettings, ...] = ()
    """Which incidents are notified where; none are when empty."""
    on_call: tuple[str, ...] = ()
    """Channels called one after the other for incidents that nobody acknowledged in time."""
    escalate_seconds: Seconds = 900.0
    """Time between two calls of the on-call chain."""
    digest_medium_seconds: SecondsOrNone = 3_600.0
    """Medium incidents are told together after this time; 0 tells each at once."""
    digest_low_seconds: SecondsOrNone = 86_400.0
    """The same of low incidents."""
    quiet_hours: str = ""
    """When low incidents wait, as 22:00-07:00 or Sat-Sun; never when empty."""
    time_zone: str = "UTC"
    """Of quiet hours and of the hours of routes."""
    retry_seconds: Seconds = 5.0
    """Before a failed delivery is tried again; doubled each time, to an hour."""
    tries_max: AtLeastOne = 12
    """A delivery that failed so often is given up: `tapir incidents undelivered`."""
    timeout_seconds: Seconds = 10.0
    """How long a webhook may take to answer."""
