"""`tapir evidence` and `tapir explain`: the packets behind an alert, and what they say. Law: arguments only."""

from __future__ import annotations

from typing import Annotated

import typer

from sensor.cli.run_options import Set, SettingsFile

EPILOG = (
    "Exit codes: 0 fine; 1 there is no such alert, or none of its packets; 2 wrong usage or setting; 3 the output"
    " cannot be written."
)
_ALERT = typer.Argument(metavar="ALERT-ID", help="Its alert_id, or the first characters of it.")
_CAPTURES = typer.Argument(metavar="[CAPTURE]...", help="Captures that hold the packets, as given to `tapir read`.")
_ALERTS = typer.Option("--alerts", metavar="FILE", help="JSON lines with the alert.  [default: journal, or read again]")
_STATE = typer.Option("--state", metavar="DIR", help="State folder of the sensor.  [default: those in /var/lib/tapir]")


def evidence(
    alert_id: Annotated[str, _ALERT],
    captures: Annotated[list[str] | None, _CAPTURES] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="The capture to write.  [default: ALERT-ID.pcap]"),
    ] = None,
    alerts: Annotated[str | None, _ALERTS] = None,
    state: Annotated[str | None, _STATE] = None,
    settings: SettingsFile = None,
    set_: Set = None,
) -> None:
    """Write the packets of an alert as a capture (mode 0600).

    A sensor that runs keeps them when evidence.enabled is set; of captures that
    were read, they are cut from the captures.

    \b
    tapir evidence 4221f1e2 -o brute-force.pcap
    tapir evidence 4221f1e2 office.pcap --alerts alerts.jsonl -o brute-force.pcap
    """
    from sensor.cli.evidence_find import Asked, write_evidence

    raise typer.Exit(write_evidence(Asked(alert_id, captures or [], alerts, state, settings, set_ or []), output))


def explain(
    alert_id: Annotated[str, _ALERT],
    captures: Annotated[list[str] | None, _CAPTURES] = None,
    alerts: Annotated[str | None, _ALERTS] = None,
    state: Annotated[str | None, _STATE] = None,
    settings: SettingsFile = None,
    set_: Set = None,
    lines: Annotated[int, typer.Option(min=0, metavar="N", help="Transactions, and packets, shown at most.")] = 20,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show queries and credentials as they were sent.")
    ] = False,
) -> None:
    """Say why an alert was raised: its numbers, what happened when, and TShark's view of the packets that decided.

    \b
    tapir explain 4221f1e2
    tapir explain 4221f1e2 office.pcap
    """
    from sensor.cli.evidence_find import Asked
    from sensor.cli.explaining import explain_alert

    asked = Asked(alert_id, captures or [], alerts, state, settings, set_ or [])
    raise typer.Exit(explain_alert(asked, lines, show_secrets))
