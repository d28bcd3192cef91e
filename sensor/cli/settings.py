"""`tapir settings`: every setting with its default, its unit and what it does; or those of a file, checked.

The one law: it prints what sensor/config says, which is all there is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Exit codes: 0 fine; 2 a setting is wrong."


def settings(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Check this file and print what is in effect with it.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="On top of the file; may be repeated.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page of documentation.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON: values only.")] = False,
) -> None:
    """Print all settings as a documented TOML file, with their defaults or with a file's values.

    \b
    tapir settings > tapir.toml
    tapir settings tapir.toml
    tapir settings --set detection.port_scan.enabled=false --json
    """
    from sensor.cli.settings_text import as_json, as_markdown, as_toml
    from sensor.errors import SettingError
    from sensor.settings_file import load_settings

    try:
        effective = load_settings(file, set_ or [])
    except SettingError as error:
        typer.echo(f"tapir settings: {error}", err=True)
        raise typer.Exit(2) from None
    write = as_json if json else as_markdown if markdown else as_toml
    typer.echo(write(effective), nl=False)
