"""Under a unit's restrictions without systemd: `python -m tests.service.confined UNIT COMMAND...`.

In: a unit; out: the command with the unit's filter of system calls (libseccomp, sets as systemd names them), its
Environment= lines, no new privileges, and no memory that becomes executable where MemoryDenyWriteExecute says so. The
one law: what the filter refuses fails as systemd lets it fail.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

_ALLOW, _ERRNO, _EPERM = 0x7FFF0000, 0x00050000, 1
_NO_NEW_PRIVILEGES, _MEMORY_DENY_WRITE_EXECUTE, _REFUSE_EXEC_GAIN = 38, 65, 1


@cache
def calls_of(name: str) -> frozenset[str]:
    """The system calls of a set such as @privileged, or of one call alone."""
    if not name.startswith("@"):
        return frozenset([name])
    command = ["systemd-analyze", "syscall-filter", name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    members = [line.strip() for line in shown.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return frozenset().union(*map(calls_of, members))


def allowed_by(unit: str) -> frozenset[str]:
    """The system calls that the unit's lines leave, in their order."""
    allowed: frozenset[str] = frozenset()
    for minus, names in re.findall(r"^SystemCallFilter=(~?)(.+)$", unit, re.MULTILINE):
        named = frozenset().union(*map(calls_of, names.split()))
        allowed = allowed - named if minus else allowed | named
    return allowed | calls_of("@default")


def confine(unit: str) -> None:
    """This process and what it becomes."""
    libc = ctypes.CDLL(None, use_errno=True)
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_ERRNO | _EPERM)))
    for name in sorted(allowed_by(unit)):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            assert seccomp.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0) == 0, name
    assert libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    if "MemoryDenyWriteExecute=yes" in unit:
        assert libc.prctl(_MEMORY_DENY_WRITE_EXECUTE, _REFUSE_EXEC_GAIN, 0, 0, 0) == 0, "needs Linux 6.3"
    assert seccomp.seccomp_load(context) == 0


def main() -> None:
    unit = Path(sys.argv[1]).read_text(encoding="utf-8")
    for line in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE):
        os.environ.update(part.split("=", 1) for part in shlex.split(line) if part.split("=", 1)[0].isupper())
    confine(unit)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
