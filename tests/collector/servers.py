"""Real servers for the collector's tests: on loopback alone, in a folder of their own, ended with the test.

Law: a server runs as a user without rights; a test skips, and says so, only where its program is not installed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    return str(Path(found or places[-1]).absolute())


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


def listens(port: int) -> bool:
    """Asks the system and not the server, some of which take a connection without a word amiss."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


class Server:
    """A program that listens on `port`; `start` waits for it to. It ends with the test, whatever ends that."""

    own_user = True
    end_signal = signal.SIGKILL

    def __init__(self, folder: Path, port: int, *command: str, **environment: str) -> None:
        self.folder, self.port = folder, port
        self._command = (program("setpriv", "util-linux"), "--pdeathsig", self.end_signal.name[3:], *command)
        self._environment = os.environ | {"HOME": str(folder)} | environment
        self.start()

    def start(self) -> None:
        user = unprivileged() if self.own_user else {}
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=self.folder, env=self._environment, **user
            )  # fmt: skip
        end = time.monotonic() + LIMIT_SECONDS
        while not self.ready():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, (self.folder / "log").read_text()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)

    def ready(self) -> bool:
        return listens(self.port)

    def stop(self) -> None:
        self._process.send_signal(self.end_signal)
        self._process.wait(LIMIT_SECONDS)


def in_own_processes() -> tuple[str, ...]:
    """Words before a command that ends with all it started; skips where nobody but root may have namespaces."""
    words = (program("unshare", "util-linux"), "--user", "--map-root-user", "--pid", "--fork", "--kill-child=KILL")
    tried = subprocess.run([*words, "true"], capture_output=True, check=False, timeout=LIMIT_SECONDS, **unprivileged())
    if tried.returncode:
        pytest.skip("no user namespaces on this host")
    return words


class OrderlyServer(Server):
    """One behind `in_own_processes` that is told to end: killed, it may forget what it has confirmed."""

    def stop(self) -> None:
        own = f"PPid:\t{self._process.pid}\n"
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                if own in status.read_text():
                    os.kill(int(status.parent.name), signal.SIGTERM)
        self._process.wait(LIMIT_SECONDS)


class PythonServer(Server):
    """A module of this Python, which others may not be able to read."""

    own_user = False

    def __init__(self, folder: Path, port: int, *module: str) -> None:
        super().__init__(folder, port, sys.executable, "-m", *module)


class PostgresServer(Server):
    """A cluster of its own behind a socket in its folder; it is stopped as by a crash."""

    end_signal = signal.SIGQUIT

    def __init__(self, folder: Path, fsync: bool) -> None:
        binaries = Path(program("initdb", "postgresql", "/usr/lib/postgresql/*/bin")).resolve().parent
        self._schemas = 0
        self._base = f"postgresql:///postgres?host={folder}&user=tapir"
        initdb = (str(binaries / "initdb"), "-D", str(folder / "d"), "-U", "tapir", "-A", "trust", "-N", "-E", "UTF8")
        subprocess.run(
            initdb, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT_SECONDS, cwd=folder, **unprivileged()
        )  # fmt: skip
        safe = "on" if fsync else "off"
        asked = ("listen_addresses=", f"unix_socket_directories={folder}", f"fsync={safe}", "max_connections=50")
        options = [word for one in asked for word in ("-c", one)]
        super().__init__(folder, 0, str(binaries / "postgres"), "-D", str(folder / "d"), *options)

    def ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self._base).close()
        except psycopg.OperationalError:
            return False
        return True

    def place(self) -> str:
        """Where nothing is stored yet: each time a schema of its own."""
        import psycopg

        self._schemas += 1
        name = f"s{self._schemas}"
        with psycopg.connect(self._base, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self._base}&options=-csearch_path%3D{name}"


@contextmanager
def postgres_server(fsync: bool = False) -> Iterator[PostgresServer]:
    with own_folder() as folder:
        server = PostgresServer(folder, fsync)
        try:
            yield server
        finally:
            server.stop()
