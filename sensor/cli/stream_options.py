"""The options of the alert stream, which `tapir read` and `tapir run` share. Law: arguments only."""

from __future__ import annotations

from typing import Annotated

import typer

Publish = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Publish alerts over ZeroMQ, for example tcp://127.0.0.1:5556.")
]
Replay = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Where alerts can be asked for again.  [default: the next port]")
]
Journal = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Keep alerts here, written before they are published.  [default: in --state]"),
]
Keys = Annotated[
    str | None, typer.Option(metavar="DIR", help="Publish to allowed keys only, encrypted: `tapir keys`.")
]
Plaintext = Annotated[bool, typer.Option("--plaintext", help="Let everyone who reaches the address read the alerts.")]
PublishTables = Annotated[
    bool, typer.Option("--publish-tables", help="Publish transactions and flows too (tx.arrow, flow.arrow).")
]
