"""Settings of the detectors of probing clients. Law: a setting has a default, a unit and a line on what it is for."""

from __future__ import annotations

import msgspec

from sensor.config.values import AtLeastTwo, Seconds, SecondsOrNone, Share, Times


class AccountProbingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that try which accounts exist: at a password's reset, at registration, "is this name free"."""
    names_min: AtLeastTwo = 20
    """Different names of accounts that one client asked about within an hour."""
    day_names_min: AtLeastTwo = 60
    """The same within a day."""
    share_min: Share = 0.3
    """Share of the client's requests, from the time half of the names were seen, that ask so: an office does more."""
    clients_max: AtLeastTwo = 4_096
    """Clients remembered; those that did not ask lately give way and are counted."""


class ErrorProbingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that provoke errors (400, 422, 500 ...) with ever other requests."""
    window_seconds: Seconds = 600.0
    """Packet time in which they are counted."""
    requests_min: AtLeastTwo = 20
    """Different requests of one client that were answered with such an error."""
    share_min: Share = 0.4
    """Share of the client's requests, from the time half of these were seen, that must end so."""
    clients_max: AtLeastTwo = 4_096
    """Clients remembered; those without errors lately give way and are counted."""


class ParameterProbingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that try names of query parameters which nobody else sends."""
    window_seconds: Seconds = 600.0
    """Packet time in which they are counted."""
    known_seconds: SecondsOrNone = 20.0
    """Packet time from the first request on in which new names are learned, and count for nobody."""
    names_min: AtLeastTwo = 30
    """Different new names that one client sent."""
    ratio_min: Times = 4.0
    """Times what half of the others who sent new names have sent."""
    share_min: Share = 0.4
    """Share of the client's requests, from the time half of these were seen, that must have new names."""
    clients_max: AtLeastTwo = 4_096
    """Clients remembered; those without new names lately give way and are counted."""


class PingSweepSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that ping many hosts which do not answer."""
    window_seconds: Seconds = 600.0
    """Packet time in which hosts are counted; a day is looked at too."""
    hosts_min: AtLeastTwo = 20
    """Hosts that one client asked for the first time in a day and that gave no answer, half of all it asked so."""
    day_hosts_min: AtLeastTwo = 60
    """The same within a day."""
    clients_max: AtLeastTwo = 4_096
    """Clients remembered; those that asked nobody lately give way and are counted."""


class TlsProbingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that try versions and ciphers of TLS servers."""
    window_seconds: Seconds = 600.0
    """Packet time in which they are counted."""
    hellos_min: AtLeastTwo = 10
    """Different hellos of one client to one server that no data followed."""
    pairs_max: AtLeastTwo = 4_096
    """Pairs of client and server remembered; those without such hellos lately give way and are counted."""


class MethodProbingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that try methods which are refused."""
    window_seconds: Seconds = 3_600.0
    """Packet time in which they are counted."""
    methods_min: AtLeastTwo = 3
    """Different methods that were refused to one client: from here on it is no mistake."""
    pairs_min: AtLeastTwo = 8
    """Different pairs of method and endpoint that were refused."""
    ratio_min: Times = 5.0
    """Times what half of the other clients with such refusals have, when there are three."""
    clients_max: AtLeastTwo = 4_096
    """Clients remembered; those that were not refused lately give way and are counted."""


class NovelPathsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that ask for many paths which nobody asked for before."""
    known_seconds: SecondsOrNone = 60.0
    """Packet time, from the beginning of watching, in which paths are only learned."""
    window_seconds: Seconds = 600.0
    """Packet time in which a client's new paths are counted."""
    paths_min: AtLeastTwo = 30
    """New paths of one client that were answered, nine in ten of them alike: by one page, or sent elsewhere."""
    share_min: Share = 0.5
    """Share of the client's requests, from the time half of these were seen, that ask for new paths."""
    names_min: AtLeastTwo = 25
    """Things below one path that an identity was the first to open, by names that are no ids."""
    ratio_min: Times = 8.0
    """Times what nine in ten others of its role were the first to open there."""
    peers_min: AtLeastTwo = 8
    """Others of its role that must have opened things there."""
    paths_max: AtLeastTwo = 65_536
    """Paths remembered; the oldest give way and are counted."""
    clients_max: AtLeastTwo = 4_096
    """Clients, and places where things are opened, remembered; those not used lately give way and are counted."""
