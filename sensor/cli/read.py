"""`tapir read`: the options of a run over captures. Law: arguments only; the run is in reading.py."""

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
    "Exit codes: 0 fine; 1 an input could not be read to its end (what came before is kept and reported); 2 wrong usage"
    " or setting; 3 an output or the alert stream failed; 5 a worker process ended; 130 interrupted (outputs are"
    " complete up to then)."
)


def read(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Capture files, folders of them, - for standard input, tcp://HOST:PORT. Several are merged by time.",
        ),
    ],
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
    wait_subscribers: Annotated[
        int, typer.Option(min=0, metavar="N", help="With --publish: begin when so many subscribers are there.")
    ] = 0,
    workers: Workers = None,
    settings: SettingsFile = None,
    rules: Rules = None,
    set_: Set = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Leave tokens, passwords and card numbers in uri and referrer.")
    ] = False,
    batch_frames: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Frames handled at a time; results do not depend on it.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print alerts and summary as JSON lines instead of text.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary, no progress; errors only.")] = False,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Keep what is learned here, from run to run; resume a run over files that was killed."
        ),
    ] = None,
    sensor: Sensor = None,
) -> None:
    """Read captures: HTTP transactions, flows and alerts out.

    Without outputs a summary and the alerts are shown.

    \b
    tapir read office.pcap
    tapir read monday/ tuesday/ --transactions http.parquet --flows flows.parquet
    tcpdump -i eth0 -w - | tapir read - --alerts - --quiet
    tapir read office.pcap --publish tcp://127.0.0.1:5556 --wait-subscribers 1
    tapir read monday.pcap --state /var/lib/tapir
    tapir read office.pcap --set detection.failed_logins.client_failures_max=3
    """
    from sensor.cli.reading import Options, run
    from sensor.cli.rules import rules_setting

    options = Options(
        inputs=inputs, transactions=transactions, flows=flows, tls=tls, websockets=websockets, dns=dns,
        alerts=alerts, publish=publish, wait_subscribers=wait_subscribers, show_secrets=show_secrets,
        batch_frames=batch_frames,
        json=json, quiet=quiet, sensor=sensor or "", state=state or "", settings=settings,
        overrides=[*(set_ or []), *rules_setting(rules)],
        replay=replay, journal=journal, keys=keys, plaintext=plaintext, publish_tables=publish_tables, workers=workers,
    )  # fmt: skip
    raise typer.Exit(run(options))
