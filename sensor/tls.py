"""One TLS connection as it leaves the sensor: in: what was read of both sides; out: a row with Zeek's ssl.log names.

The one law: only what was sent in clear is in it, and what was not seen is null.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from sensor.connection import Connection


class TlsConnection(Connection, kw_only=True, frozen=True):
    """Columns are described in TLS_COLUMNS, in the same order. Times of certificates are seconds since 1970."""

    version: str | None = None
    cipher: str | None = None
    curve: str | None = None
    server_name: str | None = None
    next_protocol: str | None = None
    offered_protocols: tuple[str, ...] = ()
    resumed: bool = False
    established: bool = False
    last_alert: str | None = None
    ja3: str | None = None
    ja3s: str | None = None
    ja4: str | None = None
    subject: str | None = None
    issuer: str | None = None
    not_valid_before: float | None = None
    not_valid_after: float | None = None
    certificate_sha256: str | None = None
    certificates: int = 0
    self_signed: bool = False
    client_subject: str | None = None
    client_issuer: str | None = None
    orig_records: int = 0
    orig_record_bytes: int = 0
    resp_records: int = 0
    resp_record_bytes: int = 0
    orig_record_size_min: int | None = None
    orig_record_size_mean: float | None = None
    orig_record_size_max: int | None = None
    orig_record_size_deviation: float | None = None
    orig_record_interval_min_ms: float | None = None
    orig_record_interval_mean_ms: float | None = None
    orig_record_interval_max_ms: float | None = None
    orig_record_interval_deviation_ms: float | None = None
    resp_record_size_min: int | None = None
    resp_record_size_mean: float | None = None
    resp_record_size_max: int | None = None
    resp_record_size_deviation: float | None = None
    resp_record_interval_min_ms: float | None = None
    resp_record_interval_mean_ms: float | None = None
    resp_record_interval_max_ms: float | None = None
    resp_record_interval_deviation_ms: float | None = None
    records_exact: bool = True
    quic_version: str | None = None
    tunnel_id: int | None = None
    vlan: int | None = None
    end_now: int = 0
    flow: int = 0


def of_flows(rows: Sequence[TlsConnection], serials: Set[int]) -> list[TlsConnection]:
    """Those of the flows with these serials."""
    return [row for row in rows if row.flow in serials]


TLS_COLUMNS = {
    "ts": "first byte of the handshake, seconds since 1970",
    "uid": "the connection; the same in flows",
    "community_id": "Community ID v1, seed 0",
    "id.orig_h": "the client: who sent the ClientHello",
    "id.orig_p": "its port",
    "id.resp_h": "the server",
    "id.resp_p": "its port",
    "duration": "from the first byte of the handshake to the connection's last packet, seconds",
    "version": "TLSv13, TLSv12, TLSv11, TLSv10, SSLv3 or DTLSv13, DTLSv12, DTLSv10, as the server chose, else null",
    "cipher": "IANA's name of the cipher suite that the server chose",
    "curve": "IANA's name of the group of the key exchange (TLS 1.3)",
    "server_name": "the name the client asked for (SNI)",
    "next_protocol": "ALPN: what the server chose, as far as it says so in clear",
    "offered_protocols": "ALPN: what the client offered",
    "resumed": "an earlier session was resumed",
    "established": "both sides went on to encrypted records",
    "last_alert": "the last alert sent in clear",
    "ja3": "JA3 of the ClientHello",
    "ja3s": "JA3S of the ServerHello",
    "ja4": "JA4 of the ClientHello",
    "subject": "of the server's certificate (TLS 1.2 and older: TLS 1.3 encrypts it)",
    "issuer": "of the server's certificate",
    "not_valid_before": "of the server's certificate, seconds since 1970",
    "not_valid_after": "of the server's certificate, seconds since 1970",
    "certificate_sha256": "fingerprint of the server's certificate",
    "certificates": "certificates that the server sent",
    "self_signed": "the server's certificate names itself as its issuer",
    "client_subject": "of the client's certificate, where it sent one",
    "client_issuer": "of the client's certificate",
    "orig_records": "records of application data that the client sent (in TLS 1.3 the end of its handshake too)",
    "orig_record_bytes": "their bytes, encrypted",
    "resp_records": "likewise, of the server",
    "resp_record_bytes": "likewise, of the server",
    "orig_record_size_min": "the smallest of the client's records of application data, bytes",
    "orig_record_size_mean": "their mean size, bytes",
    "orig_record_size_max": "the largest of them, bytes",
    "orig_record_size_deviation": "standard deviation of their sizes, bytes",
    "orig_record_interval_min_ms": "shortest time between two of them, ms; null when there are fewer",
    "orig_record_interval_mean_ms": "mean time between two of them, ms",
    "orig_record_interval_max_ms": "longest time between two of them, ms",
    "orig_record_interval_deviation_ms": "standard deviation of these times, ms",
    "resp_record_size_min": "the smallest of the server's records of application data, bytes",
    "resp_record_size_mean": "their mean size, bytes",
    "resp_record_size_max": "the largest of them, bytes",
    "resp_record_size_deviation": "standard deviation of their sizes, bytes",
    "resp_record_interval_min_ms": "shortest time between two of them, ms; null when there are fewer",
    "resp_record_interval_mean_ms": "mean time between two of them, ms",
    "resp_record_interval_max_ms": "longest time between two of them, ms",
    "resp_record_interval_deviation_ms": "standard deviation of these times, ms",
    "records_exact": "no record was lost track of; otherwise the counts are lower bounds",
    "quic_version": "1, 2, draft-N or mvfst-N when the connection is QUIC's, whose records are not seen; null over TCP",
    "tunnel_id": "VNI, key or TEID of the innermost tunnel",
    "vlan": "innermost 802.1Q id",
    "end_now": "packet time at which the connection had ended, ns",
    "flow": "number of the connection in this run, from 1",
}
