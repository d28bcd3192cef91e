"""What a table looks like when it leaves: in: nothing; out: the columns of transactions and flows, in order, each
with its kind.

JSON lines, Parquet, the Python API, `tapir schema` and the documentation all follow these two lists. The one law:
absent is null, never 0 or an empty text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """How a column's int64 cells are read."""

    INT = 0      # the number itself
    DECIMAL = 1  # a number scaled by 10**digits
    TIME = 2     # nanoseconds since 1970: in JSON seconds, in Arrow a timestamp
    BOOL = 3     # 0 or 1
    TEXT = 4     # number of a text made for these rows, 0 for none
    POOLED = 5   # number of a text kept from the string pool, 0 for none
    NAMES = 6    # a bit mask; bit i stands for the text numbered `digits` + i


@dataclass(frozen=True)
class Column:
    """One column. `arrow` is the item type in Parquet and DataFrames, for INT only; `about` one line for the reader."""

    name: str
    kind: Kind
    about: str
    digits: int = 0
    arrow: str = "int64"


def _int(name: str, about: str, arrow: str = "int64") -> Column:
    return Column(name, Kind.INT, about, arrow=arrow)


def _text(name: str, about: str) -> Column:
    return Column(name, Kind.TEXT, about)


def _pooled(name: str, about: str) -> Column:
    return Column(name, Kind.POOLED, about)


def _ms(name: str, about: str) -> Column:
    return Column(name, Kind.DECIMAL, about, digits=6)


TRANSACTION_COLUMNS = (
    Column("ts", Kind.TIME, "first byte of the request, or of the response when the request was not seen", digits=9),
    _text("uid", "the connection; the same in flows"),
    _text("community_id", "Community ID v1, seed 0"),
    _text("client_ip", "who sent the request"),
    _int("client_port", "its port", "uint16"),
    _text("server_ip", "who answered"),
    _int("server_port", "its port", "uint16"),
    _int("vlan", "innermost 802.1Q id", "uint16"),
    _int("trans_depth", "1 for the first transaction on its connection"),
    _pooled("method", "request method"),
    _pooled("host", "Host header, or the authority of the request target"),
    _pooled("uri", "request target, secrets replaced"),
    _pooled("endpoint", "the path as a template"),
    _text("version", "HTTP version"),
    _pooled("user_agent", "User-Agent header"),
    _pooled("referrer", "Referer header, secrets replaced"),
    _pooled("request_content_type", "Content-Type of the request"),
    _pooled("response_content_type", "Content-Type of the response"),
    _int("request_body_len", "bytes of the request's body; the lower bound where they differ"),
    _int("response_body_len", "bytes of the response's body; the lower bound where they differ"),
    _int("status_code", "status of the response", "uint16"),
    _pooled("status_msg", "reason phrase of the response"),
    _pooled("auth_scheme", "how the request authenticates: basic, bearer, cookie, api-key"),
    _text("user", "keyed fingerprint of the credential"),
    _ms("request_ms", "first to last byte of the request, ms"),
    _ms("wait_ms", "end of the request to the first byte of the response, ms; negative when the response came early"),
    _ms("response_ms", "first to last byte of the response, ms"),
    Column("complete", Kind.BOOL, "request and response were seen in full, without a gap"),
    Column("anomalies", Kind.NAMES, "what was odd"),
    _int("request_body_len_max", "upper bound of request_body_len; null when there is none"),
    _int("response_body_len_max", "upper bound of response_body_len; null when there is none"),
    _int("records", "records counted in the response's body"),
    _text("tunnel", "innermost tunnel"),
    _int("tunnel_id", "VNI, key or TEID of the innermost tunnel", "uint32"),
    _text("account", "keyed fingerprint of the name that a login request gives"),
    _int("grpc_status", "grpc-status of the response", "uint16"),
    _int("request_messages", "gRPC messages in the request's body"),
    _int("response_messages", "gRPC messages in the response's body"),
    _int("request_missing_bytes", "bytes of the request, behind its head, that nobody saw; null in HTTP/2 with gaps"),
    _int("response_missing_bytes", "bytes of the response, behind its head, that nobody saw; null in HTTP/2 with gaps"),
)


