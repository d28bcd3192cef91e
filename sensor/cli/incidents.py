"""`tapir incidents`: a store and a number go in; incidents, their timeline and what was done come out.

Law: whatever changes an incident says who and why, and is in the audit trail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sensor.collector.databases import Database

app = typer.Typer(
    name="incidents",
    help="Look at the incidents of a store (`tapir collect --store`), acknowledge and close them.",
    epilog=(
        "Exit codes: 0 done; 1 no such store, or (verify) the audit trail was changed; 2 wrong usage, or the incident"
        " is not in a state that allows it; 3 the store cannot be written."
    ),
    no_args_is_help=True,
)

_ALLOW_DAYS = 90

StoreOption = Annotated[
    str, typer.Option("--store", envvar="TAPIR_STORE", metavar="DIR|URL", help="As given to `tapir collect`.")
]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Of the incident, as `list` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it.  [default: the user of this session]")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, kept in the audit trail.")]


@app.command("list")
def list_(
    store: StoreOption,
    json: Json = False,
    all_: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
) -> None:
    """Open incidents, the most severe first.

    \b
    tapir incidents list --store /var/lib/tapir-collector
    TAPIR_STORE=/var/lib/tapir-collector tapir incidents list --json | jq .[0].actor
    """
    from sensor.collector.incidents import listed

    with opened_store(store) as base:
        rows = listed(base, all_)
    if json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(
            f"{row['id']:>5}  {row['severity']:<8}  {row['state']:<14}  due {clock(row['due'])}"
            f"  {row['actor']:<20}  {row['title']}"
        )
    if not rows:
        typer.echo("no incidents" if all_ else "no open incidents")


@app.command()
def show(number: Number, store: StoreOption, json: Json = False) -> None:
    """One incident: its alerts by time with their step of the kill chain, and what was done about it.

    \b
    tapir incidents show 17 --store /var/lib/tapir-collector
    """
    from sensor.collector.incidents import history, listed, timeline
    from sensor.collector.investigation.gather import kept as investigation
    from sensor.errors import SettingError

    with opened_store(store) as base:
        found = [row for row in listed(base, closed_too=True) if row["id"] == number]
        if not found:
            raise SettingError(f"incident {number}: there is none of that number")
        row, alerts, entries = found[0], timeline(base, number), history(base, number)
        known = investigation(base, number)
    if json:
        print_json({**row, "timeline": alerts, "history": entries, "investigation": known})
        return
    typer.echo(f"incident {number}: {row['severity']}, {row['state']}, {row['actor']}: {row['title']}")
    typer.echo(f"due {clock(row['due'])}, owner {row['owner'] or 'none'}")
    for one in alerts:
        typer.echo(
            f"  {clock(one.first_seen)}  {one.step:<20}  {one.severity:<8}  {one.rule_id}: {one.title} ({one.count:,})"
        )
    for entry in entries:
        typer.echo(f"  {clock(entry['at'])}  {entry['who']}: {entry['action']}  {entry['why']}".rstrip())
    if known is not None:
        from sensor.cli.incidents_known import lines

        for line in lines(known):
            typer.echo(line)


@app.command()
def ack(number: Number, store: StoreOption, why: Why = "", by: By = "") -> None:
    """Take an incident on: nobody else is called for it any more.

    \b
    tapir incidents ack 17 --store /var/lib/tapir-collector
    """
    import time

    from sensor.collector.incidents import acknowledge

    with opened_store(store) as base:
        acknowledge(base, number, who(by), why, time.time())


@app.command()
def resolve(
    number: Number,
    store: StoreOption,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="What it was, and what was done.")],
    false_positive: Annotated[bool, typer.Option("--false-positive", help="Nothing was wrong.")] = False,
    allow: Annotated[
        bool, typer.Option("--allow", help="Of a false positive: let sensors that ask this collector pass over it.")
    ] = False,
    by: By = "",
) -> None:
    """Close an incident, with a reason. For a false positive, print what the sensor's alerting.allow_file lacked.

    \b
    tapir incidents resolve 17 --why "key was rotated"
    tapir incidents resolve 18 --false-positive --why "the nightly backup"
    tapir incidents resolve 19 --false-positive --allow --why "our scanner"
    """
    import datetime
    import time

    from sensor.collector.allowances import as_toml, keep, of_incident
    from sensor.collector.incidents import IncidentState, close
    from sensor.errors import SettingError

    state = IncidentState.FALSE_POSITIVE if false_positive else IncidentState.RESOLVED
    with opened_store(store) as base:
        if allow and not false_positive:
            raise SettingError("--allow is about a false positive: expected --false-positive too")
        close(base, number, state, who(by), why, time.time())
        if false_positive:
            until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=_ALLOW_DAYS)
            entries = of_incident(base, number, f"incident {number}: {why}", until.isoformat())
            typer.echo(as_toml(entries), nl=False)
            if allow:
                keep(base, entries, number, who(by), time.time())


@app.command()
def note(
    number: Number,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The remark.")],
    store: StoreOption,
    by: By = "",
) -> None:
    """Add a remark to an incident.

    \b
    tapir incidents note 17 "asked the owner of the account"
    """
    import time

    from sensor.collector.incidents import note as noted

    with opened_store(store) as base:
        noted(base, number, who(by), text, time.time())


@app.command()
def verify(store: StoreOption, json: Json = False) -> None:
    """Check that each entry of the audit trail is as it was written and follows the one before.

    The hash that is printed stands for all entries: kept elsewhere, it shows later that none was cut off.
    """
    from sensor.collector.audit import verify as verified

    with opened_store(store) as base:
        found = verified(base)
    if json:
        print_json(found)
    else:
        typer.echo(f"{found.entries:,} entries, newest hash {found.hash}")
        for line in found.breaks:
            typer.echo(f"BROKEN {line}")
    raise typer.Exit(1 if found.breaks else 0)


@app.command()
def undelivered(
    store: StoreOption,
    json: Json = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try them all again.")] = False,
) -> None:
    """Notifications that were given up, and alerts that a sink refused.

    \b
    tapir incidents undelivered --retry
    """
    from sensor.collector import delivery
    from sensor.collector.sinks import feed

    with opened_store(store) as base:
        rows, refused = delivery.undelivered(base), feed.refused(base)
        if retry:
            delivery.retry(base)
            feed.retry(base)
    if json:
        print_json([*rows, *refused])
        return
    for row in rows:
        told = f"{row['problem']}, {row['tries']} tries"
        typer.echo(f"{row['id']:>5}  incident {row['incident']}  {row['channel']}: {told}")
    for row in refused:
        typer.echo(f"sink {row['sink']}: alert {row['alert_id']}, revision {row['revision']}: {row['problem']}")
    if not rows and not refused:
        typer.echo("none")


@app.command()
def copy(
    store: StoreOption,
    to: Annotated[str, typer.Option("--to", metavar="DIR|URL", help="An empty store, made when it is not there.")],
) -> None:
    """Copy a whole store into another one, as from SQLite to PostgreSQL. End the collector before.

    \b
    tapir incidents copy --store /var/lib/tapir-collector --to postgresql://collector@db.example.net/tapir
    """
    from sensor.collector.copying import copy as copied
    from sensor.errors import SettingError

    with opened_store(store) as source:
        if store == to:
            raise SettingError("--to is the store itself: expected an empty one")
        with opened_store(to, create=True) as target:
            counts = copied(source, target)
    for name, count in counts.items():
        typer.echo(f"{name:<16} {count:>12,}")


@contextmanager
def opened_store(place: str, command: str = "tapir incidents", create: bool = False) -> Iterator[Database]:
    """The open store; an error of Tapir ends the command with its line and code."""
    from sensor.cli.exit_codes import code_of
    from sensor.collector.tables import opened
    from sensor.errors import TapirError

    try:
        base = opened(place, create)
        try:
            yield base
        finally:
            base.close()
    except TapirError as error:
        typer.echo(f"{command}: {error}", err=True)
        raise typer.Exit(code_of(error)) from None


def who(by: str) -> str:
    import getpass

    return by or getpass.getuser()


def clock(seconds: object) -> str:
    import datetime

    moment = datetime.datetime.fromtimestamp(float(str(seconds)), datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def print_json(what: object) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(what))
