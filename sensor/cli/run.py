"""`tapir run`: the options of a live run. Law: arguments only; the run is in running.py."""

from __future__ import annotations

from typing import Annotated

import typer

from sensor.cli.run_options import (
    Alerts,
    Dns,
    Flows,
    Rules,
    Sensor,
    Set,
    SettingsFile,
    Tls,
    Transactions,
    WebSockets,
    Workers,
)
from sensor.cli.stream_options import Journal, Keys, Plaintext, Publish, PublishTables, Replay

EPILOG = (
    "Exit codes: 0 stopped by SIGINT or SIGTERM; 1 an interface or a capture cannot be read; 2 wrong usage or setting;"
    " 3 an output or the alert stream failed; 5 a worker process ended."
)


def run(
    interfaces: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INTERFACE]...", help="Mirror ports to capture from; those of the settings when none."),
    ] = None,
    read_loop: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Replay a capture again and again instead of capturing; may be repeated."),
    ] = None,
    pace: Annotated[
        float | None,
        typer.Option(min=0, metavar="N", help="With --read-loop: N times its own speed; 0 as fast as it can be read."),
    ] = None,
    filter_: Annotated[
        str, typer.Option("--filter", "-f", metavar="EXPRESSION", help="Capture only this, in tcpdump's syntax.")
    ] = "",
    transactions: Transactions = None,
    flows: Flows = None,
    tls: Tls = None,
    websockets: WebSockets = None,
    dns: Dns = None,
    alerts: Alerts = None,
    publish: Publish = None,
    replay: Replay = None,
    journal: Journal = None,
    keys: Keys = None,
    plaintext: Plaintext = False,
    publish_tables: PublishTables = False,
    state: Annotated[
        str | None, typer.Option(metavar="DIR", help="Keep what is learned here, and go on from what is there.")
    ] = None,
    workers: Workers = None,
    settings: SettingsFile = None,
    rules: Rules = None,
    set_: Set = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="As root: run as this user.  [default: tapir, if there is one]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary at the end as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")] = False,
    sensor: Sensor = None,
) -> None:
    """Capture from mirror ports until stopped: alerts, transactions and flows out as they come.

    Needs CAP_NET_RAW until it captures, and drops all rights then. On a terminal alerts are shown as they are raised.

    \b
    tapir run eth1
    tapir run eth1 eth2 --publish tcp://127.0.0.1:5556 --filter "tcp port 80 or tcp port 8080"
    tapir run --settings /etc/tapir/tapir.toml
    tapir run --read-loop office.pcap --pace 10
    """
    from sensor.cli.rules import rules_setting
    from sensor.cli.running import RunOptions
    from sensor.cli.running import run as run_live

    options = RunOptions(
        command="tapir run", inputs=read_loop or [], interfaces=tuple(interfaces or ()), filter=filter_, pace=pace,
        user=user, transactions=transactions, flows=flows, tls=tls, websockets=websockets, dns=dns,
        alerts=alerts, publish=publish, json=json, quiet=quiet, sensor=sensor or "", state=state or "",
        settings=settings, overrides=[*(set_ or []), *rules_setting(rules)],
        replay=replay, journal=journal, keys=keys, plaintext=plaintext, publish_tables=publish_tables, workers=workers,
    )  # fmt: skip
    raise typer.Exit(run_live(options))
