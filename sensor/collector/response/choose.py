"""Which alerts ask for a response: a stored alert goes in, rows of what is wanted come out, in the same transaction.

Law: one action has at most one response for one target at a time, and nothing is ever wanted about who is on the list
of those never to be touched; that such was asked for is in the audit trail.
"""

from __future__ import annotations

import ipaddress

from sensor.alert import Alert
from sensor.collector import audit
from sensor.collector.databases import Database
from sensor.collector.incidents import Change
from sensor.collector.response.commands import can_touch, check
from sensor.collector.store import Stored
from sensor.config import ActionSettings, ResponseSettings
from sensor.errors import SettingError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Protected:
    """Who is never touched. Raises SettingError for what is no address or network."""

    def __init__(self, never: tuple[str, ...]) -> None:
        self._networks = []
        for text in never:
            try:
                self._networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                raise SettingError(f"collector.response.never: {text!r}: expected an address or a network") from None

    def __contains__(self, address: Address) -> bool:
        special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
        return special or any(address in network for network in self._networks)


class Chooser:
    """A consequence of the store whose connection is `base`."""

    def __init__(self, base: Database, settings: ResponseSettings) -> None:
        for action in settings.actions:
            check(action)
        if len({action.name for action in settings.actions}) < len(settings.actions):
            raise SettingError("collector.response.actions: two have the same name")
        self._base, self._settings = base, settings
        self._protected = Protected(settings.never)

    def __call__(self, stored: Stored) -> None:
        if not self._settings.enabled or stored.change == Change.REVISED:
            return
        target = target_of(stored.alert)
        for action in self._settings.actions:
            if target is not None and asks(action, stored.alert) and can_touch(action, str(target)):
                self._want(action, target, stored)

    def _want(self, action: ActionSettings, target: Address, stored: Stored) -> None:
        if target in self._protected:
            told = f"{action.name} of {target}: never to be touched"
            audit.add(self._base, stored.now, stored.incident, "tapir", "response refused", told)
            return
        self._base.execute(
            "INSERT INTO responses (action, target, incident, asked, until, dry_run)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (action.name, str(target), stored.incident, stored.now, stored.now + action.ttl_seconds,
             self._settings.dry_run),
        )


def target_of(alert: Alert) -> Address | None:
    """The client's address, an IPv4 one that is written as IPv6 as itself."""
    try:
        address = ipaddress.ip_address(alert.client_ip or "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def asks(action: ActionSettings, alert: Alert) -> bool:
    fits = alert.severity in action.severities and alert.confidence >= action.confidence_min
    return fits and (not action.rules or alert.rule_id in action.rules)
