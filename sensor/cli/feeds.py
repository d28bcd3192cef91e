"""`tapir feeds`: feeds of threat intelligence are fetched, listed and asked. Law: one line a feed or entry."""

from __future__ import annotations

import json as json_module
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sensor.config import ThreatIntelSettings

EPILOG = "Exit codes: 0 fine; 1 a feed could not be updated, or no feed knows the value; 2 wrong usage or settings."
app = typer.Typer(
    name="feeds", help="Threat intelligence: fetch feeds, list them, ask them (`detection.threat_intel`).",
    no_args_is_help=True,
)  # fmt: skip
SettingsFile = Annotated[Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines.")]


@app.command(epilog=EPILOG)
def update(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Feeds.  [default: all]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Those that are not due, or did not change, too.")] = False,
    settings: SettingsFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Fetch the feeds that are due; sensors that run read them within a second.

    \b
    tapir feeds update --settings /etc/tapir/tapir.toml
    """
    import time

    from sensor.errors import TapirError
    from sensor.intel.update import update as update_feeds

    given = _settings(settings, overrides)
    try:
        done = update_feeds(given, time.time(), names or (), force)
    except TapirError as error:
        typer.echo(f"tapir feeds: {error}", err=True)
        raise typer.Exit(2) from None
    for status in done:
        if json:
            _print_json(status)
        elif status.error:
            typer.echo(f"FAILED  {status.name}: {status.error} ({status.entries} entries of the last good one stay)")
        else:
            left_out = f", {sum(status.skipped.values())} left out" if status.skipped else ""
            typer.echo(f"fine    {status.name}: {status.entries} entries{left_out}; genuine by: {status.trust}")
    raise typer.Exit(1 if any(status.error for status in done) else 0)


@app.command("list", epilog=EPILOG)
def list_(settings: SettingsFile = None, overrides: Overrides = None, json: Json = False) -> None:
    """All feeds: entries, when they were fetched, what went wrong, and what was left out of them."""
    from sensor.errors import TapirError
    from sensor.intel.update import folder_of, status_of

    given = _settings(settings, overrides)
    try:
        statuses = [status_of(folder_of(given), feed) for feed in given.feeds]
    except TapirError as error:
        typer.echo(f"tapir feeds: {error}", err=True)
        raise typer.Exit(2) from None
    for status in statuses:
        if json:
            _print_json(status)
            continue
        when = datetime.fromtimestamp(status.updated, UTC).isoformat(" ", "seconds")[:16] if status.updated else "never"
        typer.echo(f"{status.name}  {status.entries} entries  updated {when}  by {status.trust or '-'}  {status.error}")
        for reason, count in status.skipped.items():
            typer.echo(f"    {count} left out: {reason}")


@app.command(epilog=EPILOG)
def match(
    value: Annotated[str, typer.Argument(metavar="VALUE", help="An address, name, URL, fingerprint or user agent.")],
    settings: SettingsFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Say which entries of the feeds name something."""
    import time

    from sensor.errors import TapirError
    from sensor.intel.ask import ask
    from sensor.intel.matcher import Matcher
    from sensor.intel.update import folder_of

    try:
        hits = ask(Matcher.of_folder(folder_of(_settings(settings, overrides))), value, time.time())
    except TapirError as error:
        typer.echo(f"tapir feeds: {error}", err=True)
        raise typer.Exit(2) from None
    for hit in hits:
        if json:
            typer.echo(json_module.dumps(hit._asdict()))
        else:
            typer.echo(f"{hit.feed}  {hit.kind}  {hit.value}  confidence {hit.confidence:.2f}  {hit.note}")
    raise typer.Exit(0 if hits else 1)


def _settings(file: Path | None, overrides: list[str] | None) -> ThreatIntelSettings:
    from sensor.errors import SettingError
    from sensor.settings_file import load_settings

    try:
        return load_settings(file, overrides or []).detection.threat_intel
    except SettingError as error:
        typer.echo(f"tapir feeds: {error}", err=True)
        raise typer.Exit(2) from None


def _print_json(status: object) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(status).decode())
