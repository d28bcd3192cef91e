"""Settings of the detectors, one class for each. Law: a setting has a default, a unit and a line on what it is for."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits
from sensor.config.accounts import (
    AccountChangesSettings,
    ConcurrentSessionsSettings,
    FailedLoginsSettings,
    LoginAttacksSettings,
    NeverGivenSettings,
    ObjectEnumerationSettings,
    PrivilegeAbuseSettings,
    TokenAbuseSettings,
    TokenGuessingSettings,
)
from sensor.config.exposure import (
    CleartextSettings,
    ExposedSettings,
    HiddenClientsSettings,
    HoneytokensSettings,
    SensitiveDataSettings,
    WeakTlsSettings,
)
from sensor.config.intel import ThreatIntelSettings
from sensor.config.probing import (
    AccountProbingSettings,
    ErrorProbingSettings,
    MethodProbingSettings,
    NovelPathsSettings,
    ParameterProbingSettings,
    PingSweepSettings,
    TlsProbingSettings,
)
from sensor.config.segmentation import SegmentationSettings
from sensor.config.values import AtLeastOne, AtLeastTwo, Milliseconds, NotNegative, Seconds, SecondsOrNone, Share, Times
from sensor.config.verification import ThirdPartiesSettings, VerificationSettings
from sensor.config.volumes import (
    AnomalySettings,
    BulkTransferSettings,
    DnsTunnelSettings,
    OffHoursSettings,
    OutsideUploadsSettings,
    PageWalksSettings,
    RandomDomainsSettings,
    RequestRateSettings,
    RoleVolumesSettings,
    SlowExfiltrationSettings,
    UnusualExportsSettings,
)


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


class InjectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for injection into queries, commands, markup, templates, paths and the like."""
    request_body_bytes: NotNegative = 65_536
    """Bytes of each request body that are searched."""
    response_body_bytes: NotNegative = 2_048
    """Bytes of each response body that tell whether an attack worked."""
    judged_per_second: AtLeastOne = 400
    """Suspicious pieces that are judged in a second of packet time; what goes beyond it is counted."""
    clients_max: AtLeastOne = limits.INJECTION_CASES_MAX
    """(client, rule) pairs remembered; the oldest gives way and is counted."""


class SlowScanSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for port scans that are slow, or scattered over hosts and ports."""
    window_seconds: Seconds = 86_400.0
    """Packet time in which the attempts are counted."""
    targets_min: AtLeastTwo = 30
    """Different pairs of host and port that one client tried in vain, and at least as often as it used any."""
    fast_seconds: Seconds = 300.0
    """Packet time in which so many ports or hosts as follows are a fast scan, which port_scan tells of."""
    fast_ports: AtLeastTwo = 10
    """Ports of one host."""
    fast_hosts: AtLeastTwo = 10
    """Hosts with one port."""
    clients_max: AtLeastTwo = 4_096
    """Clients with failed attempts that are remembered; those not used lately give way and are counted."""


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


class VhostProbingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for clients that try host names at one server."""
    window_seconds: Seconds = 3_600.0
    """Packet time in which names are counted."""
    hosts_min: AtLeastTwo = 20
    """Names that nobody asked for before, and that the server does not know."""
    hosts_max: AtLeastTwo = 65_536
    """Names remembered; the oldest give way and are counted."""
    clients_max: AtLeastTwo = 4_096
    """Pairs of client and server remembered; those not used lately give way and are counted."""
    tries_max: AtLeastTwo = 256
    """Names of a pair that are looked at, the latest."""


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
    """Requests, or connections, that it must have answered before."""
    down_lasting_seconds: SecondsOrNone = 10.0
    """Packet time for which connections must have been refused, or their SYN not answered; of clients that were
    answered before.
    """
    security_services: dict[str, str] = {}
    """What protects the API, by address and port: "10.0.0.7:9000" = "rate limiter". Their outage is critical."""
    adopt_seconds: Seconds = 3_600.0
    """Packet time after which a share that stays high is the usual one."""


class ResponseTimesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for endpoints that take far longer to answer than they used to."""
    answers_min: AtLeastTwo = 30
    """Answers of an endpoint from which on it is known how long they take; of each client one in 5 s counts."""
    ratio_min: Times = 3.0
    """Times the median that three in four of the last 16 answers must take, and longer than 19 in 20 of those before.
    """
    shift_ms_min: Milliseconds = 50
    """Milliseconds that they must take longer than the median."""
    lasting_seconds: SecondsOrNone = 20.0
    """Packet time for which that must go on."""
    clients_min: AtLeastOne = 3
    """Clients that must have waited, unless the endpoint has fewer: slow answers to one are to its own questions."""
    adopt_seconds: Seconds = 3_600.0
    """Packet time after which answers that stay slow are the usual ones."""


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


class SlowRequestsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Look for requests that are kept open and never finished."""
    requests_min: AtLeastTwo = 20
    """Such requests of one client within the window; five times as many of all clients of a server."""
    window_seconds: Seconds = 300.0
    """Packet time in which they must end."""
    seconds_min: Seconds = 10.0
    """Packet time for which a request must have been open."""
    bytes_per_second_max: Annotated[float, msgspec.Meta(gt=0)] = 100.0
    """What moves faster is an upload that was cut short."""
    entities_max: AtLeastTwo = 4_096
    """Clients and servers with such requests that are remembered; the oldest give way and are counted."""


class SigmaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Run the Sigma rules that are named here."""
    rules: tuple[str, ...] = ()
    """Files, and folders of files, with Sigma rules and correlations; what does not load is told with the reason.
    `limits` are those that ship: failed logins, requests and records, each against a number.
    """
    location_table: str = ""
    """A MaxMind DB of countries or cities, for the fields `country` and `server_country` of the category `api`."""
    placeholders: dict[str, tuple[str, ...]] = {}
    """What `%name%` stands for in values with the modifier `expand`: any of these."""


class SignatureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Match rules in Suricata's syntax."""
    rules: tuple[str, ...] = ("default",)
    """Files and folders of rules; `default` are those that ship. They are read again when they change."""
    variables: dict[str, str] = {}
    """What $NAME stands for in the rules' headers: HOME_NET and the like, which are anything otherwise."""


class DetectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port_scan: PortScanSettings = PortScanSettings()
    slow_scan: SlowScanSettings = SlowScanSettings()
    login_attacks: LoginAttacksSettings = LoginAttacksSettings()
    object_enumeration: ObjectEnumerationSettings = ObjectEnumerationSettings()
    never_given: NeverGivenSettings = NeverGivenSettings()
    account_changes: AccountChangesSettings = AccountChangesSettings()
    privilege_abuse: PrivilegeAbuseSettings = PrivilegeAbuseSettings()
    token_abuse: TokenAbuseSettings = TokenAbuseSettings()
    token_guessing: TokenGuessingSettings = TokenGuessingSettings()
    concurrent_sessions: ConcurrentSessionsSettings = ConcurrentSessionsSettings()
    failed_logins: FailedLoginsSettings = FailedLoginsSettings()
    bulk_transfer: BulkTransferSettings = BulkTransferSettings()
    role_volumes: RoleVolumesSettings = RoleVolumesSettings()
    slow_exfiltration: SlowExfiltrationSettings = SlowExfiltrationSettings()
    injection: InjectionSettings = InjectionSettings()
    signatures: SignatureSettings = SignatureSettings()
    sigma: SigmaSettings = SigmaSettings()
    web_scan: WebScanSettings = WebScanSettings()
    vhost_probing: VhostProbingSettings = VhostProbingSettings()
    method_probing: MethodProbingSettings = MethodProbingSettings()
    error_probing: ErrorProbingSettings = ErrorProbingSettings()
    account_probing: AccountProbingSettings = AccountProbingSettings()
    novel_paths: NovelPathsSettings = NovelPathsSettings()
    parameter_probing: ParameterProbingSettings = ParameterProbingSettings()
    ping_sweep: PingSweepSettings = PingSweepSettings()
    tls_probing: TlsProbingSettings = TlsProbingSettings()
    error_spike: ErrorSpikeSettings = ErrorSpikeSettings()
    response_times: ResponseTimesSettings = ResponseTimesSettings()
    beaconing: BeaconingSettings = BeaconingSettings()
    request_rate: RequestRateSettings = RequestRateSettings()
    slow_requests: SlowRequestsSettings = SlowRequestsSettings()
    outside_uploads: OutsideUploadsSettings = OutsideUploadsSettings()
    dns_tunnel: DnsTunnelSettings = DnsTunnelSettings()
    random_domains: RandomDomainsSettings = RandomDomainsSettings()
    off_hours: OffHoursSettings = OffHoursSettings()
    unusual_exports: UnusualExportsSettings = UnusualExportsSettings()
    page_walks: PageWalksSettings = PageWalksSettings()
    anomaly: AnomalySettings = AnomalySettings()
    cleartext: CleartextSettings = CleartextSettings()
    weak_tls: WeakTlsSettings = WeakTlsSettings()
    exposed: ExposedSettings = ExposedSettings()
    hidden_clients: HiddenClientsSettings = HiddenClientsSettings()
    sensitive_data: SensitiveDataSettings = SensitiveDataSettings()
    honeytokens: HoneytokensSettings = HoneytokensSettings()
    threat_intel: ThreatIntelSettings = ThreatIntelSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    verification: VerificationSettings = VerificationSettings()
    third_parties: ThirdPartiesSettings = ThirdPartiesSettings()
