"""Rights of the process: in: who is to run; out: a process with CAP_NET_RAW until it captures, and none from then on.

Linux only: capabilities(7), prctl(2). The one law: what remains of root is said, and rights that were dropped are
looked up again in /proc, not believed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from sensor.errors import SettingError

DEFAULT_USER = "tapir"
_NET_RAW = 13
_VERSION_3 = 0x20080522
_KEEP_CAPABILITIES, _NO_NEW_PRIVILEGES = 8, 38
_CACHE, _RUNTIME, _STATE = Path("/var/cache/tapir"), Path("/run/tapir"), Path("/var/lib/tapir")
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def settle(user: str | None) -> list[str]:
    """Before anything is opened: as root become `user` (tapir when None, if there is one), keeping CAP_NET_RAW alone.

    Lines to tell the operator come back. Raises SettingError for a user that does not exist or cannot be become.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that numpy would start would keep their rights
    if os.geteuid() != 0:
        if user and pwd.getpwuid(os.geteuid()).pw_name != user:
            raise SettingError(f"--user {user}: only root can run as someone else")
        return []
    try:
        wanted = pwd.getpwnam(user or DEFAULT_USER)
    except KeyError:
        if user:
            raise SettingError(f"--user {user}: there is no such user") from None
        return [
            f"runs as root, for there is no user {DEFAULT_USER}: every right but those over root's own files is dropped"
            " once packets are captured; `make install` makes the user, --user NAME takes another"
        ]
    if wanted.pw_uid == 0:
        return ["runs as root because --user says so; every right but those over root's own files is dropped later"]
    _prepare(wanted)
    _become(wanted)
    return [f"started as root, runs as user {wanted.pw_name}: outputs and folders must be theirs to write"]


def drop() -> list[str]:
    """When packets are captured: give up all capabilities, for good. Says which threads still have some, if any do, and
    whether the system did not let them go.
    """
    _prctl(_NO_NEW_PRIVILEGES, 1)
    try:
        _set_capabilities(0)
    except OSError as error:  # a filter of system calls without capset
        return [f"keeps its right to capture, for capset() is refused here: {error.strerror}"]
    left = sum(effective != 0 for effective in _effective_by_thread())
    return [f"{left} threads still have capabilities: please report it"] if left else []


def _prepare(user: pwd.struct_passwd) -> None:
    """Folders that systemd would have made: of compiled kernels, of the control socket, of what is learned."""
    for path, mode in ((_CACHE, 0o700), (_RUNTIME, 0o750), (_STATE, 0o750)):
        if not path.exists():
            path.mkdir(mode=mode, parents=True)
            os.chown(path, user.pw_uid, user.pw_gid)
    os.environ.setdefault("CACHE_DIRECTORY", str(_CACHE))
    os.environ.setdefault("RUNTIME_DIRECTORY", str(_RUNTIME))
    os.environ.setdefault("STATE_DIRECTORY", str(_STATE))
    os.environ["HOME"], os.environ["USER"] = user.pw_dir, user.pw_name
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]


def _become(user: pwd.struct_passwd) -> None:
    try:
        _prctl(_KEEP_CAPABILITIES, 1)
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        _set_capabilities(1 << _NET_RAW)
    except OSError as error:
        raise SettingError(f"--user {user.pw_name}: cannot be become: {error.strerror}") from error


def _set_capabilities(mask: int) -> None:
    """Of this thread, those that it starts from now on have the same: effective and permitted, none inheritable."""
    sets = (_Sets * 2)(_Sets(mask & 0xFFFFFFFF, mask & 0xFFFFFFFF, 0), _Sets(mask >> 32, mask >> 32, 0))
    header = _Header(_VERSION_3, 0)
    if _LIBC.capset(ctypes.byref(header), ctypes.byref(sets)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _prctl(what: int, value: int) -> None:
    if _LIBC.prctl(what, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _effective_by_thread() -> Iterator[int]:
    """Effective capabilities of each thread of this process, as the system has them."""
    for status in Path("/proc/self/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("CapEff:"):
                yield int(line.split()[1], 16)
