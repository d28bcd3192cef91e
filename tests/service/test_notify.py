"""What a service manager is told, and that without one nothing happens."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from sensor.service import Notifier


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_messages(tmp_path: Path, kind: str) -> None:
    name = str(tmp_path / "socket") if kind == "path" else f"@tapir-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1))
        manager.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000"})
        notifier.ready("captures")
        notifier.beat()
        notifier.beat()  # too soon to tell it again
        notifier.stopping()
        messages = [manager.recv(1000) for _ in range(3)]
    assert messages == [b"READY=1\nSTATUS=captures", b"WATCHDOG=1", b"STOPPING=1"]
    assert notifier.watchdog_seconds == 10
    notifier.status("the manager is gone: nothing happens")
    notifier.close()


@pytest.mark.timeout(60)
def test_a_manager_that_does_not_listen_holds_nothing_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "socket"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "socket")})
        for number in range(5_000):  # more than any queue holds
            notifier.status(f"packet {number}")
        notifier.close()
        assert manager.recv(1000) == b"STATUS=packet 0"


def test_without_a_manager_nothing_happens() -> None:
    notifier = Notifier({})
    notifier.ready("")
    notifier.beat()
    notifier.close()


def test_a_watchdog_of_another_process_is_none_of_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_seconds == 0
