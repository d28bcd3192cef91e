"""What Sigma's field names mean of DNS: in: a field; out: a column of lookups.

Zeek's names of `dns.log`, those of Sigma's taxonomy for `category: dns`, and what `category: dns_query` has of the
wire. The one law: a test runs once for each distinct value, however often it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Batch, Strings
from sensor.detection.evidence import address_text
from sensor.detection.lookups.ends import ends_of
from sensor.detection.lookups.names import taken_apart
from sensor.detection.sigma.column import Column, Rows, Values, spelled
from sensor.dns import class_name, rcode_name, type_name
from sensor.limits import NS
from sensor.schema import Proto
from sensor.schema_dns import LookupFlag

Numbers = npt.NDArray[np.float64]
_TRANSPORTS = {int(Proto.TCP): "tcp", int(Proto.UDP): "udp"}
_ABSENT = -1.0


def _query(derive: Callable[[str], tuple[str, ...]]) -> Column:
    """What is made of the name asked for."""

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        table = batch.dns.rows[rows]
        _, places, which = np.unique(table["name_hash"], return_index=True, return_inverse=True)
        names = [batch.dns.query(row) for row in table[places]]
        return [derive(name) if name else () for name in names], which

    return Column(texts, scanned="query")


def _coded(name: str, spell: Callable[[int], tuple[str, ...]], seen: LookupFlag | None = None) -> Column:
    """A text for each value of a column; absent where a message of the pair was not seen."""

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        table = batch.dns.rows[rows]
        codes = table[name].astype(np.int64)
        if seen is not None:
            codes[table["flags"] & seen == 0] = _ABSENT
        found, which = np.unique(codes, return_inverse=True)
        return [spell(code) if code >= 0 else () for code in found.tolist()], which

    return Column(texts)


def _number(read: Callable[[Batch], npt.NDArray[np.generic]]) -> Column:
    """A number; negative is absent."""

    def numbers(batch: Batch, rows: Rows) -> Numbers:
        return read(batch)[rows].astype(np.float64)

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        found, which = np.unique(numbers(batch, rows), return_inverse=True)
        return [spelled(value) for value in found.tolist()], which

    return Column(texts, numbers)


def _plain(name: str, seen: LookupFlag | None = None) -> Column:
    def read(batch: Batch) -> npt.NDArray[np.generic]:
        rows = batch.dns.rows
        known: npt.NDArray[np.bool_] = rows["flags"] & seen != 0 if seen is not None else np.ones(len(rows), np.bool_)
        return np.where(known, rows[name].astype(np.float64), _ABSENT)

    return _number(read)


def _flag(read: Callable[[Batch], npt.NDArray[np.bool_]]) -> Column:
    """Spelled as Zeek's log and as YAML have it."""

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        return [("false", "F"), ("true", "T")], read(batch)[rows].astype(np.intp)

    return Column(texts)


def _bit(flag: LookupFlag) -> Column:
    return _flag(lambda batch: batch.dns.rows["flags"] & flag != 0)


def _answers(describe: Callable[[Batch, np.void], list[str]]) -> Column:
    """All values that the answers of a row have; no two rows are taken for alike."""

    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        has = np.flatnonzero(batch.dns.rows["answers"][rows])
        which = np.zeros(len(rows), np.intp)
        which[has] = np.arange(1, len(has) + 1)
        return [(), *(tuple(describe(batch, batch.dns.rows[rows[place]])) for place in has.tolist())], which

    return Column(texts)


def _ttls(batch: Batch, row: np.void) -> list[str]:
    first = int(row["answer"])
    return [str(ttl) for ttl in batch.dns.answers["ttl"][first : first + int(row["answers"])].tolist()]


def _address(side: str) -> Column:
    def texts(batch: Batch, strings: Strings, rows: Rows) -> Values:
        pairs, which = np.unique(batch.dns.rows[[f"{side}_hi", f"{side}_lo"]][rows], return_inverse=True)
        return [(address_text(hi, lo),) for hi, lo in pairs.tolist()], which

    return Column(texts)


def _community(batch: Batch, strings: Strings, rows: Rows) -> Values:
    table = batch.dns.rows[rows]
    _, places, which = np.unique(table["flow"], return_index=True, return_inverse=True)
    return [(str(ends_of(row)["community_id"]),) for row in table[places]], which


def _rtt(batch: Batch) -> Numbers:
    """Seconds."""
    rtt = batch.dns.rows["rtt"]
    return np.where(rtt >= 0, rtt / NS, _ABSENT)


def _types(qtype: int) -> tuple[str, ...]:
    name = type_name(qtype)
    return ("ANY", "*") if name == "*" else (name,)


_NAME = _query(lambda name: (name,))
_TYPE, _DATA = _coded("qtype", _types), _answers(lambda batch, row: batch.dns.answered(row))
_CLIENT, _SERVER = _address("client"), _address("server")
_CLIENT_PORT, _SERVER_PORT = _plain("client_port"), _plain("server_port")

DNS: Mapping[str, Column] = {
    "query": _NAME,
    "QueryName": _NAME,
    "dns.question.name": _NAME,
    "parent_domain": _query(lambda name: (taken_apart(name).domain,)),
    "query_length": _plain("query_length"),
    "record_type": _TYPE,
    "qtype_name": _TYPE,
    "qtype": _plain("qtype"),
    "qclass": _plain("qclass"),
    "qclass_name": _coded("qclass", lambda qclass: (class_name(qclass),)),
    "rcode": _plain("rcode", LookupFlag.ANSWERED),
    "rcode_name": _coded("rcode", lambda rcode: (rcode_name(rcode),), LookupFlag.ANSWERED),
    "answer": _DATA,
    "answers": _DATA,
    "QueryResults": _DATA,
    "TTLs": _answers(_ttls),
    "answer_count": _plain("answer_count", LookupFlag.ANSWERED),
    "authority_count": _plain("authority_count", LookupFlag.ANSWERED),
    "additional_count": _plain("additional_count", LookupFlag.ANSWERED),
    "rtt": _number(_rtt),
    "trans_id": _plain("trans_id"),
    "opcode": _plain("opcode"),
    "proto": _coded("proto", lambda proto: (_TRANSPORTS.get(proto, str(proto)),)),
    "queries": _plain("queries", LookupFlag.ASKED),
    "query_bytes": _plain("query_bytes", LookupFlag.ASKED),
    "response_bytes": _plain("response_bytes", LookupFlag.ANSWERED),
    "AA": _bit(LookupFlag.AA),
    "TC": _bit(LookupFlag.TC),
    "RD": _bit(LookupFlag.RD),
    "RA": _bit(LookupFlag.RA),
    "AD": _bit(LookupFlag.AD),
    "CD": _bit(LookupFlag.CD),
    "Z": _number(lambda batch: batch.dns.reserved()),
    "rejected": _flag(lambda batch: batch.dns.rejected()),
    "malformed": _bit(LookupFlag.MALFORMED),
    "id.orig_h": _CLIENT,
    "id.orig_p": _CLIENT_PORT,
    "id.resp_h": _SERVER,
    "id.resp_p": _SERVER_PORT,
    "src_ip": _CLIENT,
    "src_port": _CLIENT_PORT,
    "dst_ip": _SERVER,
    "dst_port": _SERVER_PORT,
    "source.ip": _CLIENT,
    "source.port": _CLIENT_PORT,
    "destination.ip": _SERVER,
    "destination.port": _SERVER_PORT,
    "c-ip": _CLIENT,
    "client_ip": _CLIENT,
    "server_ip": _SERVER,
    "community_id": Column(_community),
}
