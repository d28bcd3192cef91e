"""`tapir kpi`: a store goes in, how fast and how well alerts were dealt with comes out. Law: nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sensor.cli.incidents import Json, StoreOption, opened_store

if TYPE_CHECKING:
    from sensor.collector.kpi import Kpi, Spread

EPILOG = "Exit codes: 0 done; 1 no such store; 2 wrong usage; 3 the store cannot be read."


def kpi(
    store: StoreOption,
    json: Json = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="Print Prometheus' text format.")] = False,
    days: Annotated[float, typer.Option(min=0, help="Incidents opened in so many days; 0 for all.")] = 0.0,
) -> None:
    """Time to detect, to acknowledge and to resolve, false positives by rule, and OWASP coverage of the sensors' rules.

    \b
    tapir kpi --store /var/lib/tapir-collector --days 30
    tapir kpi --store /var/lib/tapir-collector --prometheus > /var/lib/node_exporter/tapir.prom
    """
    import time

    import msgspec

    from sensor.collector.kpi import as_prometheus
    from sensor.collector.kpi import kpi as measured

    now = time.time()
    with opened_store(store, "tapir kpi") as base:
        found = measured(base, now, now - days * 86_400 if days else 0.0)
    if json:
        typer.echo(msgspec.json.encode(found))
    elif prometheus:
        typer.echo(as_prometheus(found), nl=False)
    else:
        _show(found)


def _show(found: Kpi) -> None:
    typer.echo("incidents            " + ", ".join(f"{count} {state}" for state, count in found.incidents.items()))
    for name in ("time_to_detect", "time_to_acknowledge", "time_to_resolve"):
        spread: Spread = getattr(found, name)
        told = "not yet measured"
        if spread.mean_seconds is not None:
            told = f"mean {spread.mean_seconds:,.1f} s, median {spread.median_seconds:,.1f} s of {spread.count:,}"
        typer.echo(f"{name.replace('_', ' '):<20} {told}")
    typer.echo(f"late                 {found.late:,}")
    for one in found.rules:
        typer.echo(f"  {one.rule_id:<32} {one.false_positives:,} of {one.closed:,} closed were false ({one.rate:.0%})")
    for row in found.owasp:
        rules = {rule for of_sensor in row.rules.values() for rule in of_sensor}
        without = ", ".join(sensor for sensor, of_sensor in row.rules.items() if not of_sensor)
        told = f"{len(rules)} rules, {row.alerts:,} alerts" + (f"; none at {without}" if without else "")
        typer.echo(f"  {row.id:<11} {row.title:<48} {told}")
    for sink in found.sinks:
        typer.echo(f"  sink {sink.name:<27} {sink.waiting:,} alerts waiting, {sink.refused:,} refused")
    if not found.owasp:
        typer.echo("OWASP coverage       not known: no sensor has told its rules")
