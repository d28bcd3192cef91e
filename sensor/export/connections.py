"""Connections that were read in Python (TLS, WebSocket) to files: in: rows in the order in which connections ended;
out: JSON lines, or Parquet and DataFrames.

The one law: both forms hold the same columns, those of the row's class, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import inspect

from sensor.export.files import Output, format_of
from sensor.tls import TLS_COLUMNS, TlsConnection
from sensor.websocket import WEBSOCKET_COLUMNS, WebSocketConnection

if TYPE_CHECKING:
    import polars as pl

Row = TlsConnection | WebSocketConnection
_ABOUT: dict[type[Row], dict[str, str]] = {TlsConnection: TLS_COLUMNS, WebSocketConnection: WEBSOCKET_COLUMNS}


class ConnectionWriter(Protocol):
    """Takes connections as they end."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


class JsonConnections:
    """A line for each connection; flushed with each batch."""

    def __init__(self, path: str, append: bool = False) -> None:
        self._output = Output(path, append)
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Sequence[Row]) -> None:
        if rows:
            self._output.write(b"".join(self._encoder.encode(row) + b"\n" for row in rows))
            self._output.flush()

    def close(self) -> None:
        self._output.close()


class ParquetConnections:
    """Row groups as for the other tables."""

    def __init__(self, path: str, kind: type[Row]) -> None:
        from sensor.export.parquet import ParquetFile

        self._kind = kind
        self._file = ParquetFile(path, connection_frame([], kind).schema)

    def write(self, rows: Sequence[Row]) -> None:
        if rows:
            self._file.write(connection_frame(rows, self._kind))

    def close(self) -> None:
        self._file.close()


def open_connection_writer(path: str, kind: type[Row], append: bool = False) -> ConnectionWriter:
    """A writer to `path`; OutputError when it cannot be written or its ending is unknown; `append`: lines stay."""
    return ParquetConnections(path, kind) if format_of(path) == "parquet" else JsonConnections(path, append)


def connection_frame(rows: Sequence[Row], kind: type[Row]) -> pl.DataFrame:
    """One row for each connection, all of one kind."""
    import polars as pl

    table = [msgspec.to_builtins(row) for row in rows]
    return pl.DataFrame({name: pl.Series(name, [row[name] for row in table], typed) for name, typed in _typed(kind)})


def connection_columns(kind: type[Row]) -> Iterator[tuple[str, str, str]]:
    """(name, JSON type, description) of each column."""
    names = {inspect.IntType: "integer", inspect.FloatType: "number", inspect.BoolType: "boolean"}
    for name, typed in _types(kind):
        yield name, names.get(type(typed), "text" if isinstance(typed, inspect.StrType) else "list"), _ABOUT[kind][name]


def _types(kind: type[Row]) -> Iterator[tuple[str, Any]]:
    """(name, type without None) of each column."""
    for field in inspect.type_info(kind).fields:  # type: ignore[attr-defined]
        typed = field.type
        if isinstance(typed, inspect.UnionType):
            typed = next(member for member in typed.types if not isinstance(member, inspect.NoneType))
        yield field.encode_name, typed


def _typed(kind: type[Row]) -> Iterator[tuple[str, Any]]:
    import polars as pl

    kinds = {inspect.IntType: pl.Int64, inspect.FloatType: pl.Float64, inspect.BoolType: pl.Boolean}
    for name, typed in _types(kind):
        yield name, kinds.get(type(typed), pl.String if isinstance(typed, inspect.StrType) else pl.List(pl.String))
