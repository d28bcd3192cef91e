"""Settings of `tapir collect --store --settings`. Law: a setting has a default, a unit and a line that says what it is
for; a secret may be named as ${VARIABLE} of the environment instead of standing in the file.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor.alert import Severity
from sensor.config.investigation import InvestigationSettings
from sensor.config.sinks import SinkSettings
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
    """Template of what is sent, with {{severity}}, {{endpoint}}, {{timestamp}} ...; when empty the message, or for a
    webhook a JSON object.
    """
    title: str = ""
    """Template of the title that apprise sends; [{{severity}}] {{title}}: {{actor}} when empty."""
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


class ActionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done about a client, for a time: a command of one's own, or an element of an nftables set."""

    name: str
    """By which the audit trail names it."""
    command: tuple[str, ...] = ()
    """Program and arguments that get JSON on standard input; no shell is involved."""
    nft_set_ipv4: str = ""
    """Set of IPv4 addresses with timeouts, as inet tapir blocked4."""
    nft_set_ipv6: str = ""
    """Set of IPv6 addresses with timeouts, as inet tapir blocked6."""
    nft: tuple[str, ...] = ("nft", "-f", "-")
    """How nftables is told, commands on standard input; of another host: ssh, HOST, nft -f -."""
    severities: tuple[Severity, ...] = (Severity.CRITICAL,)
    """Of alerts that ask for it."""
    rules: tuple[str, ...] = ()
    """Ids of rules that ask for it; any when empty."""
    confidence_min: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.9
    """Alerts of less confidence do not ask for it."""
    ttl_seconds: Seconds = 1_800.0
    """After this time it is undone."""


class ResponseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Automated response: off unless enabled, and then only told (audit trail) until `dry_run` is false."""

    enabled: bool = False
    """Whether alerts may ask for actions at all."""
    dry_run: bool = True
    """Note in the audit trail what would be done, and do nothing."""
    never: tuple[str, ...] = ()
    """Addresses and networks that no action may touch; loopback, link-local and multicast are never touched anyway."""
    actions: tuple[ActionSettings, ...] = ()
    """What can be done."""
    command_seconds: Seconds = 10.0
    """How long a command may take."""


class CollectorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of alerts in `tapir collect --store`."""

    allow_listen: str = ""
    """Where sensors may fetch what is allowed (`tapir allowances`), as tcp://*:5557; nowhere when empty."""
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
    sinks: tuple[SinkSettings, ...] = ()
    """Where each stored alert goes too."""
    response: ResponseSettings = ResponseSettings()
    investigation: InvestigationSettings = InvestigationSettings()
