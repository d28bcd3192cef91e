"""What Sigma's field names mean here: in: a log source and a field; out: a column of transactions or of flows.

The one law: what is not on the wire has no column, and a rule that needs it says so.

Field names: https://github.com/SigmaHQ/sigma-specification, taxonomy appendix 2.1.0. `cs-bytes` and `sc-bytes` mean
opposite things for web servers and proxies there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Batch, Strings
from sensor.detection.evidence import address_text, community_id
from sensor.detection.places import Map
from sensor.detection.sigma.column import Column, Of, Rows, Values, spelled, spellings
from sensor.detection.sigma.content_columns import LOGGED, WHOLE, ZEEK
from sensor.detection.sigma.dns_columns import DNS
from sensor.detection.sigma.sensitive_columns import SENSITIVE
from sensor.schema import Anomaly, ConnState, EndReason, Proto, Service, TokenFlag, TransactionFlag, Tunnel


def _pooled(name: str, derive: Callable[[str], tuple[str, ...]] = lambda text: (text,)) -> Column:
    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        codes, which = np.unique(batch.transactions[name][rows], return_inverse=True)
        return [_derived(strings.text(code), derive) if code else () for code in codes.tolist()], which

    return Column(texts, scanned=name)


def _derived(text: str, derive: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """Of each spelling."""
    return tuple(found for spelling in spellings(text) for found in derive(spelling))


def _url(batch: Batch, strings: Strings, rows: Rows) -> Values:
    table = batch.transactions
    pairs, which = np.unique(
        table["host"][rows].astype(np.int64) << 32 | table["uri"][rows].astype(np.int64), return_inverse=True
    )
    values: list[tuple[str, ...]] = []
    for pair in pairs.tolist():
        host, uri = strings.text(pair >> 32), strings.text(pair & 0xFFFFFFFF)
        whole = (f"http://{host}{uri}",) if host and uri.startswith("/") else ()
        values.append(tuple(found for text in (uri, *whole) for found in spellings(text)) if uri else ())
    return values, which


def _number(table: str, read: Callable[[npt.NDArray[np.void]], npt.NDArray[np.generic]]) -> Column:
    """A number; negative is absent."""

    def numbers(batch: Batch, rows: Rows) -> npt.NDArray[np.float64]:
        return read(getattr(batch, table)[rows]).astype(np.float64)

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        found, which = np.unique(numbers(batch, rows), return_inverse=True)
        return [spelled(value) for value in found.tolist()], which

    return Column(texts, numbers)


def _plain(name: str, table: str = "transactions") -> Column:
    return _number(table, lambda rows: rows[name])


def _milliseconds(end: str, start: str) -> Column:
    def read(rows: npt.NDArray[np.void]) -> npt.NDArray[np.float64]:
        known = (rows[end] > 0) & (rows[start] > 0)
        return np.where(known, (rows[end] - rows[start]) / 1e6, -1.0)

    return _number("transactions", read)


def _positive(name: str) -> Column:
    """A number of which 0 is absent."""
    return _number("transactions", lambda rows: np.where(rows[name] > 0, rows[name].astype(np.float64), -1.0))


def _distinct(table: npt.NDArray[np.void], names: tuple[str, ...]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(a row of each distinct combination, which combination each row has) of these columns."""
    which = np.zeros(len(table), np.intp)
    for name in names:
        found, codes = np.unique(table[name], return_inverse=True)
        which = np.unique(which * len(found) + codes, return_inverse=True)[1]
    return np.unique(which, return_index=True)[1], which


def _each(describe: Callable[[np.void], str], *names: str, table: str = "transactions") -> Column:
    """A text made of these columns of a row."""

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        chosen = getattr(batch, table)[rows]
        places, which = _distinct(chosen, names)
        return [(text,) if (text := describe(row)) else () for row in chosen[places]], which

    return Column(texts)


def _address(side: str, table: str = "transactions") -> Column:
    hi, lo = f"{side}_hi", f"{side}_lo"
    return _each(lambda row: address_text(int(row[hi]), int(row[lo])), hi, lo, table=table)


def _community(one: str, other: str, table: str = "transactions") -> Column:
    names = [f"{side}_{part}" for side in (one, other) for part in ("hi", "lo", "port")]
    return _each(lambda row: community_id(row, one, other), "proto", *names, table=table)


def _fingerprint(*names: str) -> Column:
    """The first of these that is known."""
    return _each(lambda row: next((f"{row[name]:016x}" for name in names if row[name]), ""), *names)


