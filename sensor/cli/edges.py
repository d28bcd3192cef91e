"""`tapir edges`: captures go in; who called what comes out, as the file of allowed edges or as what it does not allow.

Law: nothing is written over unless it was asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sensor.config import Settings

EPILOG = "Exit codes: 0 fine; 1 an input could not be read, or calls are not allowed; 2 wrong usage."
app = typer.Typer(
    name="edges", help="Who may call what (`detection.segmentation`): learn it from captures, check captures.",
    no_args_is_help=True,
)  # fmt: skip
Captures = Annotated[list[Path], typer.Argument(metavar="CAPTURE...", help="Captures of what is usual.")]


@app.command(epilog=EPILOG)
def learn(
    captures: Captures,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="[default: standard output]")] = None,  # noqa: E501
    force: Annotated[bool, typer.Option("--force", help="Write over FILE.")] = False,
) -> None:
    """Write the edges and roles of captures as a file of allowed edges, to be read through and trimmed.

    \b
    tapir edges learn monday.pcap tuesday.pcap --output /etc/tapir/edges.toml
    """
    if output is not None and output.exists() and not force:
        typer.echo(f"tapir edges learn: {output} is there already: --force writes over it", err=True)
        raise typer.Exit(2)
    from sensor.cli.compiling import told_when_compiling
    from sensor.errors import TapirError

    try:
        with told_when_compiling(True):
            from sensor.detection.edges.learn import Learned
            from sensor.pipeline import Pipeline
        pipeline = Pipeline(_nothing_else(), [str(path) for path in captures])
        learned = Learned()
        for batch in pipeline:
            learned.add(batch.transactions, batch.flows, pipeline.pool)
        text = learned.text()
        if output is None:
            typer.echo(text, nl=False)
        else:
            output.write_text(text, encoding="utf-8")
    except (TapirError, OSError) as error:
        typer.echo(f"tapir edges learn: {error}", err=True)
        raise typer.Exit(1) from None
    for problem in pipeline.faults:
        typer.echo(str(problem), err=True)
    typer.echo(f"{len(learned.edges())} edges, {len(learned.roles)} roles", err=True)
    raise typer.Exit(1 if pipeline.faults else 0)


@app.command(epilog=EPILOG)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The allowed edges.")],
    captures: Captures,
) -> None:
    """Say which calls of captures a file of allowed edges does not allow."""
    from sensor.cli.compiling import told_when_compiling
    from sensor.errors import TapirError

    told = 0
    try:
        with told_when_compiling(True):
            from sensor.pipeline import Pipeline
        pipeline = Pipeline(_nothing_else(str(file)), [str(path) for path in captures])
        for batch in pipeline:
            for alert in batch.alerts:
                if alert.revision == 1:
                    told += 1
                    shown = alert.details.get("edge") or f"{alert.entity.value}: {alert.details.get('endpoint')}"
                    typer.echo(f"{alert.rule_id}  {alert.severity.value}  {shown}")
    except TapirError as error:
        typer.echo(f"tapir edges check: {error}", err=True)
        raise typer.Exit(1) from None
    for problem in pipeline.faults:
        typer.echo(str(problem), err=True)
    raise typer.Exit(1 if pipeline.faults or told else 0)


@app.command("third-parties", epilog=EPILOG)
def third_parties(
    captures: Captures, json: Annotated[bool, typer.Option("--json", help="JSON lines, one a party.")] = False
) -> None:
    """List the APIs outside that are called from inside: callers, endpoints, answers, TLS."""
    from sensor.cli.compiling import told_when_compiling
    from sensor.errors import TapirError

    try:
        with told_when_compiling(True):
            from sensor.cli.third_parties import show
        unreadable = show([str(path) for path in captures], json)
    except TapirError as error:
        typer.echo(f"tapir edges third-parties: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if unreadable else 0)


def _nothing_else(file: str = "") -> Settings:
    """Settings with no detector, or with segmentation alone."""
    from sensor.cli.rules_trial import only
    from sensor.config import SegmentationSettings, Settings

    return Settings(detection=only(segmentation=SegmentationSettings(file=file)))
