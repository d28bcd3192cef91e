"""Settings of the detectors of what accounts and tokens do, one class for each.

Law: a setting has a default, a unit and a line on what it is for.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits
from sensor.config.values import (
    AtLeastOne,
    AtLeastTwo,
    BodyBytes,
    NotNegative,
    Seconds,
    SecondsOrNone,
    Share,
    Times,
)


class AccountChangesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for impossible travel, for countries new for an account, and for tools in accounts of browsers."""
    location_table: str = ""
    """A MaxMind DB of cities (or of countries, which have no distances); none when empty."""
    speed_kmh_max: Annotated[float, msgspec.Meta(gt=0)] = 1_000.0
    """What an aeroplane does; who is faster between two uses is not one person."""
    distance_km_min: Annotated[float, msgspec.Meta(ge=0)] = 1_000.0
    """Distance below which it says nothing: a mobile network may leave for the Internet anywhere in its country."""
    network_table: str = ""
    """A MaxMind DB of autonomous systems, by which networks are told apart; none when empty."""
    uses_min: AtLeastOne = 20
    """Uses after which an account's countries, networks and software are known."""
    people_min: AtLeastTwo = 50
    """Accounts of which the networks, or at a server the software, must be known for one of them to be rare."""
    others_part_max: Share = 0.01
    """Part of them that may have it, or be in it."""
    agents_max: AtLeastTwo = 4_096
    """Kinds of software remembered, by server; those not used lately give way and are counted."""


class PrivilegeAbuseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for functions and fields above one's role."""
    holders_min: AtLeastTwo = 8
    """Identities by which a role, or an endpoint's fields, must be known."""
    uses_min: AtLeastOne = 100
    """Answers that a role's holders must have had."""
    known_seconds: SecondsOrNone = 30.0
    """Packet time for which a role, or an endpoint's fields, must be known."""
    others_min: AtLeastOne = 8
    """Answers that other roles must have had of an endpoint which is theirs."""
    refused_endpoints_min: AtLeastTwo = 5
    """Different endpoints refused (403) to one identity within the window."""
    window_seconds: Seconds = 3_600.0
    """Packet time in which refusals are counted."""
    bodies_min: AtLeastOne = 30
    """Request bodies from which on the fields of an endpoint are known."""
    accesses_max: AtLeastTwo = limits.ACCESSES_MAX
    """Pairs of endpoint and role remembered; those not used lately give way and are counted."""


class TokenAbuseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for tokens with two holders and tokens that should not work."""
    window_seconds: Seconds = 3_600.0
    """Packet time without a use after which a second holder is forgotten."""
    switches_min: AtLeastTwo = 3
    """Changes between the two holders of a token: first, second, first, second are three."""
    relay_credentials_min: AtLeastTwo = 10
    """A client with this many credentials is a gateway or a NAT, which is never the second holder."""
    leeway_seconds: SecondsOrNone = 60.0
    """Packet time for which an expired token may still work: clocks differ."""
    logout_seconds: SecondsOrNone = 10.0
    """Packet time for which a token may still work after its logout: requests on their way."""
    token_seconds_max: Seconds = 7 * 86_400.0
    """From a token's issue to its end; more, or no end, is told."""
    session_seconds_max: Seconds = 30 * 86_400.0
    """From a session cookie's first use to its last."""
    guarded_answers_min: AtLeastOne = 20
    """Answers of an endpoint, all of them with a credential, from which on it is taken to need one."""
    role_uses_min: AtLeastOne = 20
    """Uses of one role after which another one is a change."""
    sessions_max: AtLeastTwo = limits.SESSIONS_MAX
    """Credentials remembered; those not used lately give way and are counted."""


class TokenGuessingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that try many tokens which are refused."""
    tokens_min: AtLeastTwo = 15
    """Different credentials of one client that were answered with 401 and never served."""
    window_seconds: Seconds = 600.0
    """Packet time after which a refusal is forgotten."""
    clients_max: AtLeastTwo = 4_096
    """Clients remembered; those not refused lately give way and are counted."""


class ConcurrentSessionsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for accounts that are used from too many places at once."""
    places_min: Annotated[int, msgspec.Meta(ge=2, le=5)] = 4
    """Places, each with a credential, a network (/24, IPv6: /48) and software of its own, that are more than a person
    has; or twice the most that was usual for the account.
    """
    window_seconds: Seconds = 900.0
    """Packet time without a use after which a place is not in use any more."""
    turns_min: AtLeastOne = 2
    """Times that each of them must have come back after another was used: renewed tokens do not."""
    network_table: str = ""
    """A MaxMind DB of autonomous systems: places in one of them are then one network; none when empty."""
    known_days: AtLeastOne = 3
    """Active days after which it is known how many places are usual; from then on it is told of at medium, and at low
    of a second place, with software that is new, of an account that never had two at once.
    """
    accounts_max: AtLeastTwo = 20_000
    """Accounts with several credentials remembered, about 270 bytes each; those not used lately give way and are
    counted.
    """


class ObjectEnumerationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for identities that read far more objects than others of their role."""
    window_seconds: Seconds = 86_400.0
    """Packet time over which different objects are counted."""
    objects_min: AtLeastTwo = 12
    """Different objects of one endpoint below which nothing is an enumeration."""
    ratio_min: Times = 4.0
    """Times what nine in ten others of the role have read."""
    peers_min: AtLeastTwo = 8
    """Others of the role that the endpoint must have to compare with."""
    known_seconds: SecondsOrNone = 30.0
    """Packet time for which others of the role must have used the endpoint."""
    unknown_role_factor: Times = 35.0
    """Times the threshold for tokens that name no role, unless ids come in order or many are refused."""
    paced_per_minute_min: AtLeastTwo = 30
    """New objects of the present minute from which on no person reads: of tokens that name no role."""
    paced_factor: Times = 4.0
    """Times the threshold for these, instead of the factor above."""
    roleless_factor: Times = 2.0
    """Times the threshold for who comes without a role (a cookie, a key, no credential) where all others have one."""
    refused_min: AtLeastTwo = 20
    """Different objects refused (403, 404), and no more answered, that are probing."""
    refused_seconds: Seconds = 30.0
    """Packet time in which one refusal is forgotten: who is refused less often than that is no prober."""
    alone_per_minute_min: AtLeastTwo = 600
    """Without others of the role: new objects in one minute; half of it once three minutes are known."""
    alone_ratio_min: Times = 5.0
    """Without others of the role: times the busiest minute before."""
    cohorts_max: AtLeastTwo = limits.COHORTS_MAX
    """Pairs of endpoint and role remembered; those not used lately give way and are counted."""


class NeverGivenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for identities that read objects whose ids no answer gave to them, where others read what they were given.
    """
    window_seconds: Seconds = 86_400.0
    """Packet time over which reads are counted; an id that was given is remembered for as long at least."""
    ids_min: AtLeastTwo = 20
    """Different ids of one endpoint that were never given."""
    share_min: Share = 0.3
    """Share of the different ids it read there."""
    faithful_min: AtLeastTwo = 8
    """Other identities, of its role, that read nearly only ids that were given to them: from so many on it is the
    endpoint's way.
    """
    faithful_share_min: Share = 0.95
    """Share that these must be of all others."""
    others_max: NotNegative = 2
    """Others that may read what they were not given: more of them are a role, and only who was faithful the day before
    is reported.
    """
    body_bytes: BodyBytes = 4_096
    """Of an answer's body that are searched for ids. Longer lists count as so many ids that may have been given; more
    bytes cost all that look at bodies.
    """
    identities_max: AtLeastTwo = 20_000
    """Identities of which is remembered what they were given, 1 KiB each; the lighter ones give way and are counted."""
    cohorts_max: AtLeastTwo = limits.COHORTS_MAX
    """Pairs of endpoint and role remembered; those not used lately give way and are counted."""


class LoginAttacksSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for spraying and stuffing, and for logins that fail more than usual."""
    window_seconds: Seconds = 600.0
    """Packet time in which logins are counted."""
    accounts_min: AtLeastTwo = 10
    """Different accounts that failed, and did not go well either, from one client or one kind of software."""
    day_accounts_min: AtLeastTwo = 30
    """So many of one client within a day are slow spraying."""
    tries_max: Times = 5.0
    """Failures for each of these accounts up to which it is spraying; more is guessing, which failed_logins finds."""
    clients_min: AtLeastTwo = 5
    """Different clients that fail, from which on it is distributed."""
    ratio_min: Times = 3.0
    """Failures to successes of an attacker, and times the usual share of failures of an endpoint."""
    endpoint_failures_min: AtLeastOne = 30
    """Failed logins of an endpoint below which its share says nothing."""
    entities_max: AtLeastTwo = limits.LOGIN_RECORDS_MAX
    """Clients, kinds of software and endpoints remembered; those not used lately give way and are counted."""


class FailedLoginsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for password guessing."""
    client_failures_max: NotNegative = 5
    """Failed logins that one client address may have within its window; one more is a detection."""
    client_window_seconds: Seconds = 120.0
    """Packet time in which a client's failed logins are counted."""
    account_failures_max: NotNegative = 10
    """Failed logins that one account may have within its window, from whatever address; one more is a detection."""
    account_window_seconds: Seconds = 300.0
    """Packet time in which an account's failed logins are counted."""
    account_day_failures_max: NotNegative = 20
    """Failed logins that one account may have within a day beyond those that went well: more are slow guessing, when
    half of the passwords are different. Where bodies were not seen the request's length tells passwords apart: six,
    none of them four in ten. Basic's are told apart by their fingerprint.
    """
    entities_max: AtLeastOne = limits.LOGIN_ENTITIES_MAX
    """Clients, and accounts, remembered; those not used lately give way and are counted."""
