"""The options that `tapir read` and `tapir run` share. Law: arguments only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TABLE = "A table: .jsonl, .parquet, or - for JSON lines on standard output."

Transactions = Annotated[str | None, typer.Option(metavar="FILE", help=f"HTTP transactions. {TABLE}")]
Flows = Annotated[str | None, typer.Option(metavar="FILE", help=f"Flows of every transport. {TABLE}")]
Tls = Annotated[str | None, typer.Option(metavar="FILE", help=f"TLS connections. {TABLE}")]
Dns = Annotated[str | None, typer.Option(metavar="FILE", help=f"DNS lookups. {TABLE}")]
WebSockets = Annotated[str | None, typer.Option(metavar="FILE", help=f"WebSockets. {TABLE}")]
Alerts = Annotated[str | None, typer.Option(metavar="FILE", help=f"Alerts. {TABLE}")]
SettingsFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="TAPIR_SETTINGS", help="Settings (TOML); `tapir settings` shows them."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, on top of the file's; may be repeated."),
]
Rules = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH", help="Signatures or Sigma rules instead of those shipped (`default`); repeat."),
]
Sensor = Annotated[
    str | None, typer.Option(metavar="NAME", help="This sensor's name in its alerts.  [default: the host's name]")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Processes to read protocols and run detectors; results are the same."),
]
