"""TLS connections to files: in: rows in the order in which connections ended; out: JSON lines, or Parquet and
DataFrames.

The one law: both forms hold the same columns, those of TlsConnection, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import inspect

from sensor.export.files import Output, format_of
from sensor.tls import TLS_COLUMNS, TlsConnection

if TYPE_CHECKING:
    import polars as pl


class TlsWriter(Protocol):
    """Takes connections as they end."""

    def write(self, rows: Sequence[TlsConnection]) -> None: ...

    def close(self) -> None: ...


class JsonTls:
    """A line for each connection; flushed with each batch."""

    def __init__(self, path: str, append: bool = False) -> None:
        self._output = Output(path, append)
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Sequence[TlsConnection]) -> None:
        if rows:
            self._output.write(b"".join(self._encoder.encode(row) + b"\n" for row in rows))
            self._output.flush()

    def close(self) -> None:
        self._output.close()


class ParquetTls:
    """Row groups as for the other tables."""

    def __init__(self, path: str) -> None:
        from sensor.export.parquet import ParquetFile

        self._file = ParquetFile(path, tls_frame([]).schema)

    def write(self, rows: Sequence[TlsConnection]) -> None:
        if rows:
            self._file.write(tls_frame(rows))

    def close(self) -> None:
        self._file.close()


def open_tls_writer(path: str, append: bool = False) -> TlsWriter:
    """A writer to `path`; OutputError when it cannot be written or its ending is unknown; `append`: lines stay."""
    return ParquetTls(path) if format_of(path) == "parquet" else JsonTls(path, append)


def tls_frame(rows: Sequence[TlsConnection]) -> pl.DataFrame:
    """One row for each connection."""
    import polars as pl

    table = [msgspec.to_builtins(row) for row in rows]
    return pl.DataFrame({name: pl.Series(name, [row[name] for row in table], kind) for name, kind in _kinds()})


def tls_columns() -> Iterator[tuple[str, str, str]]:
    """(name, JSON type, description) of each column."""
    names = {inspect.IntType: "integer", inspect.FloatType: "number", inspect.BoolType: "boolean"}
    for name, kind in _types():
        yield name, names.get(type(kind), "text" if isinstance(kind, inspect.StrType) else "list"), TLS_COLUMNS[name]


def _types() -> Iterator[tuple[str, Any]]:
    """(name, type without None) of each column."""
    for field in inspect.type_info(TlsConnection).fields:  # type: ignore[attr-defined]
        kind = field.type
        if isinstance(kind, inspect.UnionType):
            kind = next(member for member in kind.types if not isinstance(member, inspect.NoneType))
        yield field.encode_name, kind


def _kinds() -> Iterator[tuple[str, Any]]:
    import polars as pl

    kinds = {inspect.IntType: pl.Int64, inspect.FloatType: pl.Float64, inspect.BoolType: pl.Boolean}
    for name, kind in _types():
        yield name, kinds.get(type(kind), pl.String if isinstance(kind, inspect.StrType) else pl.List(pl.String))
