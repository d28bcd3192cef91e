"""`tapir rules`: what of a set of rules loads, what one matches in a capture, and what it would have told.

The one law: a rule that does not load is always named, with its keyword and why.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

EPILOG = "Exit codes: 0 fine; 1 a rule did not load, or an input could not be read; 2 wrong usage."
app = typer.Typer(
    name="rules", help="Rules in Suricata's syntax and Sigma: check them, try them, run them over captures.",
    no_args_is_help=True,
)  # fmt: skip
Captures = Annotated[list[Path], typer.Argument(metavar="CAPTURE...", help="Captures to try it on.")]


def split(paths: list[str]) -> tuple[list[str], list[str]]:
    """(signatures, Sigma) among these: Sigma are `limits` and what is YAML or a folder with YAML; a folder may be both.
    """
    sigma = [path for path in paths if path == "limits" or _has(Path(path), ".yml", ".yaml")]
    return [path for path in paths if path not in sigma or _has(Path(path), ".rules")], sigma


def rules_setting(paths: list[str] | None) -> list[str]:
    """`--rules PATH ...` as `--set` has it."""
    from json import dumps

    found = dict(zip(("signatures", "sigma"), split(paths or []), strict=True))
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

    _run("check", lambda: report(*split(paths or ["default", "limits"]), json, quiet) > 0)


@app.command(name="test", epilog=EPILOG)
def try_(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A file or folder of rules, or one signature as text.")],
    captures: Captures,
    json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Show which transactions of captures a rule matches."""
    _run("test", lambda: _compiled().try_rule(rule, [str(path) for path in captures], json))


@app.command(epilog=EPILOG)
def backtest(
    rules: Annotated[str, typer.Argument(metavar="RULES", help="A file or folder of rules, or one signature as text.")],
    captures: Captures,
    json: Annotated[bool, typer.Option("--json", help="JSON lines: alerts, then rules, then the capture.")] = False,
) -> None:
    """Say what rules would have told of captures: alerts, how soon, and how often again."""
    _run("backtest", lambda: _compiled().backtest(rules, [str(path) for path in captures], json))


def _compiled() -> Any:
    """What tries rules, once its kernels are there."""
    from sensor.cli.compiling import told_when_compiling

    with told_when_compiling(True):
        from sensor.cli import rules_trial
    return rules_trial


def _run(name: str, work: Callable[[], bool]) -> None:
    """Exit with 1 when `work` says that something failed."""
    from sensor.errors import TapirError

    try:
        failed = work()
    except TapirError as error:
        typer.echo(f"tapir rules {name}: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if failed else 0)
