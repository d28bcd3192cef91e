"""`tapir keys`: who a sensor is and who may read its alerts; names and public keys go in, a folder of keys comes out.

Law: a secret key is never shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sensor.bus.keys import KeyFolder

app = typer.Typer(
    name="keys",
    help="Keys of the alert stream: make, show, allow collectors, trust sensors.",
    epilog=(
        "On the sensor: tapir keys make; tapir keys allow NAME KEY-OF-COLLECTOR. On the collector: tapir keys make;"
        " tapir keys trust NAME ADDRESS KEY-OF-SENSOR. `tapir keys show` prints the key to carry over."
    ),
    no_args_is_help=True,
)

Folder = Annotated[str, typer.Option("--keys", metavar="DIR", help="Folder of keys.  [default: in the state folder]")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of your choice.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Its public key: 40 characters.")]


@app.command()
def make(keys: Folder = "") -> None:
    """Make this program's own pair of keys, and print the public one."""
    with _folder(keys) as folder:
        typer.echo(folder.make().public.decode())


@app.command()
def show(keys: Folder = "") -> None:
    """Print the public key, to be allowed or trusted elsewhere."""
    with _folder(keys) as folder:
        typer.echo(folder.own().public.decode())


@app.command()
def allow(
    name: Name,
    key: Key,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Only topics that start so; may be repeated.  [default: alert. and stats.]"),
    ] = None,
    keys: Folder = "",
) -> None:
    """On a sensor: let a collector subscribe, from now on. A running sensor notices within a second."""
    with _folder(keys) as folder:
        folder.allow(name, key, topic) if topic else folder.allow(name, key)


@app.command()
def trust(
    name: Name,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where the sensor publishes: tcp://HOST:PORT.")],
    key: Key,
    keys: Folder = "",
) -> None:
    """On a collector: remember the key of a sensor; nobody else is taken for it."""
    with _folder(keys) as folder:
        folder.trust(name, address, key)


@app.command()
def remove(name: Name, keys: Folder = "") -> None:
    """Forget a collector or a sensor; connections of a collector end within a second."""
    with _folder(keys) as folder:
        if not folder.remove(name):
            typer.echo(f"tapir keys: {folder.path}: nobody is called {name}", err=True)
            raise typer.Exit(1)


@app.command("list")
def list_(keys: Folder = "") -> None:
    """List who is allowed and who is trusted."""
    with _folder(keys) as folder:
        allowed, problems = folder.allowed()
        trusted, more = folder.trusted()
        for name, collector in allowed.items():
            typer.echo(f"allowed {name} {collector.public_key} {' '.join(collector.topics)}")
        for name, sensor in trusted.items():
            typer.echo(f"trusted {name} {sensor.public_key} {sensor.address}")
        for problem in [*problems, *more]:
            typer.echo(f"tapir keys: {problem}", err=True)


@contextmanager
def _folder(path: str) -> Iterator[KeyFolder]:
    from sensor.bus.keys import KeyFolder
    from sensor.errors import SettingError

    try:
        yield KeyFolder(path)
    except SettingError as error:
        typer.echo(f"tapir keys: {error}", err=True)
        raise typer.Exit(2) from None
