"""`tapir journal`: the folder of a journal goes in; whether it is whole, or the alerts it holds, come out. Law: nothing
is changed.
"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="journal",
    help="Look at the alerts that a sensor has kept.",
    epilog="Exit codes: 0 whole; 1 changed, damaged or not a journal.",
    no_args_is_help=True,
)

Directory = Annotated[str, typer.Argument(metavar="DIRECTORY", help="The folder given to --journal.")]


@app.command()
def verify(
    directory: Directory,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check that each record is as it was written and follows the one before.

    The hash that is printed is the newest record's, and stands for all before it: it is also in each
    heartbeat of the sensor, so a collector can tell when a journal was cut or written anew.
    """
    import msgspec

    from sensor.alerting.journal_verify import verify as verified
    from sensor.errors import InputError

    try:
        found = verified(directory)
    except InputError as error:
        typer.echo(f"tapir journal: {error}", err=True)
        raise typer.Exit(1) from None
    if json:
        typer.echo(msgspec.json.encode(found))
    else:
        whole = "from the first ever written" if found.complete else "older ones were removed"
        typer.echo(f"{found.records:,} records of {found.epochs:,} runs, {whole}")
        typer.echo(f"newest {found.last}, hash {found.hash}")
        if found.torn_bytes:
            typer.echo(f"{found.torn_bytes:,} bytes at the end are no record: a write that is under way or was cut")
        for line in found.breaks:
            typer.echo(f"BROKEN {line}")
    raise typer.Exit(1 if found.breaks else 0)


@app.command()
def show(directory: Directory) -> None:
    """Print the alerts as JSON lines, oldest first."""
    import sys
    from pathlib import Path

    from sensor.alerting.journal import segment_paths
    from sensor.cli.journal_read import journal_bodies

    if not segment_paths(Path(directory)):
        typer.echo(f"tapir journal: {directory}: no journal: expected a folder with *.journal files", err=True)
        raise typer.Exit(1)
    try:
        for body in journal_bodies(Path(directory)):
            sys.stdout.buffer.write(body + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output wants no more
