"""Settings of threat intelligence. Law: a setting has a default, a unit and a line that says what it is for."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sensor.config.values import AtLeastOne, Seconds, SecondsOrNone, Share


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list of addresses, names or fingerprints that somebody keeps; `tapir feeds update` fetches it."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9._-]*$", max_length=64)]
    """Lower case letters, digits, dots and dashes: alerts name it, and its files are called so."""
    url: str
    """https://, http:// or file:// address; ${VARIABLE} is taken from the environment."""
    headers: dict[str, str] = {}
    """Further headers of the request, keys of an account for example; ${VARIABLE} is taken from the environment."""
    format: Literal["auto", "text", "csv", "misp", "stix"] = "auto"
    """auto: JSON is MISP or STIX 2.1 by what it holds, lines with commas are CSV, the rest is one entry a line."""
    kind: Literal["auto", "address", "domain", "url", "user_agent", "ja3", "ja4"] = "auto"
    """Of the entries of text and CSV; auto takes addresses, networks, domains, URLs and JA4 for what they look like."""
    column: str = ""
    """Of CSV: name or number (from 1) of the column with the entry; when empty the first that looks like one."""
    confidence: Share = 0.7
    """Of entries that do not say their own; from 0.8 on alerts keep their severity, below 0.5 they are low."""
    expire_seconds: SecondsOrNone = 0.0
    """Time after which an entry that does not say its own end is forgotten, from its own time stamp or the last
    successful update; 0 is when the feed no longer has it.
    """
    refresh_seconds: Seconds = 86_400.0
    """It is not fetched again before."""
    stale_seconds: Seconds = 259_200.0
    """Without a successful update for so long, an alert says so."""
    checksum_url: str = ""
    """Where the SHA-256 of the feed is, as hex digits; none when empty."""
    signature_url: str = ""
    """Where its signature is: minisign's, or 64 bytes of Ed25519 in raw or Base64; none when empty."""
    public_key: str = ""
    """Key of the signature: minisign's (RW...) or 32 bytes of Ed25519 in Base64."""
    shrink_max: Share = 0.9
    """An update that loses more than this part of the entries is refused, and the last good one stays."""
    special_addresses: bool = False
    """Take private, local and reserved addresses too, which lists of unassigned networks contain."""


class ThreatIntelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Compare addresses, names, URLs, user agents and TLS fingerprints with the feeds, if there is a folder of them."""
    folder: str = ""
    """Where `tapir feeds update` keeps feeds and sensors read them, again when they change; none when empty."""
    feeds: tuple[FeedSettings, ...] = ()
    """The feeds."""
    bytes_max: AtLeastOne = 256 << 20
    """Of a feed, decompressed; a larger one is refused."""
    timeout_seconds: Seconds = 30.0
    """How long a server of feeds may take to answer."""
    entities_max: AtLeastOne = 8_192
    """Clients and entries that are remembered, for each rule; the oldest give way and are counted."""
