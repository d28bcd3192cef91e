"""`tapir rules`: what of a set of rules loads, and what one matches in a capture.

The one law: a rule that does not load is always named, with its keyword and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Exit codes: 0 fine; 1 a rule did not load, or an input could not be read; 2 wrong usage."
app = typer.Typer(name="rules", help="Signatures in Suricata's syntax: check them, try one.", no_args_is_help=True)


def rules_setting(paths: list[str] | None) -> list[str]:
    """`--rules PATH ...` as `--set` has it: Sigma for `limits` and where a file, or one of a folder, is YAML."""
    from json import dumps

    sigma = [path for path in paths or [] if path == "limits" or _has(Path(path), ".yml", ".yaml")]
    signatures = [path for path in paths or [] if path not in sigma or _has(Path(path), ".rules")]
    found = {"signatures": signatures, "sigma": sigma}
    return [f"detection.{name}.rules={dumps(chosen)}" for name, chosen in found.items() if chosen]


def _has(path: Path, *endings: str) -> bool:
    """Whether the file, or one in the folder, ends so."""
    files = path.rglob("*") if path.is_dir() else [path]
    return any(file.suffix in endings for file in files)


@app.command(epilog=EPILOG)
def check(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Files, folders.  [default: those shipped]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines: one for each rule and fault.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Faults only.")] = False,
) -> None:
    """List the rules that load, and those that do not, and why."""
    from sensor.cli.rules_report import report
    from sensor.errors import TapirError

    try:
        faults = report(paths or ["default"], json, quiet)
    except TapirError as error:
        typer.echo(f"tapir rules check: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if faults else 0)


@app.command(name="test", epilog=EPILOG)
def try_(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A file or folder of rules, or one rule as text.")],
    captures: Annotated[list[Path], typer.Argument(metavar="PCAP...", help="Captures to try it on.")],
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Show which transactions of captures a rule matches."""
    from sensor.cli.compiling import told_when_compiling
    from sensor.errors import TapirError

    try:
        with told_when_compiling(True):
            from sensor.cli.rules_report import try_rule
        failed = try_rule(rule, [str(path) for path in captures], json)
    except TapirError as error:
        typer.echo(f"tapir rules test: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if failed else 0)
