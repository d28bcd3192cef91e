"""Alerts to files: in: alerts in the order in which they are sent; out: JSON lines, or Parquet and DataFrames.

The one law: JSON lines hold every revision, as the bus carries it; the columnar forms hold the last revision of each
alert, in the order in which the alerts were raised. Nested fields become columns named with a dot (entity.kind);
`details` becomes JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import inspect

from sensor.alert import Alert
from sensor.export.files import Output, format_of, open_private

if TYPE_CHECKING:
    import polars as pl


class AlertWriter(Protocol):
    """Takes alerts as they are sent."""

    def write(self, alerts: Sequence[Alert]) -> None: ...

    def close(self) -> None: ...


class JsonAlerts:
    """One line per revision; flushed with each batch."""

    def __init__(self, path: str, append: bool = False) -> None:
        self._output = Output(path, append)
        self._encoder = msgspec.json.Encoder()

    def write(self, alerts: Sequence[Alert]) -> None:
        if alerts:
            self._output.write(b"".join(self._encoder.encode(alert) + b"\n" for alert in alerts))
            self._output.flush()

    def close(self) -> None:
        self._output.close()


class ParquetAlerts:
    """The last revision of each alert, written when it is closed."""

    def __init__(self, path: str) -> None:
        self._file = open_private(path)
        self._last: dict[str, Alert] = {}

    def write(self, alerts: Sequence[Alert]) -> None:
        self._last.update((alert.alert_id, alert) for alert in alerts)

    def close(self) -> None:
        with self._file:
            alert_frame(list(self._last.values())).write_parquet(self._file)


def open_alert_writer(path: str, append: bool = False) -> AlertWriter:
    """A writer to `path`; OutputError when it cannot be written or its ending is unknown; `append`: lines stay."""
    return ParquetAlerts(path) if format_of(path) == "parquet" else JsonAlerts(path, append)


def alert_frame(alerts: Sequence[Alert]) -> pl.DataFrame:
    """One row per alert given."""
    import polars as pl

    columns = list(_columns(inspect.type_info(Alert), ()))
    rows = [msgspec.to_builtins(alert) for alert in alerts]
    return pl.DataFrame(
        {name: pl.Series(name, [_value(row, path) for row in rows], _dtype(kind)) for name, path, kind in columns}
    )


def _columns(kind: Any, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """(column name, path to the field, type) of every field that is not itself a struct."""
    for field in kind.fields:
        inner, here = _not_none(field.type), (*path, field.encode_name)
        if isinstance(inner, inspect.StructType):
            yield from _columns(inner, here)
        else:
            yield ".".join(here), here, inner


def _not_none(kind: Any) -> Any:
    """The type without None."""
    if isinstance(kind, inspect.UnionType):
        return next(member for member in kind.types if not isinstance(member, inspect.NoneType))
    return kind


def _value(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = None if row is None else row.get(name)
    return msgspec.json.encode(row).decode() if isinstance(row, dict) else row


def _dtype(kind: Any) -> Any:
    import polars as pl

    scalars = {inspect.IntType: pl.Int64, inspect.FloatType: pl.Float64, inspect.BoolType: pl.Boolean}
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return pl.List(_dtype(_not_none(kind.item_type)))
    return scalars.get(type(kind), pl.String)
