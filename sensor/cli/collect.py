"""`tapir collect`: addresses of sensors go in, their alerts come out live. Law: arguments only; the rest is imported
when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from sensor.config import CollectorSettings

EPILOG = (
    "Exit codes: 0 done (count reached, time over, SIGINT, SIGTERM); 1 a sensor spoke another version of the schema;"
    " 2 wrong usage; 3 an address or an output cannot be used; 4 time over before --count alerts came."
)


def collect(
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS", help="Sensors: tcp://HOST:PORT, tcp://[IPV6]:PORT or ipc://PATH."),
    ],
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Only topics that start so, as alert.high does. May be given several times."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many alerts.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="End after so many seconds.")] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Append JSON lines to FILE; - is standard output, also on a terminal."),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Of the lines: native, eve, ecs, ocsf or cef.")
    ] = "native",
    from_first: Annotated[
        bool, typer.Option("--from-first", help="Begin with the first alert that sensors still have, not with now.")
    ] = False,
    keys: Annotated[str, typer.Option(metavar="DIR", help="Folder of keys (`tapir keys`) with the sensors'.")] = "",
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="Read from other hosts without keys or encryption.")
    ] = False,
    store: Annotated[
        str,
        typer.Option(
            metavar="DIR|URL",
            help="Keep each alert once, as incidents; go on where it ended. URL: sqlite:///PATH, postgresql://..."
        ),
    ] = "",
    settings: Annotated[
        str, typer.Option(metavar="FILE", help="Settings in TOML: channels, routes, on-call chain ... (with --store).")
    ] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting.")] = None,
) -> None:
    """Show the alerts of sensors as they come: a table on a terminal, JSON lines otherwise.

    Sensors may start later, stop and come back. What never arrived is said on
    standard error, as far as sequence numbers tell (with --topic they cannot).
    SIGHUP reads the settings again.

    \b
    tapir collect tcp://127.0.0.1:5556
    tapir collect tcp://10.0.0.1:5556 tcp://10.0.0.2:5556 --topic alert.high
    tapir collect tcp://127.0.0.1:5556 --count 1 --timeout 30 | jq .title
    tapir collect tcp://127.0.0.1:5556 --store /var/lib/tapir-collector
    """
    from sensor.cli.exit_codes import code_of
    from sensor.collector.collector import collect as run
    from sensor.errors import SettingError, TapirError
    from sensor.settings_file import load_settings

    try:
        if (settings or set_) and not store:
            raise SettingError("--settings and --set are about what is stored: expected --store too")

        def load() -> CollectorSettings:
            return load_settings(Path(settings) if settings else None, set_ or ()).collector

        start: Literal["now", "first"] = "first" if from_first else "now"
        code: int = run(
            addresses, topic or (), count, timeout, output, format_, keys, plaintext, start, store, load(),
            load if store else None,
        )  # fmt: skip
    except TapirError as error:
        typer.echo(f"tapir collect: {error}", err=True)
        code = code_of(error)
    raise typer.Exit(code)
