"""`tapir schema`: what the outputs hold. Law: it prints what the code itself follows, never a copy."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Of(StrEnum):
    alert = "alert"
    transactions = "transactions"
    flows = "flows"
    tls = "tls"
    websockets = "websockets"
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

        lines = list(connection_columns(TlsConnection if of is Of.tls else WebSocketConnection))
        width = max(len(name) for name, _, _ in lines)
        for name, kind, about in lines:
            typer.echo(f"{name:{width}}  {kind:8}  {about}")
        return
    from sensor.export.columns import FLOW_COLUMNS, TRANSACTION_COLUMNS, json_type

    columns = TRANSACTION_COLUMNS if of is Of.transactions else FLOW_COLUMNS
    width = max(len(column.name) for column in columns)
    for column in columns:
        typer.echo(f"{column.name:{width}}  {json_type(column):8}  {column.about}")
