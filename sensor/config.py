"""Every setting, with its default and unit. A stage is built from its slice; nothing else reads settings.

Unknown keys and wrong values are errors that name the key and what was expected.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
AtLeastTwo = Annotated[int, msgspec.Meta(ge=2)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=90 * 86_400)]
SecondsOrNone = Annotated[float, msgspec.Meta(ge=0, le=90 * 86_400)]
RingBytes = Annotated[int, msgspec.Meta(ge=1 << 20, le=4 << 30, multiple_of=1 << 20)]
BlockBytes = Annotated[int, msgspec.Meta(ge=1 << 18, le=1 << 26, multiple_of=1 << 18)]
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
NotNegativeNumber = Annotated[float, msgspec.Meta(ge=0)]
Times = Annotated[float, msgspec.Meta(ge=1)]
BodyBytes = Annotated[int, msgspec.Meta(ge=0, le=limits.BODY_BYTES_MAX)]


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    batch_frames: int = limits.BATCH_FRAMES
    """Frames per batch; results do not depend on it."""
    interfaces: tuple[str, ...] = ()
    """Interfaces that `tapir run` captures from."""
    replay_pace: NotNegativeNumber = 1.0
    """Times its own speed at which `tapir run --read-loop` replays captures; 0 is as fast as they can be read."""
    filter: str = ""
    """What is captured of them, in tcpdump's syntax; all when empty. Tags that the network card took out are unseen."""
    promiscuous: bool = True
    """Take packets that are addressed to others: what a mirror port is for."""
    ring_bytes: RingBytes = 64 << 20
    """Memory in which the system puts packets until they are read."""
    ring_block_bytes: BlockBytes = 1 << 20
    """Part of that memory which is handed over at once; a power of two."""
    ring_timeout_ms: Milliseconds = 50
    """How long such a part waits to fill: alerts come no sooner, and shorter waits cost time."""


class DecodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """UDP ports on which a tunnel is looked for. What does not look like one stays UDP; an empty list turns the tunnel
    off.
    """

    vxlan_ports: tuple[Port, ...] = (4789, 4790, 8472)
    """UDP ports of VXLAN: IANA's for VXLAN and VXLAN-GPE, and Linux's own default."""
    geneve_ports: tuple[Port, ...] = (6081,)
    """IANA's."""
    gtpu_ports: tuple[Port, ...] = (2152,)
    """3GPP TS 29.281."""
    tzsp_ports: tuple[Port, ...] = (37008,)
    """Mirrors of MikroTik and others."""
    teredo_ports: tuple[Port, ...] = (3544,)
    """RFC 4380."""
    l2tp_ports: tuple[Port, ...] = (1701,)
    """RFC 2661 and 3931."""
    gre_ports: tuple[Port, ...] = (4754,)
    """GRE in UDP, RFC 8086."""


class ReassemblySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    flows_max: int = limits.FLOWS_MAX
    """Concurrent flows; the oldest is evicted and counted beyond it."""
    vlan_in_flow_key: bool = True
    """Keep equal 5-tuples in different VLANs apart. The two directions of a flow may each have a VLAN of their own, and
    a TCP segment in another VLAN whose numbers go on where the flow's stand is the flow's all the same."""
    tunnel_in_flow_key: bool = True
    """Keep equal 5-tuples in different tunnels (VNI, GRE key ...) apart, in the same way."""
    tcp_idle_seconds: float = 300.0
    """A TCP connection without a packet for so long has ended."""
    tcp_attempt_seconds: float = 5.0
    """A SYN without an answer for so long was an attempt (Zeek's tcp_attempt_delay)."""
    tcp_closed_seconds: float = 5.0
    """How long a closed connection is remembered for late packets (Zeek's tcp_close_delay)."""
    udp_idle_seconds: float = 60.0
    """A UDP, ICMP or other flow without a packet for so long has ended."""


class ProtocolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    show_secrets: bool = False
    """Leave tokens, keys, passwords and card numbers in uri and referrer."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of the proxies (10.0.0.0/8) whose X-Forwarded-For, Forwarded, X-Real-IP or PROXY header names the
    client.
    """
    show_names: bool = False
    """Show whom a token or Basic credentials name; otherwise users are keyed fingerprints."""
    fingerprint_key_file: str = ""
    """Key of the fingerprints that stand for credentials (16 bytes, mode 0600); made in the state folder when empty."""
    request_body_bytes: BodyBytes = limits.BODY_BYTES_MAX
    """The most bytes of a request's body that detectors may look at; less is kept when none asks for so much."""
    response_body_bytes: BodyBytes = limits.BODY_BYTES_MAX
    """The most bytes of a response's body that detectors may look at; less is kept when none asks for so much."""
    response_bytes_per_second: NotNegative = 2_000_000
    """Response body bytes looked at for each second of packet time, beyond it only what a detector must see of every
    answer (honeytokens); 0 is no bound.
    """
    decoding_ms_per_second: Annotated[float, msgspec.Meta(ge=0, le=1_000)] = 1.0
    """CPU time for undoing content codings of either side, for each second of packet time; bodies beyond it stay coded
    and are counted. 0 turns it off.
    """


class FeatureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entities known at a time, about 80 bytes each; those not used lately give way and are counted."""

    clients_max: AtLeastTwo = limits.CLIENTS_MAX
    """Client addresses, IPv6 as /64."""
    identities_max: AtLeastTwo = limits.IDENTITIES_MAX
    """Accounts, credentials of which the account is not known, and clients without either."""
    endpoints_max: AtLeastTwo = limits.ENDPOINTS_MAX
    """Server, method and templated path."""
    servers_max: AtLeastTwo = limits.SERVERS_MAX
    """Server addresses with their port."""
    identity_endpoints_max: AtLeastTwo = limits.IDENTITY_ENDPOINTS_MAX
    """Pairs of identity and endpoint."""
    credentials_max: AtLeastTwo = limits.CREDENTIALS_MAX
    """Opaque tokens and session cookies whose account is known, because a login or a refresh issued them."""


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
    objects_min: AtLeastTwo = 20
    """Different objects of one endpoint below which nothing is an enumeration."""
    ratio_min: Times = 4.0
    """Times what nine in ten others of the role have read."""
    peers_min: AtLeastTwo = 8
    """Others of the role that the endpoint must have to compare with."""
    known_seconds: SecondsOrNone = 30.0
    """Packet time for which others of the role must have used the endpoint."""
    unknown_role_factor: Times = 20.0
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


class SigmaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    """Run the Sigma rules that are named here."""
    rules: tuple[str, ...] = ()
    """Files, and folders of files, with Sigma rules and correlations; what does not load is told with the reason."""


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


class DetectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port_scan: PortScanSettings = PortScanSettings()
    login_attacks: LoginAttacksSettings = LoginAttacksSettings()
    object_enumeration: ObjectEnumerationSettings = ObjectEnumerationSettings()
    privilege_abuse: PrivilegeAbuseSettings = PrivilegeAbuseSettings()
    token_abuse: TokenAbuseSettings = TokenAbuseSettings()
    failed_logins: FailedLoginsSettings = FailedLoginsSettings()
    bulk_transfer: BulkTransferSettings = BulkTransferSettings()
    slow_exfiltration: SlowExfiltrationSettings = SlowExfiltrationSettings()
    injection: InjectionSettings = InjectionSettings()
    sigma: SigmaSettings = SigmaSettings()
    outside_uploads: OutsideUploadsSettings = OutsideUploadsSettings()
    cleartext: CleartextSettings = CleartextSettings()
    exposed: ExposedSettings = ExposedSettings()
    sensitive_data: SensitiveDataSettings = SensitiveDataSettings()
    honeytokens: HoneytokensSettings = HoneytokensSettings()


class AlertingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sensor: str = ""
    """Name of this sensor in its alerts; the host's name when empty."""
    quiet_seconds: Seconds = 300.0
    """An alert closes after this much packet time without a repeat; what comes later is a new alert."""
    update_seconds: SecondsOrNone = 10.0
    """Least packet time between two updates of one alert; a risen severity does not wait."""
    open_max: AtLeastOne = limits.ALERTS_OPEN_MAX
    """Alerts open at once; the one quiet for longest is closed early and counted beyond it."""
    allow_file: str = ""
    """File of what is allowed, by rule, entity, endpoint and schedule, each with a reason and an end; none when empty.
    """
    false_alerts_per_day_max: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Alerts a day that are bearable if nothing is wrong: rules that say more are held to what is rare by their own
    past four weeks. 0 leaves the thresholds as they are set.
    """


class StateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    folder: str = ""
    """Where what was learned is kept from run to run, with the fingerprint key; nothing is kept when empty."""
    checkpoint_seconds: Seconds = 300.0
    """Packet time between two checkpoints of a run; a killed run goes on from the last one."""


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    folder: str = ""
    """Where alerts are kept before they are published; none are kept when empty."""
    bytes_max: AtLeastOne = 1 << 30
    """Bytes kept; the oldest segment is removed beyond it."""
    age_max_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30 * 86_400.0
    """Segments whose newest alert is older are removed."""
    segment_bytes: Annotated[int, msgspec.Meta(ge=1, le=64 << 20)] = 8 << 20
    """A file of the journal is ended at this size; what is removed is removed by whole files."""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `tapir run` offers beside its outputs."""

    metrics: str = ""
    """HOST:PORT of the page with Prometheus metrics, such as 127.0.0.1:9464; none when empty."""
    control: str = ""
    """Path of the socket that `tapir status` and `tapir top` ask; in the runtime folder when empty."""


class BusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    publish: str = ""
    """Where alerts are published over ZeroMQ, as tcp://127.0.0.1:5556; nowhere when empty."""
    replay: str = ""
    """Where published alerts can be asked for again; when empty the next port, or the same path with -replay."""
    keys: str = ""
    """Folder of keys (`tapir keys`); when empty the one in the state folder, and none on addresses of this host alone.
    """
    plaintext: bool = False
    """Let everyone who reaches the address read the alerts, without keys or encryption."""
    heartbeat_seconds: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 0.5
    """Time between two heartbeats: after so long a subscriber knows that it missed an alert."""
    linger_seconds: SecondsOrNone = 5.0
    """At the end, how long subscribers are waited for that have not taken all."""
    send_queue_alerts: AtLeastOne = limits.SEND_QUEUE_ALERTS
    """Alerts queued for each subscriber that does not keep up; beyond it, it has to ask for them again."""
    publish_tables: bool = False
    """Publish transactions (tx.arrow) and flows (flow.arrow) too, while someone subscribes to them."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    capture: CaptureSettings = CaptureSettings()
    decode: DecodeSettings = DecodeSettings()
    reassembly: ReassemblySettings = ReassemblySettings()
    protocols: ProtocolSettings = ProtocolSettings()
    features: FeatureSettings = FeatureSettings()
    detection: DetectionSettings = DetectionSettings()
    alerting: AlertingSettings = AlertingSettings()
    state: StateSettings = StateSettings()
    journal: JournalSettings = JournalSettings()
    service: ServiceSettings = ServiceSettings()
    bus: BusSettings = BusSettings()
