"""Settings of the stages before detection. Law: a setting has a default, a unit and a line that says what it is for."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor import limits
from sensor.config.values import (
    AtLeastTwo,
    BlockBytes,
    BodyBytes,
    Milliseconds,
    MillisecondsOrNone,
    NotNegative,
    NotNegativeNumber,
    Port,
    RingBytes,
)


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
    ring_block_bytes: BlockBytes = 512 << 10
    """Part of that memory which is handed over at once; a power of two."""
    ring_timeout_ms: Milliseconds = 10
    """How long such a part waits to fill before it is handed over all the same."""
    gather_ms: MillisecondsOrNone = 160
    """How long packets gather before they are worked on together: alerts come later by it at most. Less costs more time
    a packet; once a quarter of the ring waits it is less by itself."""


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Processes that read protocols and run detectors, beside the one that captures; with 1 a single process does all.
    Results do not depend on it.
    """


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
    tls: bool = True
    """Read what TLS connections say in clear, on any port."""
    tls_handshakes_per_second: NotNegative = 1_000
    """Sides of handshakes and datagrams of QUIC read for each second of packet time, about 0.1 ms each; those beyond it
    are counted.
    """
    quic: bool = True
    """Read the hellos of QUIC too, which takes the extra `quic`."""


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
