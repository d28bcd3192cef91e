"""`tapir check`: whether a sensor with these settings would work on this host. Law: arguments only; the checks are in
checks.py.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sensor.cli.run_options import Rules, Set, SettingsFile

EPILOG = (
    "Exit codes: 0 it would work (notices are no faults); 2 a setting is wrong; 4 something that it needs is missing or"
    " not allowed: an interface, a permission, rules, keys, a folder."
)


def check(
    interfaces: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INTERFACE]...", help="As of `tapir run`; those of the settings when none."),
    ] = None,
    settings: SettingsFile = None,
    rules: Rules = None,
    set_: Set = None,
    state: Annotated[str | None, typer.Option(metavar="DIR", help="As of `tapir run`.")] = None,
    publish: Annotated[str | None, typer.Option(metavar="ADDRESS", help="As of `tapir run`.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines: one for each check, one for each setting.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what is wrong.")] = False,
) -> None:
    """Check settings, rules, keys, interfaces, permissions and folders, and print what is in effect.

    Nothing is captured, published or written, but the kernels are compiled if
    they are not yet. Run it as the user that the sensor runs as.

    \b
    tapir check eth1 --settings /etc/tapir/tapir.toml
    sudo -u tapir tapir check --settings /etc/tapir/tapir.toml --state /var/lib/tapir/eth1
    tapir check eth1 --json | jq 'select(.level == "trouble")'
    """
    from sensor.cli.checks import CheckOptions, run_checks

    options = CheckOptions(
        command="tapir check", inputs=[], interfaces=tuple(interfaces or ()), settings=settings, state=state or "",
        publish=publish, overrides=set_ or [], rules=rules or [], json=json, quiet=quiet,
    )  # fmt: skip
    raise typer.Exit(run_checks(options))
