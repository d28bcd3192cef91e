"""Settings of the detectors of how much is taken, sent and asked for, one class for each.

Law: a setting has a default, a unit and a line on what it is for.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits
from sensor.config.values import (
    PRIVATE_NETWORKS,
    AtLeastOne,
    AtLeastTwo,
    NotNegative,
    Seconds,
    SecondsOrNone,
    Share,
    Times,
)


class BulkTransferSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that take far more than others do."""
    window_seconds: Seconds = 600.0
    """Packet time over which response bytes and records are summed, in ten steps."""
    bytes_min: NotNegative = 262_144
    """Less than this many response body bytes in a window is never bulk."""
    records_min: NotNegative = 1_000
    """Less than this many records in a window is never bulk."""
    ratio_min: Times = 20.0
    """Times the median of the endpoint's other clients, per credential."""
    deviations_min: Annotated[float, msgspec.Meta(ge=0)] = 4.0
    """Robust deviations (1.4826 MAD of log1p) above that median."""
    peers_min: AtLeastOne = 8
    """Other clients the endpoint must have for their median to count."""
    answers_min: AtLeastOne = 3
    """Answers in a row that must find the client above the threshold: a page that others then take too is no walk."""
    at_once_min: Times = 8.0
    """Times the threshold with which a single answer is enough."""
    known_seconds: SecondsOrNone = 30.0
    """Packet time an endpoint must be known before its clients are judged; what they took until then counts then."""
    alone_bytes_min: NotNegative = 2_097_152
    """On an endpoint with fewer clients: bytes below which nothing is bulk."""
    alone_records_min: NotNegative = 10_000
    """On an endpoint with fewer clients: records below which nothing is bulk."""
    alone_ratio_min: Times = 20.0
    """On an endpoint with fewer clients: times what nine in ten of the server's other transfers stay below."""
    alone_responses_min: NotNegative = 20
    """On an endpoint with fewer clients: responses in the window; one large download is not a walk."""
    alone_known_seconds: SecondsOrNone = 60.0
    """On an endpoint with fewer clients: packet time the server must have been known before the client began."""
    bytes_max: NotNegative = 0
    """Absolute limit of response body bytes per client, endpoint and window; 0 is none."""
    records_max: NotNegative = 0
    """Absolute limit of records per client, endpoint and window; 0 is none."""
    pairs_max: AtLeastOne = limits.BULK_PAIRS_MAX
    """(client, endpoint) pairs remembered; those not used lately give way and are counted."""
    endpoints_max: AtLeastTwo = limits.BULK_ENDPOINTS_MAX
    """Endpoints, and servers, whose clients are compared; those not used lately give way and are counted."""


class SlowExfiltrationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days are local days of `time_zone`."""

    enabled: bool = True
    """Look for identities that read, day by day, far more than they used to or others do."""
    time_zone: str = "UTC"
    """Where the people are whose days are compared, as in Europe/Berlin: days and hours are theirs."""
    own_days_min: AtLeastOne = 5
    """Active days an identity must have behind it for its new objects to be compared with its own; twice as many for
    what it takes in all.
    """
    own_ratio_min: Times = 6.0
    """Times its usual day (median)."""
    deviations_min: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    """Robust deviations (1.4826 MAD of log1p, 0.25 at least) above its usual day."""
    others_ratio_min: Times = 2.2
    """And while it is new: times what nearly all other readers of the endpoint stay below, for three days or more."""
    peers_min: AtLeastOne = 8
    """Other readers the endpoint must have for that."""
    top_part: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.005
    """Part of the others that may read more without being "nearly all"; see top_min."""
    top_min: AtLeastOne = 3
    """And at least so many of them: fewer who read as much are no role."""
    objects_min: NotNegative = 100
    """Less than this many objects that it never read before, in a day, is never slow exfiltration."""
    cold_objects_min: NotNegative = 200
    """The same for an identity without earlier days."""
    records_min: NotNegative = 2_000
    """Less than this many records in a day is no unusual volume."""
    bytes_min: NotNegative = 20_000_000
    """Less than this many response body bytes in a day is no unusual volume."""
    cells_max: AtLeastOne = limits.COVERAGE_CELLS_MAX
    """(identity, endpoint) pairs whose objects are told apart one by one, 2.4 KB each; lighter ones give way and are
    counted.
    """


class RoleVolumesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for accounts that take far more in a minute than others of their role."""
    bytes_per_minute_min: AtLeastOne = 524_288
    """Fewer response body bytes in a minute than this are never far more."""
    records_per_minute_min: AtLeastOne = 1_000
    """Fewer records than this are not, either; from 65,535 on they are not counted."""
    ratio_min: Times = 5.0
    """Times what 99 of 100 minutes of accounts of the role stay below."""
    holders_min: AtLeastTwo = 20
    """Others of the role that must have been active in one minute."""


class OffHoursSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for identities that take much at an hour at which they never work."""
    time_zone: str = "UTC"
    """Where the people are whose hours are compared, as in Europe/Berlin."""
    known_days: AtLeastTwo = 14
    """Active days after which an identity's hours are known."""
    days_part_min: Share = 0.05
    """Part of these days on which it must have been active about an hour for that to be usual."""
    day_ratio_min: Times = 1.0
    """Times what it takes on a usual day, in this hour alone."""
    bytes_min: NotNegative = 1_000_000
    """Less than this many response body bytes in the hour are never much."""


class UnusualExportsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for identities that export for the first time, where hardly any other does."""
    known_seconds: SecondsOrNone = 86_400.0
    """Packet time for which an identity, and those it is compared with, must be known."""
    people_min: AtLeastTwo = 50
    """Identities that must be known for so long."""
    others_part_max: Share = 0.01
    """Part of them that may have used the export."""
    bytes_min: NotNegative = 65_536
    """Answers with fewer bytes than this,"""
    records_min: AtLeastOne = 100
    """and fewer records than this, are no exports."""


class PageWalksSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for identities that page through lists, and for endpoints whose answers have grown."""
    pages_min: AtLeastOne = 20
    """Fewer pages in a row than this are never a walk."""
    others_ratio_min: Times = 4.0
    """Times what all but the three longest walks of others at the endpoint stay below."""
    pause_seconds: Seconds = 900.0
    """Packet time between two pages after which a walk is over."""
    known_seconds: SecondsOrNone = 2 * 86_400.0
    """Packet time for which an endpoint must be known that no others page through: until then a walk may be what
    somebody does every night, and is of low severity.
    """
    growth_ratio_min: Times = 20.0
    """Times what nine in ten of the endpoint's answers stay below, from which an answer is large."""
    growth_bytes_min: NotNegative = 16_384
    """Answers of fewer bytes than this are never large."""
    growth_answers_min: AtLeastOne = 64
    """Answers of the endpoint that must be known."""


class OutsideUploadsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for inside clients that send much to servers outside, in the clear or not."""
    inside_networks: tuple[str, ...] = PRIVATE_NETWORKS
    """Networks that are one's own; everything else is outside. Private networks (RFC 1918, 4193, 6598) and local ones.
    """
    window_seconds: Seconds = 600.0
    """Packet time over which payload bytes are summed, in ten steps."""
    bytes_min: NotNegative = 1_000_000
    """Less than this many bytes sent in a window is never an upload."""
    alone_bytes_min: NotNegative = 8_000_000
    """The same while too few others send anything outside to compare with."""
    up_ratio_min: Times = 3.0
    """Times what came back from that server: downloads and calls send less than they get."""
    others_ratio_min: Times = 20.0
    """Times what others send to a server outside in a window (median of client and server pairs)."""
    peers_min: AtLeastOne = 4
    """Other pairs of client and server outside there must be for that."""
    pairs_max: AtLeastTwo = limits.SCAN_PAIRS_MAX
    """Pairs of inside client and server outside remembered; those not used lately give way and are counted."""


class RequestRateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits as in "60 requests a minute, burst 100, window 300 s" allow 60 * 5 + 100 requests in 300 s."""

    enabled: bool = True
    """Look for clients, accounts and endpoints with too many requests."""
    window_seconds: Seconds = 300.0
    """Packet time over which the limits hold, in whole minutes."""
    burst_max: NotNegative = 100
    """Requests on top of a limit that a window may have."""
    client_per_minute_max: NotNegative = 0
    """Limit of requests a minute for each client; 0 is none."""
    identity_per_minute_max: NotNegative = 0
    """Limit of requests a minute for each account or credential; 0 is none."""
    endpoint_per_minute_max: NotNegative = 0
    """Limit of requests a minute for each endpoint; 0 is none."""
    surge_ratio_min: Times = 3.0
    """Times its own average of a minute."""
    surge_minutes_min: AtLeastOne = 5
    """Minutes in a row that must be above."""
    surge_per_minute_min: AtLeastOne = 300
    """Less than this many requests a minute are never a surge."""
    known_minutes_min: AtLeastOne = 30
    """Minutes that a row must be known for its average to count."""
    outlier_per_minute_min: AtLeastOne = 300
    """Less than this many requests of an account or client in a minute never stand out from those of the others."""
    outlier_ratio_min: Times = 6.0
    """Times what 19 of 20 others make in that minute; twice that for an address without credentials, which may be a
    NAT.
    """
    peers_min: AtLeastTwo = 10
    """Others that must have made requests in that minute."""
    limited_per_minute_min: AtLeastOne = 30
    """Answers of 429 in a minute to who goes on asking."""


class AnomalySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = False
    """Learn what the hours of identities are like, and tell of those that are unlike; needs tapir-sensor[anomaly]."""
    part: Annotated[float, msgspec.Meta(gt=0, le=0.1)] = 0.0005
    """Part of the hours known that may be as unusual as one that is told."""
    hours_min: AtLeastOne = 2_000
    """Hours of identities that must be known before anything is told."""
    hours_max: AtLeastOne = 50_000
    """Hours of identities that are known at most; the oldest are forgotten."""


class DnsTunnelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients whose DNS questions carry data."""
    question_bytes_min: AtLeastOne = 130
    """Bytes of a question, on average of its flow, from which on it is long: the longest names of hosts, and those of
    IPv6 addresses, stay below.
    """
    window_seconds: Seconds = 600.0
    """Packet time over which the bytes of long questions are summed, in ten steps; a day is looked at too."""
    bytes_min: AtLeastOne = 20_000
    """So many in the window are a tunnel."""
    day_bytes_min: AtLeastOne = 200_000
    """So many in a day are."""
    name_bytes_min: AtLeastOne = 10_000
    """Bytes that names not asked for before have below one domain: so many of a client in the window are a tunnel, when
    names are long or ask for types that carry data; of names like hashes eight times as many, of a domain that five
    clients ask like this four times as many.
    """
    day_name_bytes_min: AtLeastOne = 150_000
    """So many in a day are."""
    clients_max: AtLeastTwo = 4_096
    """Clients with long questions, and four times as many pairs of client and domain, that are remembered; those not
    seen for longest give way and are counted.
    """


class RandomDomainsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that ask for many domains that do not exist, as programs do that make up names."""
    window_seconds: Seconds = 600.0
    """Packet time over which they are counted, in ten steps; a day is looked at too."""
    domains_min: AtLeastOne = 40
    """So many different registered domains in the window that do not exist, asked for by address."""
    day_domains_min: AtLeastOne = 150
    """So many in a day."""
    share_min: Share = 0.2
    """They are at least so large a part of them and the client's answered questions: mail servers and resolvers for
    many clients stay below.
    """
    clients_max: AtLeastTwo = 4_096
    """Clients that are remembered; those not seen for longest give way and are counted."""
