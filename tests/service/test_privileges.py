"""Started as root, the sensor runs as someone else, captures, and has no capability left in any thread."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.capture.network import cable, inside, needs_namespaces
from tests.service.test_run import ROOT, manager, running, told

NOBODY = pwd.getpwnam("nobody")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def rights_of(process: subprocess.Popen[str]) -> list[dict[str, str]]:
    """uid, groups and capabilities of every thread of it."""
    found = []
    for status in Path(f"/proc/{process.pid}/task").glob("*/status"):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        found.append({name: lines[name].strip() for name in ("Uid", "Groups", "CapEff", "CapPrm", "NoNewPrivs")})
    return found


CHILD = """
import os, socket, sys
from pathlib import Path
from sensor import privileges
from sensor.privileges import _effective_by_thread
for name in ("_CACHE", "_RUNTIME", "_STATE"):
    setattr(privileges, name, Path(sys.argv[2]) / name)
lines = privileges.settle(sys.argv[1] or None)
rights = [hex(each) for each in _effective_by_thread()]
captures = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
lines += privileges.drop()
try:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    lines.append("captures again")
except PermissionError:
    pass
print(lines, rights, [hex(each) for each in _effective_by_thread()], os.getresuid(), os.getgroups(), sep="\\n")
"""


@needs_namespaces
def test_rights_shrink_to_capturing_and_then_to_none(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, "nobody", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.splitlines()
    uid = NOBODY.pw_uid
    assert shown == [
        "['started as root, runs as user nobody: outputs and folders must be theirs to write']",
        "['0x2000']",  # CAP_NET_RAW
        "['0x0']",
        f"({uid}, {uid}, {uid})",
        f"[{NOBODY.pw_gid}]",
    ]


@needs_namespaces
def test_a_sensor_that_stays_root_says_so_and_keeps_no_capability(tmp_path: Path) -> None:
    with cable("tapir-user") as wire, manager(tmp_path) as listening:
        arguments = (wire.near, "--user", "root", "--quiet", "--publish", "tcp://127.0.0.1:*")
        with inside(wire.near_space), running(tmp_path, *arguments, watchdog_seconds=0.4) as process:
            told(listening, "READY=1")
            rights = rights_of(process)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x" * 100, ("10.77.0.2", 9))
            told(listening, "WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            _, lines = process.communicate(timeout=300)
    assert process.returncode == 0
    assert "runs as root because --user says so" in lines
    assert len(rights) > 1  # the stream has threads of its own
    for thread in rights:
        assert int(thread["CapEff"], 16) == int(thread["CapPrm"], 16) == 0
        assert thread["NoNewPrivs"] == "1"


@needs_root
@pytest.mark.parametrize(
    ("user", "told_line"),
    [
        ("no-such-user", "tapir run: --user no-such-user: there is no such user"),
    ],
)
def test_who_does_not_exist_is_an_error(user: str, told_line: str) -> None:
    command = [sys.executable, "-m", "sensor", "run", "lo", "--user", user]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (2, f"{told_line}\n")


@needs_root
def test_only_root_can_run_as_someone_else() -> None:
    code = f"""
import os
from sensor.privileges import settle
os.setuid({NOBODY.pw_uid})
print(settle("nobody"))
try:
    settle("root")
except Exception as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout == "[]\n--user root: only root can run as someone else\n"
