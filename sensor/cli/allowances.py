"""`tapir allowances`: a store goes in; what its collector lets sensors pass over comes out, grows and ends.

Law: whatever is added or ended says by whom and why, and is in the audit trail.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sensor.cli.incidents import By, Json, StoreOption, Why, opened_store, print_json, who

app = typer.Typer(
    name="allowances",
    help="What sensors that fetch it from this collector (`alerting.allow_from`) say nothing about.",
    epilog="Exit codes: 0 done; 1 no such store; 2 wrong usage; 3 the store cannot be written.",
    no_args_is_help=True,
)


@app.command("list")
def list_(
    store: StoreOption,
    json: Json = False,
    toml: Annotated[bool, typer.Option("--toml", help="As a file for alerting.allow_file.")] = False,
) -> None:
    """Those that hold.

    \b
    tapir allowances list --store /var/lib/tapir-collector
    """
    import time

    from sensor.collector.allowances import listed, offered

    with opened_store(store, "tapir allowances") as base:
        rows, text = listed(base, time.time()), offered(base, time.time())
    if json:
        print_json(rows)
    elif toml:
        typer.echo(text, nl=False)
    else:
        for row in rows:
            what = "  ".join(str(row[name]) for name in ("rule", "entity", "endpoint") if row[name])
            typer.echo(f"{row['id']:>5}  until {row['until']}  {what}  {row['reason']}")
        if not rows:
            typer.echo("none")


@app.command()
def add(
    store: StoreOption,
    until: Annotated[str, typer.Option(metavar="DAY", help="The last day, as 2027-06-30.")],
    why: Why,
    rule: Annotated[str, typer.Option(metavar="ID", help="Of the rule; * stands for anything.")] = "",
    entity: Annotated[str, typer.Option(metavar="KIND:VALUE", help="As alerts name it: client:10.0.0.0/24.")] = "",
    endpoint: Annotated[str, typer.Option(metavar="TEXT", help='Method and template: "GET /api/v1/export".')] = "",
    by: By = "",
) -> None:
    """Let sensors pass over something, from their next question on.

    \b
    tapir allowances add --rule bulk-transfer --entity client:10.0.0.7 --until 2027-06-30 --why "nightly export"
    """
    import time

    from sensor.collector.allowances import Entry, keep

    with opened_store(store, "tapir allowances") as base:
        entry = Entry(rule=rule, entity=entity, endpoint=endpoint, until=until, reason=why)
        keep(base, [entry], None, who(by), time.time())


@app.command()
def end(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the allowance, as `list` shows it.")],
    store: StoreOption,
    why: Why,
    by: By = "",
) -> None:
    """Let sensors say something about it again.

    \b
    tapir allowances end 3 --why "the export was moved"
    """
    import time

    from sensor.collector.allowances import withdraw

    with opened_store(store, "tapir allowances") as base:
        withdraw(base, number, who(by), why, time.time())
