"""`tapir doctor`: the options of an examination of captures. Law: arguments only; the run is in reading.py, the
judgement in health.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = (
    "Exit codes: 0 healthy (perhaps with notices); 1 an input could not be read to its end; 2 wrong usage or setting;"
    " 4 trouble was found; 130 interrupted."
)


def doctor(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Capture files, folders of them, - for standard input, tcp://HOST:PORT."),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the findings as one JSON object.")] = False,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", envvar="TAPIR_SETTINGS", help="Settings (TOML).")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, on top of the file's.")
    ] = None,
) -> None:
    """Say how well a mirror delivers: doubles, losses, missing directions, cuts, clocks, what is not decoded.

    \b
    tapir doctor office.pcap
    timeout 60 tcpdump -i eth0 -w - | tapir doctor -
    """
    from sensor.cli.reading import Options, run

    options = Options(
        inputs=inputs, json=json, settings=settings, overrides=set_ or [], doctor=True, command="tapir doctor"
    )
    raise typer.Exit(run(options))
