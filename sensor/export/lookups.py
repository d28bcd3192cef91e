"""DNS lookups to files: in: the lookups of a batch; out: JSON lines, Parquet and DataFrames with Zeek's dns.log names.

Whole columns at a time. The one law: all forms hold the same columns, those of DNS_COLUMNS, in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from sensor.dns import NO_LOOKUPS, Lookups, class_name, rcode_name, type_name
from sensor.export.files import Output, format_of
from sensor.limits import NS
from sensor.schema import Proto
from sensor.schema_dns import LookupFlag

if TYPE_CHECKING:
    import polars as pl

DNS_COLUMNS = {
    "ts": ("number", "the question, or the answer when no question was seen, seconds since 1970"),
    "uid": ("text", "the connection; the same in flows"),
    "community_id": ("text", "Community ID v1, seed 0"),
    "id.orig_h": ("text", "who asked"),
    "id.orig_p": ("integer", "its port"),
    "id.resp_h": ("text", "who answered, or was asked"),
    "id.resp_p": ("integer", "its port"),
    "proto": ("text", "udp or tcp"),
    "trans_id": ("integer", "id of the message"),
    "rtt": ("number", "from the question to its answer, seconds; null unless both were seen"),
    "query": ("text", "the name asked for, in lower case; other bytes than printable ASCII are \\xNN"),
    "qclass": ("integer", "class of the question"),
    "qclass_name": ("text", "its name, as Zeek has it"),
    "qtype": ("integer", "type of the question"),
    "qtype_name": ("text", "its name"),
    "rcode": ("integer", "how it was answered, EDNS's upper bits included; null without an answer"),
    "rcode_name": ("text", "its name"),
    "AA": ("boolean", "the answer is authoritative"),
    "TC": ("boolean", "a message is truncated"),
    "RD": ("boolean", "recursion is desired"),
    "RA": ("boolean", "recursion is available"),
    "Z": ("integer", "the three bits behind RA: a reserved one, AD and CD"),
    "AD": ("boolean", "the server says that signatures are valid"),
    "CD": ("boolean", "the client does not want signatures to be checked"),
    "answers": ("list", "data of the records that answer: addresses, names, texts; at most 64, 4 KiB of text"),
    "answer_types": ("list", "their types"),
    "TTLs": ("list", "seconds that each of them is good for"),
    "rejected": ("boolean", "the answer has no record of any kind, as Zeek understands it"),
    "opcode": ("integer", "0 query, 4 notify, 5 update"),
    "queries": ("integer", "times that the question was seen before it was answered"),
    "query_bytes": ("integer", "the question's message, bytes; null when it was not seen"),
    "response_bytes": ("integer", "the answer's message, bytes; null when it was not seen"),
    "answer_count": ("integer", "records that answer, as the answer says"),
    "authority_count": ("integer", "records of name servers, as the answer says"),
    "additional_count": ("integer", "additional records, as the answer says"),
    "edns_bytes": ("integer", "UDP payload that the client takes (EDNS); null without EDNS"),
    "dnssec_ok": ("boolean", "the client asks for signatures"),
    "malformed": ("boolean", "records of a message could not be read to their end"),
    "cut": ("boolean", "not all answers are listed"),
    "tunnel_id": ("integer", "VNI, key or TEID of the innermost tunnel"),
    "vlan": ("integer", "innermost 802.1Q id"),
    "now": ("integer", "packet time at which it was complete or given up, ns"),
    "flow": ("integer", "number of the connection in this run, from 1"),
}
_TRANSPORTS = {int(Proto.TCP): "tcp", int(Proto.UDP): "udp"}
_FLAGS = {
    "AA": LookupFlag.AA, "TC": LookupFlag.TC, "RD": LookupFlag.RD, "RA": LookupFlag.RA, "AD": LookupFlag.AD,
    "CD": LookupFlag.CD, "dnssec_ok": LookupFlag.DNSSEC_OK, "malformed": LookupFlag.MALFORMED, "cut": LookupFlag.CUT,
}  # fmt: skip
_COUNTS = ("answer_count", "authority_count", "additional_count")


class LookupWriter(Protocol):
    """Takes the lookups of each batch."""

    def write(self, lookups: Lookups) -> None: ...

    def close(self) -> None: ...


class JsonLookups:
    """A line for each lookup; flushed with each batch."""

    def __init__(self, path: str, append: bool = False) -> None:
        self._output = Output(path, append)

    def write(self, lookups: Lookups) -> None:
        lines = BytesIO()
        lookup_frame(lookups).write_ndjson(lines)
        self._output.write(lines.getbuffer())
        self._output.flush()

    def close(self) -> None:
        self._output.close()


class ParquetLookups:
    """Row groups as for the other tables."""

    def __init__(self, path: str) -> None:
        from sensor.export.parquet import ParquetFile

        self._file = ParquetFile(path, lookup_frame(NO_LOOKUPS).schema)

    def write(self, lookups: Lookups) -> None:
        self._file.write(lookup_frame(lookups))

    def close(self) -> None:
        self._file.close()


def open_lookup_writer(path: str, append: bool = False) -> LookupWriter:
    """A writer to `path`; OutputError when it cannot be written or its ending is unknown; `append`: lines stay."""
    return ParquetLookups(path) if format_of(path) == "parquet" else JsonLookups(path, append)


def lookup_frame(lookups: Lookups) -> pl.DataFrame:
    """A row for each lookup."""
    import polars as pl

    rows = lookups.rows
    asked, answered = (rows["flags"] & flag != 0 for flag in (LookupFlag.ASKED, LookupFlag.ANSWERED))
    named = rows["query_length"] > 0
    columns: dict[str, Any] = {
        "ts": pl.Series(rows["ts"] / NS),
        "rtt": _where(rows["rtt"] >= 0, rows["rtt"] / NS),
        "proto": _named(rows["proto"], lambda proto: _TRANSPORTS.get(proto, "")),
        "qclass": _where(named, rows["qclass"]), "qclass_name": _where(named, _named(rows["qclass"], class_name)),
        "qtype": _where(named, rows["qtype"]), "qtype_name": _where(named, _named(rows["qtype"], type_name)),
        "rcode": _where(answered, rows["rcode"]), "rcode_name": _where(answered, _named(rows["rcode"], rcode_name)),
        "query_bytes": _where(asked, rows["query_bytes"]),
        "response_bytes": _where(answered, rows["response_bytes"]),
        "edns_bytes": _where(rows["edns_bytes"] > 0, rows["edns_bytes"]),
        "queries": _where(asked, rows["queries"]),
        "tunnel_id": _where(rows["tunnel"] > 0, rows["tunnel_id"]), "vlan": _where(rows["vlan"] > 0, rows["vlan"]),
        "Z": _whole(lookups.reserved()), "rejected": pl.Series(lookups.rejected()),
        **{name: pl.Series(rows["flags"] & flag != 0) for name, flag in _FLAGS.items()},
        **{name: _where(answered, rows[name]) for name in _COUNTS},
        **{name: _whole(rows[name]) for name in ("trans_id", "opcode", "now", "flow")},
        "id.orig_p": _whole(rows["client_port"]), "id.resp_p": _whole(rows["server_port"]),
    }  # fmt: skip
    columns |= _texts(lookups, named) | _answers(lookups)
    return pl.DataFrame({name: columns[name].alias(name) for name in DNS_COLUMNS})


def _whole(values: npt.NDArray[Any]) -> pl.Series:
    import polars as pl

    return pl.Series(values.astype(np.int64))


def _where(present: npt.NDArray[np.bool_], values: Any) -> pl.Series:
    """Null where it is not present."""
    import polars as pl

    if isinstance(values, np.ndarray):
        values = pl.Series(values) if values.dtype.kind == "f" else _whole(values)
    nothing = pl.Series([None], dtype=values.dtype)
    chosen: pl.Series = values.zip_with(pl.Series(present), nothing.new_from_index(0, len(values)))
    return chosen


def _named(codes: npt.NDArray[Any], name: Callable[[int], str]) -> pl.Series:
    """The name of each code, made once for each."""
    import polars as pl

    found, which = np.unique(codes, return_inverse=True)
    return pl.Series([name(int(code)) for code in found], dtype=pl.String).gather(which)


def _texts(lookups: Lookups, named: npt.NDArray[np.bool_]) -> dict[str, pl.Series]:
    import polars as pl

    from sensor.export.lookup_texts import ROW_BYTES, ROW_TEXTS, row_texts
    from sensor.structures.community_id_kernels import WORK_WORDS

    rows = lookups.rows
    n = len(rows)
    out = np.empty(ROW_BYTES * n + int(rows["query_length"].sum()), np.uint8)
    offsets = np.zeros(ROW_TEXTS * n + 1, np.int64)
    row_texts(np.ascontiguousarray(rows), lookups.texts, np.empty(WORK_WORDS, np.int64), out, offsets)
    texts = pl.Series(_strings(offsets, out))
    names = "uid", "community_id", "id.orig_h", "id.resp_h", "query"
    columns = {name: texts.gather_every(ROW_TEXTS, place) for place, name in enumerate(names)}
    return columns | {"query": _where(named, columns["query"])}


def _answers(lookups: Lookups) -> dict[str, pl.Series]:
    """Three lists of each row; rows follow each other in `answers`."""
    import nanoarrow as na
    import polars as pl

    from sensor.export.lookup_texts import ANSWER_BYTES, answer_texts

    rows = lookups.rows
    first = int(rows["answer"][0]) if len(rows) else 0
    counts = rows["answers"].astype(np.int64)
    ends = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(counts, out=ends[1:])
    answers = np.ascontiguousarray(lookups.answers[first : first + int(ends[-1])])
    out = np.empty(ANSWER_BYTES * len(answers) + int(answers["length"].sum()), np.uint8)
    offsets = np.zeros(len(answers) + 1, np.int64)
    answer_texts(answers, lookups.texts, out, offsets)
    kinds = _named(answers["type"], type_name)

    def lists(item: Any, child: Any) -> pl.Series:
        return pl.Series(na.c_array_from_buffers(na.large_list(item), len(rows), [None, ends], children=[child]))

    ttls = na.c_array_from_buffers(na.int64(), len(answers), [None, answers["ttl"].astype(np.int64)])
    return {
        "answers": lists(na.large_string(), _strings(offsets, out)),
        "answer_types": lists(na.large_string(), na.c_array(kinds.to_list(), na.large_string())),
        "TTLs": lists(na.int64(), ttls),
    }


def _strings(offsets: npt.NDArray[np.int64], out: npt.NDArray[np.uint8]) -> Any:
    import nanoarrow as na

    return na.c_array_from_buffers(na.large_string(), len(offsets) - 1, [None, offsets, out[: offsets[-1]].copy()])
