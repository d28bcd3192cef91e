"""Real servers for the collector's tests: on loopback alone, in a folder of their own, ended with the test.

Law: a server runs as a user without rights; a test skips, and says so, only where its program is not installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LIMIT_SECONDS = 60
NOBODY = 65_534


def program(name: str, package: str, *folders: str) -> str:
    """Its path; skips where it is not installed. `folders`: patterns of where it may lie besides."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
    places = sorted(str(path) for folder in folders for path in Path("/").glob(f"{folder.lstrip('/')}/{name}"))
    if found is None and not places:
        pytest.skip(f"needs {name} (Debian: {package})")
    return str(Path(found or places[-1]).resolve())


def unprivileged() -> dict[str, object]:
    """Of subprocess: who runs a server."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def own_folder() -> Iterator[Path]:
    """That the server's user may write to; its path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="tapir-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield folder
    finally:
        shutil.rmtree(folder)


class PostgresServer:
    """A cluster of its own behind a socket in its folder; `restart` and `stop` are those of its pg_ctl."""

    def __init__(self, folder: Path) -> None:
        binaries = Path(program("initdb", "postgresql", "/usr/lib/postgresql/*/bin")).parent
        self.folder, self._pg_ctl, self._schemas = folder, str(binaries / "pg_ctl"), 0
        self._run(str(binaries / "initdb"), "-D", str(folder / "d"), "-U", "tapir", "-A", "trust", "-N", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off -c max_connections=50"
        self._control("start", "-o", options, "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        self._control("stop", "-m", mode)

    def _control(self, *what: str) -> None:
        self._run(self._pg_ctl, "-D", str(self.folder / "d"), "-w", *what)

    def place(self) -> str:
        """Where nothing is stored yet: each time a schema of its own."""
        import psycopg

        self._schemas += 1
        name = f"s{self._schemas}"
        base = f"postgresql:///postgres?host={self.folder}&user=tapir"
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{base}&options=-csearch_path%3D{name}"

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT_SECONDS, cwd=self.folder, **unprivileged()
        )  # fmt: skip


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    with own_folder() as folder:
        server = PostgresServer(folder)
        try:
            yield server
        finally:
            server.stop("immediate")