def _identity(row: np.void) -> str:
    """Whom the credential stands for, the credential, else the client's address."""
    known = next((f"{row[name]:016x}" for name in ("subject", "user") if row[name]), "")
    return known or address_text(int(row["client_hi"]), int(row["client_lo"]))


def _names_of(spell: Callable[[npt.NDArray[np.void]], npt.NDArray[np.uint64]], names: tuple[str, ...]) -> Column:
    """Names of the bits that are set, the lowest first."""

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        found, which = np.unique(spell(batch.transactions[rows]), return_inverse=True)
        spelled = [tuple(name for bit, name in enumerate(names) if value >> bit & 1) for value in found.tolist()]
        return spelled, which

    return Column(texts)


def _names(kind: type[IntEnum], prefix: str = "") -> tuple[str, ...]:
    return tuple(prefix + member.name.lower() for member in kind)


def _outcome(rows: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """Bits of _OUTCOMES."""
    login = rows["flags"] & TransactionFlag.LOGIN != 0
    failed = login & (rows["flags"] & TransactionFlag.LOGIN_FAILED != 0)
    locked = login & (rows["flags"] & TransactionFlag.LOCKED != 0)
    well = login & ~failed & (rows["status_code"] >= 200) & (rows["status_code"] < 400)
    bits: npt.NDArray[np.uint64] = (login | failed * 2 | locked * 4 | well * 8).astype(np.uint64)
    return bits


_OUTCOMES = ("attempt", "failed", "locked", "succeeded")


def _stream(name: str, side: int) -> Column:
    """A figure of one direction of a flow."""

    def numbers(batch: Batch, rows: Rows) -> npt.NDArray[np.float64]:
        return batch.streams[name][2 * rows + side].astype(np.float64)

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        found, which = np.unique(numbers(batch, rows), return_inverse=True)
        return [(str(int(value)),) for value in found.tolist()], which

    return Column(texts, numbers)


def _path(uri: str) -> tuple[str, ...]:
    return (uri.partition("?")[0],)


def _query(uri: str) -> tuple[str, ...]:
    """Rules mean the target as often as its query alone."""
    query = uri.partition("?")[2]
    return (uri, query) if query else (uri,)


def _extension(uri: str) -> tuple[str, ...]:
    name = uri.partition("?")[0].rpartition("/")[2]
    return (name.rpartition(".")[2],) if "." in name else ()


_VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
_TARGET = Column(_url, scanned="uri")
_VERSION = _each(lambda row: _VERSIONS.get(int(row["version"]), ""), "version")
_HTTP_VERSION = _each(
    lambda row: f"HTTP/{_VERSIONS[int(row['version'])]}" if int(row["version"]) in _VERSIONS else "", "version"
)

COMMON: Mapping[str, Column] = {
    "cs-method": _pooled("method"),
    "cs-host": _pooled("host"),
    "cs-version": _HTTP_VERSION,
    "sc-status": _positive("status_code"),
    "cs-uri": _pooled("uri"),
    "cs-uri-stem": _pooled("uri", _path),
    "cs-uri-query": _pooled("uri", _query),
    "cs-uri-extension": _pooled("uri", _extension),
    "cs-user-agent": _pooled("user_agent"),
    "cs-useragent": _pooled("user_agent"),
    "c-useragent": _pooled("user_agent"),
    "cs-referer": _pooled("referrer"),
    "cs-referrer": _pooled("referrer"),
    "c-uri": _TARGET,
    "c-uri-stem": _pooled("uri", _path),
    "c-uri-query": _pooled("uri", _query),
    "c-uri-extension": _pooled("uri", _extension),
    "c-ip": _address("client"),
    "src_ip": _address("client"),
    "dst_ip": _address("server"),
    "s-ip": _address("server"),
    "src_port": _plain("client_port"),
    "dst_port": _plain("server_port"),
    "s-port": _plain("server_port"),
    "cs-content-type": _pooled("request_content_type"),
    "sc-content-type": _pooled("response_content_type"),
    "cs-username": _fingerprint("account"),
    "time-taken": _milliseconds("response_end_ts", "ts"),
    **LOGGED,
}

WEBSERVER: Mapping[str, Column] = {
    **COMMON,
    "cs-bytes": _plain("request_body_len"),   # received by the server
    "sc-bytes": _plain("response_body_len"),  # sent by the server
}

PROXY: Mapping[str, Column] = {
    **COMMON,
    "cs-bytes": _plain("response_body_len"),  # sent from the server
    "sc-bytes": _plain("request_body_len"),   # sent from the client
    "r-dns": _pooled("host"),
}

ZEEK_HTTP: Mapping[str, Column] = {
    **COMMON,  # public rules for Zeek use these as well
    **ZEEK,
    "method": _pooled("method"),
    "host": _pooled("host"),
    "uri": _pooled("uri"),
    "user_agent": _pooled("user_agent"),
    "referrer": _pooled("referrer"),
    "version": _VERSION,
    "status_code": _positive("status_code"),
    "status_msg": _pooled("status_msg"),
    "request_body_len": _plain("request_body_len"),
    "response_body_len": _plain("response_body_len"),
    "trans_depth": _plain("trans_depth"),
    "orig_mime_types": _pooled("request_content_type"),
    "resp_mime_types": _pooled("response_content_type"),
    "id.orig_h": _address("client"),
    "id.orig_p": _plain("client_port"),
    "id.resp_h": _address("server"),
    "id.resp_p": _plain("server_port"),
    "username": _fingerprint("account"),
}

API: Mapping[str, Column] = {
    **ZEEK_HTTP,
    **WHOLE,
    **SENSITIVE,
    "client_ip": _address("client"),
    "client_port": _plain("client_port"),
    "server_ip": _address("server"),
    "server_port": _plain("server_port"),
    "vlan": _plain("vlan"),
    "endpoint": _pooled("endpoint"),
    "request_content_type": _pooled("request_content_type"),
    "response_content_type": _pooled("response_content_type"),
    "auth_scheme": _pooled("auth_scheme"),
    "user": _fingerprint("user"),
    "account": _fingerprint("account"),
    "subject": _fingerprint("subject"),
    "role": _fingerprint("role"),
    "identity": _each(_identity, "subject", "user", "client_hi", "client_lo"),
    "records": _plain("records"),
    "login": _names_of(_outcome, _OUTCOMES),
    "flags": _names_of(lambda rows: rows["flags"].astype(np.uint64), _names(TransactionFlag)),
    "token_flags": _names_of(lambda rows: rows["token_flags"].astype(np.uint64), _names(TokenFlag)),
    "anomalies": _names_of(lambda rows: rows["anomalies"], _names(Anomaly)),
    "token_seconds": _positive("token_seconds"),
    "page": _plain("page"),
    "object_number": _plain("object_number"),
    "tunnel": _each(lambda row: Tunnel(int(row["tunnel"])).name.lower() if row["tunnel"] else "", "tunnel"),
    "tunnel_id": _plain("tunnel_id"),
    "grpc_status": _plain("grpc_status"),
    "request_messages": _plain("request_messages"),
    "response_messages": _plain("response_messages"),
    "request_missing_bytes": _plain("request_missing_bytes"),
    "response_missing_bytes": _plain("response_missing_bytes"),
    "request_body_len_max": _plain("request_body_max"),
    "response_body_len_max": _plain("response_body_max"),
    "request_ms": _milliseconds("request_end_ts", "ts"),
    "wait_ms": _milliseconds("response_ts", "request_end_ts"),
    "response_ms": _milliseconds("response_end_ts", "response_ts"),
    "community_id": _community("client", "server"),
}

_TRANSPORTS = {int(Proto.TCP): "tcp", int(Proto.UDP): "udp", int(Proto.ICMP): "icmp", int(Proto.ICMP6): "ipv6-icmp"}
_SOURCE_IP, _TARGET_IP = _address("orig", "flows"), _address("resp", "flows")
_TRANSPORT = _each(lambda row: _TRANSPORTS.get(int(row["proto"]), str(int(row["proto"]))), "proto", table="flows")
_STATE = _each(lambda row: ConnState(int(row["conn_state"])).name, "conn_state", table="flows")
_SERVICES = {int(Service.HTTP): "http", int(Service.SSL): "ssl", int(Service.QUIC): "quic", int(Service.DNS): "dns"}
_SECONDS = _number("flows", lambda rows: (rows["last_ts"] - rows["start_ts"]) / 1e9)
_STREAM = {
    "pkts": "packets", "bytes": "payload_bytes", "ip_bytes": "ip_bytes", "retransmitted_bytes": "retransmitted_bytes",
    "missing_bytes": "missing_bytes", "overlap_bytes": "overlap_bytes", "out_of_order_pkts": "out_of_order_packets",
    "dup_pkts": "duplicate_packets", "size_min": "size_min", "size_max": "size_max",
}  # fmt: skip
CONNECTION: Mapping[str, Column] = {
    "id.orig_h": _SOURCE_IP,
    "id.orig_p": _plain("orig_port", "flows"),
    "id.resp_h": _TARGET_IP,
    "id.resp_p": _plain("resp_port", "flows"),
    "proto": _TRANSPORT,
    "service": _each(lambda row: _SERVICES.get(int(row["service"]), ""), "service", table="flows"),
    "conn_state": _STATE,
    "duration": _SECONDS,
    "vlan": _plain("vlan", "flows"),
    "tunnel_id": _plain("tunnel_id", "flows"),
    "end_reason": _each(lambda row: EndReason(int(row["end_reason"])).name.lower(), "end_reason", table="flows"),
    "community_id": _community("orig", "resp", "flows"),
    **{f"orig_{name}": _stream(field, 0) for name, field in _STREAM.items()},
    **{f"resp_{name}": _stream(field, 1) for name, field in _STREAM.items()},
    "SourceIp": _SOURCE_IP,  # as logs of hosts call them
    "SourcePort": _plain("orig_port", "flows"),
    "DestinationIp": _TARGET_IP,
    "DestinationPort": _plain("resp_port", "flows"),
    "Protocol": _TRANSPORT,
    "Initiated": _each(lambda row: "true", "proto", table="flows"),  # told from the side of its origin
    "source.ip": _SOURCE_IP,
    "source.port": _plain("orig_port", "flows"),
    "destination.ip": _TARGET_IP,
    "destination.port": _plain("resp_port", "flows"),
    "src_ip": _SOURCE_IP,
    "src_port": _plain("orig_port", "flows"),
    "dst_ip": _TARGET_IP,
    "dst_port": _plain("resp_port", "flows"),
    "source.packets": _stream("packets", 0),
    "destination.packets": _stream("packets", 1),
    "source.bytes": _stream("ip_bytes", 0),
    "destination.bytes": _stream("ip_bytes", 1),
    "network.transport": _TRANSPORT,
    "network.type": _each(
        lambda row: "ipv4" if int(row["orig_lo"]) >> 32 == 0xFFFF else "ipv6", "orig_lo", table="flows"
    ),
    "network.state": _STATE,
    "network.community_id": _community("orig", "resp", "flows"),
    "event.duration": _SECONDS,
}


class Source(NamedTuple):
    """A log source: the table it speaks of, and its fields."""

    of: Of
    fields: Mapping[str, Column]
    keywords: tuple[str, ...] = ()
    """Fields in which a value without a field is looked for."""


_LINE = ("cs-method", "c-uri", "cs-host", "cs-user-agent", "cs-referer")
_ZEEK_LINE = ("method", "uri", "host", "user_agent", "referrer")


def _country(side: str, places: Map) -> Column:
    """Code of the country of an address."""

    def describe(row: np.void) -> str:
        place = places.place(address_text(int(row[f"{side}_hi"]), int(row[f"{side}_lo"])))
        return place.country if place else ""

    return _each(describe, f"{side}_hi", f"{side}_lo")


COUNTRIES = ("country", "server_country")
"""Fields of the category `api` that a table of places brings."""


def source_of(
    category: str | None, product: str | None, service: str | None, places: Map | None = None
) -> Source | None:
    """The source that a rule's `logsource` names; None when the wire has nothing of it."""
    if category == "webserver" or (product in ("apache", "nginx") and service in ("access", None)):
        return Source(Of.TRANSACTIONS, WEBSERVER, _LINE)
    if category == "proxy":
        return Source(Of.TRANSACTIONS, PROXY, _LINE)
    if category == "api":
        sides = zip(COUNTRIES, ("client", "server"), strict=True)
        located = {name: _country(side, places) for name, side in sides} if places else {}
        return Source(Of.TRANSACTIONS, {**API, **located}, _ZEEK_LINE)
    if product == "zeek" and service == "http":
        return Source(Of.TRANSACTIONS, ZEEK_HTTP, _ZEEK_LINE)
    if category in ("dns", "dns_query") or (product in ("zeek", None) and service == "dns"):
        return Source(Of.LOOKUPS, DNS, ("query", "answers"))
    if product == "zeek" and service == "conn":
        return Source(Of.FLOWS, CONNECTION)
    if category in ("network", "network_connection", "firewall") and service in ("connection", None):
        return Source(Of.FLOWS, CONNECTION)
    return None
