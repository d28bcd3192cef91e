"""`tapir responses`: a store goes in; what was done about clients comes out, and is ended on request.

Law: what is ended says by whom and why, and is in the audit trail.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sensor.cli.incidents import By, Json, StoreOption, Why, clock, opened_store, print_json, who

app = typer.Typer(
    name="responses",
    help="What automated response has done (`collector.response` of the settings), and ending it.",
    epilog="Exit codes: 0 done; 1 no such store; 2 wrong usage, or not active; 3 the store cannot be written.",
    no_args_is_help=True,
)


@app.command("list")
def list_(store: StoreOption, json: Json = False) -> None:
    """All responses, the newest first.

    \b
    tapir responses list --store /var/lib/tapir-collector
    """
    from sensor.collector.response.act import listed

    with opened_store(store, "tapir responses") as base:
        rows = listed(base)
    if json:
        print_json(rows)
        return
    for row in rows:
        dry = "  dry run" if row["dry_run"] else ""
        until = f"until {clock(row['until'])}{dry}"
        typer.echo(f"{row['id']:>5}  {row['state']:<7}  {row['action']}  {row['target']}  {until}")
    if not rows:
        typer.echo("none")


@app.command()
def undo(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the response, as `list` shows it.")],
    store: StoreOption,
    why: Why,
    by: By = "",
) -> None:
    """End a response now; the running collector undoes it within a second.

    \b
    tapir responses undo 3 --why "a customer of ours"
    """
    import time

    from sensor.collector.response.act import undo as ended

    with opened_store(store, "tapir responses") as base:
        ended(base, number, who(by), why, time.time())
