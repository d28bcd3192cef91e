"""Settings of the detectors, one class for each. Law: a setting has a default, a unit and a line on what it is for."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits
from sensor.config.intel import ThreatIntelSettings
from sensor.config.segmentation import SegmentationSettings
from sensor.config.values import AtLeastOne, AtLeastTwo, BodyBytes, NotNegative, Seconds, SecondsOrNone, Share, Times
from sensor.config.verification import ThirdPartiesSettings, VerificationSettings


class AccountChangesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for impossible travel, for countries new for an account, and for tools in accounts of browsers."""
    location_table: str = ""
    """A MaxMind DB of cities (or of countries, which have no distances); none when empty."""
    speed_kmh_max: Annotated[float, msgspec.Meta(gt=0)] = 1_000.0
    """What an aeroplane does; who is faster between two uses is not one person."""
    distance_km_min: Annotated[float, msgspec.Meta(ge=0)] = 1_000.0
    """Distance below which it says nothing: a mobile network may leave for the Internet anywhere in its country."""
    uses_min: AtLeastOne = 20
    """Uses after which an account's countries and software are known."""


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
    """Packet time for which an expired or logged-out token may still work."""
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


class LoginAttacksSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for spraying and stuffing, and for logins that fail more than usual."""
    window_seconds: Seconds = 600.0
    """Packet time in which logins are counted."""
    accounts_min: AtLeastTwo = 10
    """Different accounts that failed, and did not go well either, from one client or one kind of software."""
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


class PortScanSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for port scans."""
    window_seconds: Seconds = 300.0
    """Packet time in which the attempts are counted."""
    ports_min: AtLeastOne = 10
    """Vertical: this many different ports of one host tried in vain, or half-open, by one client."""
    hosts_min: AtLeastOne = 10
    """Horizontal: this many different hosts tried on one port in vain, or half-open, by one client."""
    pairs_max: AtLeastOne = limits.SCAN_PAIRS_MAX
    """(client, host) and (client, port) pairs remembered; those not used lately give way and are counted."""


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
    entities_max: AtLeastOne = limits.LOGIN_ENTITIES_MAX
    """Clients, and accounts, remembered; those not used lately give way and are counted."""


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


class InjectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for injection into queries, commands, markup, templates, paths and the like."""
    request_body_bytes: NotNegative = 65_536
    """Bytes of each request body that are searched."""
    response_body_bytes: NotNegative = 2_048
    """Bytes of each response body that tell whether an attack worked."""
    clients_max: AtLeastOne = limits.INJECTION_CASES_MAX
    """(client, rule) pairs remembered; the oldest gives way and is counted."""


class WebScanSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that ask for what is not there."""
    window_seconds: Seconds = 60.0
    """Packet time of the shortest look; an hour and a day are looked at too."""
    targets_min: AtLeastOne = 20
    """Different targets within the window that no server has."""
    hour_targets_min: AtLeastOne = 45
    """The same within an hour."""
    day_targets_min: AtLeastOne = 150
    """The same within a day."""
    share_min: Share = 0.4
    """Share of the client's requests that must have missed."""
    ratio_min: Times = 5.0
    """Times what three in four of the other clients stay below."""


class ErrorSpikeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for servers and endpoints that fail more than they used to, or do not answer any more."""
    window_seconds: Seconds = 20.0
    """Packet time over which shares of errors are taken, in four steps."""
    known_requests_min: AtLeastOne = 20
    """Requests that a server or endpoint must have had before, for its usual share to be known."""
    errors_min: AtLeastOne = 8
    """Errors of one kind within the window, of one client only so many as of others."""
    share_min: Share = 0.1
    """Share of the requests that must fail."""
    ratio_min: Times = 3.0
    """Times the usual share (its upper bound while little is known)."""
    clients_min: AtLeastOne = 3
    """Clients that must have met the errors: what one does is its own doing."""
    down_requests_min: AtLeastOne = 5
    """Requests in a row without a proper answer, of two clients; twice as many of one."""
    down_known_requests_min: AtLeastOne = 10
    """Requests that it must have answered before."""
    adopt_seconds: Seconds = 3_600.0
    """Packet time after which a share that stays high is the usual one."""


class BeaconingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that call a rare destination at a steady beat."""
    calls_min: AtLeastTwo = 12
    """Calls, in different seconds, from which on a beat is one."""
    span_seconds: Seconds = 50.0
    """Packet time that these calls must span."""
    known_seconds: SecondsOrNone = 20.0
    """Pairs of client and destination seen so soon after watching began were there before, and are left alone."""
    clients_max: AtLeastOne = 4
    """A destination with more clients is not rare."""
    pairs_max: AtLeastTwo = limits.SCAN_PAIRS_MAX
    """Pairs of client and destination remembered; those not used lately give way and are counted."""


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


class SigmaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Run the Sigma rules that are named here."""
    rules: tuple[str, ...] = ()
    """Files, and folders of files, with Sigma rules and correlations; what does not load is told with the reason.
    `limits` are those that ship: failed logins, requests and records, each against a number.
    """


class OutsideUploadsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for inside clients that send much to servers outside, in the clear or not."""
    inside_networks: tuple[str, ...] = (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7",
        "fe80::/10", "::1/128",
    )  # fmt: skip
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


class CleartextSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for credentials and API traffic in clear."""
    allowed_networks: tuple[str, ...] = (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7",
        "fe80::/10", "::1/128",
    )  # fmt: skip
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


class ExposedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for pages, files, errors and versions that servers should not show."""
    body_bytes: BodyBytes = 4_096
    """Of an answer's body that are looked at."""
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


class SignatureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Match rules in Suricata's syntax."""
    rules: tuple[str, ...] = ("default",)
    """Files and folders of rules; `default` are those that ship. They are read again when they change."""
    variables: dict[str, str] = {}
    """What $NAME stands for in the rules' headers: HOME_NET and the like, which are anything otherwise."""


class PageWalksSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for identities that page through lists, and for endpoints whose answers have grown."""
    pages_min: AtLeastOne = 20
    """Fewer pages in a row than this are never a walk."""
    others_ratio_min: Times = 4.0
    """Times what all but the three longest walks of others at the endpoint stay below."""
    pause_seconds: Seconds = 900.0
    """Packet time between two pages after which a walk is over."""
    growth_ratio_min: Times = 20.0
    """Times what nine in ten of the endpoint's answers stay below, from which an answer is large."""
    growth_bytes_min: NotNegative = 16_384
    """Answers of fewer bytes than this are never large."""
    growth_answers_min: AtLeastOne = 64
    """Answers of the endpoint that must be known."""


class AnomalySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = False
    """Learn what the hours of identities are like, and tell of those that are unlike; needs tapir-sensor[anomaly]."""
    part: Annotated[float, msgspec.Meta(gt=0, le=0.1)] = 0.0005
    """Part of the hours known that may be as unusual as one that is told."""
    hours_min: AtLeastOne = 2_000
    """Hours of identities that must be known before anything is told."""
    hours_max: AtLeastOne = 50_000
    """Hours of identities that are known at most; the oldest are forgotten."""


class DetectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port_scan: PortScanSettings = PortScanSettings()
    login_attacks: LoginAttacksSettings = LoginAttacksSettings()
    object_enumeration: ObjectEnumerationSettings = ObjectEnumerationSettings()
    account_changes: AccountChangesSettings = AccountChangesSettings()
    privilege_abuse: PrivilegeAbuseSettings = PrivilegeAbuseSettings()
    token_abuse: TokenAbuseSettings = TokenAbuseSettings()
    failed_logins: FailedLoginsSettings = FailedLoginsSettings()
    bulk_transfer: BulkTransferSettings = BulkTransferSettings()
    slow_exfiltration: SlowExfiltrationSettings = SlowExfiltrationSettings()
    injection: InjectionSettings = InjectionSettings()
    signatures: SignatureSettings = SignatureSettings()
    sigma: SigmaSettings = SigmaSettings()
    web_scan: WebScanSettings = WebScanSettings()
    error_spike: ErrorSpikeSettings = ErrorSpikeSettings()
    beaconing: BeaconingSettings = BeaconingSettings()
    request_rate: RequestRateSettings = RequestRateSettings()
    outside_uploads: OutsideUploadsSettings = OutsideUploadsSettings()
    page_walks: PageWalksSettings = PageWalksSettings()
    anomaly: AnomalySettings = AnomalySettings()
    cleartext: CleartextSettings = CleartextSettings()
    weak_tls: WeakTlsSettings = WeakTlsSettings()
    exposed: ExposedSettings = ExposedSettings()
    sensitive_data: SensitiveDataSettings = SensitiveDataSettings()
    honeytokens: HoneytokensSettings = HoneytokensSettings()
    threat_intel: ThreatIntelSettings = ThreatIntelSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    verification: VerificationSettings = VerificationSettings()
    third_parties: ThirdPartiesSettings = ThirdPartiesSettings()
