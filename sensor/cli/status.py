"""`tapir status` and `tapir top`: how a running sensor is. Law: both show what the sensor itself says, nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

EPILOG = "Exit codes: 0 fine; 2 no such sensor runs here."
_SENSOR = typer.Argument(metavar="[SENSOR]", help="Its interface, or the path of its control socket.")


def status(
    sensor: Annotated[str | None, _SENSOR] = None,
    json: Annotated[bool, typer.Option("--json", help="Everything it says, as one JSON object.")] = False,
) -> None:
    """Show how a running sensor is.

    \b
    tapir status
    tapir status eth1 --json | jq .counters.live
    """
    from json import dumps

    from sensor.cli.sensors import find
    from sensor.cli.status_view import show
    from sensor.control import ask
    from sensor.errors import SettingError

    try:
        snapshot = ask(find(sensor))
    except SettingError as error:
        typer.echo(f"tapir status: {error}", err=True)
        raise typer.Exit(2) from None
    if json:
        typer.echo(dumps(snapshot))
    else:
        show(snapshot)


def top(
    sensor: Annotated[str | None, _SENSOR] = None,
    seconds: Annotated[float, typer.Option(min=0.2, help="Between two looks.")] = 1.0,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many looks.")] = None,
) -> None:
    """Watch a running sensor; Ctrl-C ends it.

    \b
    tapir top
    tapir top eth1 --seconds 5
    """
    from sensor.cli.sensors import find
    from sensor.cli.status_view import watch
    from sensor.errors import SettingError

    try:
        watch(find(sensor), seconds, count)
    except SettingError as error:
        typer.echo(f"tapir top: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