def _direction(side: str) -> tuple[Column, ...]:
    return (
        Column(f"{side}_size_min", Kind.INT, "smallest IP packet, bytes"),
        Column(f"{side}_size_mean", Kind.DECIMAL, "mean size of the IP packets, bytes", digits=3),
        Column(f"{side}_size_max", Kind.INT, "largest IP packet, bytes"),
        Column(f"{side}_size_deviation", Kind.DECIMAL, "standard deviation of the sizes, bytes", digits=3),
        _ms(f"{side}_interval_min_ms", "shortest time between two packets, ms"),
        _ms(f"{side}_interval_mean_ms", "mean time between packets, ms"),
        _ms(f"{side}_interval_max_ms", "longest time between two packets, ms"),
        _ms(f"{side}_interval_deviation_ms", "standard deviation of these times, ms"),
        _int(f"{side}_retransmitted_bytes", "payload bytes sent again"),
        _int(f"{side}_missing_bytes", "bytes of TCP sequence space that were never seen"),
        _int(f"{side}_overlap_bytes", "bytes seen again; the first copy was kept"),
        _int(f"{side}_out_of_order_pkts", "packets that came before their turn"),
        _int(f"{side}_dup_pkts", "doubles of the mirror; in no other figure"),
        _int(f"{side}_dup_ip_bytes", "bytes of these IP packets, headers included"),
        _int(f"{side}_unsure_dup_pkts", "packets equal to an earlier one, doubled or sent twice; in other figures too"),
        _ms(f"{side}_ack_min_ms", "shortest time from one of its packets to the acknowledgement, ms"),
        Column(f"{side}_tcp_flags", Kind.TEXT, "all TCP flags seen: F S R P A U E C"),
    )


def _records(side: str) -> tuple[Column, ...]:
    """As in the TLS table (sensor/tls.py), but by who opened the flow; null for flows that are not TLS over TCP."""
    return (
        _int(f"{side}_records", "TLS records of application data; null where the flow is not TLS over TCP"),
        _int(f"{side}_record_bytes", "their bytes, encrypted"),
        _int(f"{side}_record_size_min", "smallest of these records, bytes"),
        Column(f"{side}_record_size_mean", Kind.DECIMAL, "their mean size, bytes", digits=3),
        _int(f"{side}_record_size_max", "largest of them, bytes"),
        Column(f"{side}_record_size_deviation", Kind.DECIMAL, "standard deviation of their sizes, bytes", digits=3),
        _ms(f"{side}_record_interval_min_ms", "shortest time between two of them, ms"),
        _ms(f"{side}_record_interval_mean_ms", "mean time between them, ms"),
        _ms(f"{side}_record_interval_max_ms", "longest time between two of them, ms"),
        _ms(f"{side}_record_interval_deviation_ms", "standard deviation of these times, ms"),
    )


FLOW_DIRECTION_COLUMNS = len(_direction("orig"))
FLOW_RECORD_COLUMNS = (
    *_records("orig"),
    *_records("resp"),
    Column("records_exact", Kind.BOOL, "no TLS record was lost track of; otherwise the counts are lower bounds"),
)
FLOW_COLUMNS = (
    Column("ts", Kind.TIME, "first packet", digits=9),
    _text("uid", "the connection; the same in transactions"),
    _text("id.orig_h", "who opened it"),
    _int("id.orig_p", "its port; for ICMP the type", "uint16"),
    _text("id.resp_h", "the other side"),
    _int("id.resp_p", "its port; for ICMP the counterpart's type, or the code", "uint16"),
    _text("proto", "transport protocol"),
    _text("service", "application protocol, by content: http, ssl (TLS and DTLS), quic or dns"),
    Column("duration", Kind.DECIMAL, "first to last packet, seconds", digits=9),
    _int("orig_bytes", "payload bytes; for TCP of sequence space, so that a byte counts once"),
    _int("resp_bytes", "likewise, of the other side"),
    _text("conn_state", "Zeek's conn_state"),
    _int("missed_bytes", "bytes of TCP sequence space never seen, both sides"),
    Column("missed_exact", Kind.BOOL, "missed_bytes is exact: seen from SYN to FIN or RST; otherwise the lower bound"),
    _text("history", "Zeek's history, each letter once a side"),
    _int("orig_pkts", "packets"),
    _int("orig_ip_bytes", "bytes of the IP packets, headers included"),
    _int("resp_pkts", "packets"),
    _int("resp_ip_bytes", "bytes of the IP packets, headers included"),
    _text("community_id", "Community ID v1, seed 0"),
    _int("vlan", "innermost 802.1Q id", "uint16"),
    _text("tunnel", "innermost tunnel"),
    _int("tunnel_id", "VNI, key or TEID of the innermost tunnel", "uint32"),
    _text("end_reason", "why the flow ended: fin, reset, idle, evicted, reused, capture_end"),
    *_direction("orig"),
    *_direction("resp"),
    *FLOW_RECORD_COLUMNS,
)


def json_type(column: Column) -> str:
    """What a column's values are in JSON: integer, number, boolean, text or list."""
    names = {Kind.INT: "integer", Kind.DECIMAL: "number", Kind.TIME: "seconds", Kind.BOOL: "boolean"}
    return names.get(column.kind, "list" if column.kind == Kind.NAMES else "text")
