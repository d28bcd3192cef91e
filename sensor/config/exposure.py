"""Settings of the detectors of what is open for anybody to see, one class for each.

Law: a setting has a default, a unit and a line on what it is for.
"""

from __future__ import annotations

import msgspec

from sensor.config.values import PRIVATE_NETWORKS, AtLeastOne, AtLeastTwo, BodyBytes, SecondsOrNone, Share


class CleartextSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for credentials and API traffic in clear."""
    allowed_networks: tuple[str, ...] = PRIVATE_NETWORKS
    """Networks between which an API in clear is no finding (RFC 1918, 4193, 6598 and the links' own)."""
    trusted_servers: tuple[str, ...] = ()
    """Networks of servers that are meant to be asked in clear, because a proxy before them ends TLS."""
    entities_max: AtLeastOne = 8_192
    """Clients, and servers, whose findings are remembered; the oldest give way and are counted."""


class WeakTlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for servers with old TLS versions, weak ciphers, and expired or self-signed certificates."""
    servers_max: AtLeastOne = 8_192
    """Servers whose findings are remembered, for each rule; the oldest give way and are counted."""


class HiddenClientsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Note servers whose accounts nearly all come from one address, as behind a proxy that `trusted_proxies` lacks."""
    accounts_min: AtLeastTwo = 24
    """Different accounts that come from one address."""
    share_min: Share = 0.9
    """Share of the server's accounts that these must be."""
    known_seconds: SecondsOrNone = 60.0
    """Packet time for which the server's accounts must be known."""
    servers_max: AtLeastOne = 256
    """Servers remembered; those without new accounts lately give way and are counted."""
    clients_max: AtLeastTwo = 256
    """Addresses of a server remembered; accounts of further ones do not count."""


class ExposedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for pages, files, errors and versions that servers should not show."""
    body_bytes: BodyBytes = 4_096
    """Of an answer's body that are looked at."""
    current_banners: bool = False
    """Tell of servers that name a version which is still repaired, too; else only of versions out of support."""
    entities_max: AtLeastOne = 8_192
    """Endpoints, and servers, whose findings are remembered; the oldest give way and are counted."""


class SensitiveDataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for personal data and secrets in bodies."""
    body_bytes: BodyBytes = 4_096
    """Of a body that are looked at."""


class HoneytokensSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for honeytokens, if any are listed."""
    values: tuple[str, ...] = ()
    """Values that nobody has a reason to use, of 6 bytes and more, each with its name before it: NAME=VALUE."""
    file: str = ""
    """A file of them, one a line; # begins a comment."""
    entities_max: AtLeastOne = 8_192
    """Clients and honeytokens that are remembered; the oldest give way and are counted."""
