"""The commands of `tapir`, one file each. Law: nothing here or in those files imports numpy, numba or polars before a
command runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sensor._version import __version__
from sensor.cli import (
    allowances,
    check,
    collect,
    doctor,
    edges,
    evidence,
    feeds,
    incidents,
    journal,
    keys,
    kpi,
    read,
    responses,
    rules,
    run,
    schema,
    settings,
    status,
    warm,
)

app = typer.Typer(
    name="tapir",
    help="A passive network sensor for API security: mirrored traffic in, HTTP transactions, flows and alerts out.",
    epilog="Start with: tapir read CAPTURE.pcap, or tapir run INTERFACE",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tapir {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


app.command(epilog=read.EPILOG)(read.read)
app.command(epilog=run.EPILOG)(run.run)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command(epilog=collect.EPILOG)(collect.collect)
app.command(epilog=evidence.EPILOG)(evidence.evidence)
app.command(epilog=evidence.EPILOG)(evidence.explain)
app.command()(schema.schema)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=status.EPILOG)(status.top)
app.command(epilog=settings.EPILOG)(settings.settings)
app.command(epilog=check.EPILOG)(check.check)
app.command()(warm.warm)
app.command(epilog=kpi.EPILOG)(kpi.kpi)
app.add_typer(journal.app)
app.add_typer(rules.app)
app.add_typer(feeds.app)
app.add_typer(edges.app)
app.add_typer(keys.app)
app.add_typer(incidents.app)
app.add_typer(responses.app)
app.add_typer(allowances.app)
