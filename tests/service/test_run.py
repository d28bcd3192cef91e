"""`tapir run` as a service manager sees it: ready when it captures, watched while it works, stopped by SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.capture.network import cable, inside, needs_namespaces

ROOT = Path(__file__).resolve().parents[2]
HYDRA = ROOT / "pcaps" / "hydra-basic.pcap"


@contextmanager
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(300)
        yield listening


@contextmanager
def running(tmp_path: Path, *arguments: str, watchdog_seconds: float = 0) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    if watchdog_seconds:
        environment["WATCHDOG_USEC"] = str(int(watchdog_seconds * 1e6))
    command = [sys.executable, "-m", "sensor", "run", *arguments]
    started = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
            started.wait()


def told(listening: socket.socket, wanted: str) -> str:
    """The next message that has a line beginning so."""
    while True:
        message = listening.recv(4096).decode()
        if any(line.startswith(wanted) for line in message.splitlines()):
            return message


def test_ready_watched_and_stopped(tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.jsonl"
    arguments = ("--read-loop", str(HYDRA), "--pace", "0", "--alerts", str(alerts), "--quiet")
    with manager(tmp_path) as listening, running(tmp_path, *arguments, watchdog_seconds=1) as process:
        assert "captures from" in told(listening, "READY=1")
        told(listening, "WATCHDOG=1")
        told(listening, "WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        told(listening, "STOPPING=1")
        _, complaints = process.communicate(timeout=300)
    assert (process.returncode, complaints) == (0, "")
    rules = {json.loads(line)["rule_id"] for line in alerts.read_text().splitlines()}
    assert "brute-force-login" in rules


def test_rounds_of_a_replay_follow_one_another_in_packet_time(tmp_path: Path) -> None:
    flows = tmp_path / "flows.jsonl"
    arguments = ("--read-loop", str(HYDRA), "--pace", "0", "--flows", str(flows), "--json")
    with manager(tmp_path) as listening, running(tmp_path, *arguments) as process:
        told(listening, "READY=1")
        status = ""
        while status.count("packets") == 0 or int(status.split("STATUS=")[1].split(maxsplit=1)[0]) < 3000:
            status = told(listening, "STATUS=")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=300)
    summary = json.loads(output.splitlines()[-1])["summary"]
    assert summary["retransmitted_bytes"] == 0
    assert summary["missing_bytes"] == 0


@needs_namespaces
def test_what_passes_an_interface_comes_out(tmp_path: Path) -> None:
    transactions = tmp_path / "transactions.jsonl"
    with cable("tapir-run") as wire, manager(tmp_path) as listening:
        server = "import http.server as s; s.test(s.SimpleHTTPRequestHandler, port=8000, bind='10.77.0.2')"
        with inside(wire.far_space):
            serving = subprocess.Popen(
                [sys.executable, "-u", "-c", server], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path
            )
        try:
            assert serving.stdout is not None
            serving.stdout.readline()
            arguments = (wire.near, "--transactions", str(transactions), "--quiet")
            with inside(wire.near_space):
                capturing = running(tmp_path, *arguments)
                process = capturing.__enter__()
            told(listening, "READY=1")
            with inside(wire.near_space):
                client = socket.create_connection(("10.77.0.2", 8000))
            with client:
                client.sendall(b"GET /notify HTTP/1.0\r\nHost: far\r\n\r\n")
                while client.recv(4096):
                    pass
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=300)
            capturing.__exit__(None, None, None)
        finally:
            serving.kill()
            serving.communicate()
    assert process.returncode == 0
    (row,) = [json.loads(line) for line in transactions.read_text().splitlines()]
    assert (row["method"], row["uri"], row["server_port"]) == ("GET", "/notify", 8000)


@pytest.mark.parametrize(
    ("arguments", "code", "told_line"),
    [
        ((), 2, "nothing to capture from"),
        (("nosuch0",), 1, "nosuch0: "),
        (("lo", "--filter", "tcp prt 80"), 2, "capture.filter: 'tcp prt 80' does not compile"),
        (("--read-loop", "none.pcap"), 1, "none.pcap: cannot be opened"),
    ],
)
def test_what_cannot_be_captured_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, told_line: str
) -> None:
    with running(tmp_path, *arguments, "--quiet") as process:
        _, complaints = process.communicate(timeout=120)
    assert process.returncode == code
    assert complaints.startswith("tapir run: ")
    assert told_line in complaints
    assert complaints.count("\n") == 1
