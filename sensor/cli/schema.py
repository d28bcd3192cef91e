"""`tapir schema`: what the outputs hold. Law: it prints what the code itself follows, never a copy."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer


class Of(StrEnum):
    alert = "alert"
    transactions = "transactions"
    flows = "flows"
    tls = "tls"
    websockets = "websockets"
    dns = "dns"
    metrics = "metrics"


def schema(of: Annotated[Of, typer.Argument(help="Which output.")]) -> None:
    """Describe an output: the JSON Schema of alerts, the columns of a table, or the metrics, as a page."""
    if of is Of.metrics:
        from sensor.cli.metrics_text import as_markdown

        typer.echo(as_markdown(), nl=False)
        return
    if of is Of.alert:
        from sensor.alert import json_schema

        typer.echo(json_schema(), nl=False)
        return
    if of in (Of.tls, Of.websockets):
        from sensor.export.connections import connection_columns
        from sensor.tls import TlsConnection
        from sensor.websocket import WebSocketConnection

        _show(connection_columns(TlsConnection if of is Of.tls else WebSocketConnection))
        return
    if of is Of.dns:
        from sensor.export.lookups import DNS_COLUMNS

        _show((name, *about) for name, about in DNS_COLUMNS.items())
        return
    from sensor.export.columns import FLOW_COLUMNS, TRANSACTION_COLUMNS, json_type

    columns = TRANSACTION_COLUMNS if of is Of.transactions else FLOW_COLUMNS
    _show((column.name, json_type(column), column.about) for column in columns)


def _show(columns: Iterable[tuple[str, str, str]]) -> None:
    """Name, type and description of each column."""
    lines = list(columns)
    width = max(len(name) for name, _, _ in lines)
    for name, kind, about in lines:
        typer.echo(f"{name:{width}}  {kind:8}  {about}")
