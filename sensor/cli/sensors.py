"""Finding running sensors: in: what the user named, or nothing; out: the path of a control socket.

The one law: with one sensor on the machine nobody has to name it.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
from pathlib import Path

from sensor.errors import SettingError

SYSTEM_FOLDER = Path("/run/tapir")
_ENDING = ".control"


def runtime_folder() -> Path:
    """Where a sensor of this user puts its socket: systemd's RUNTIME_DIRECTORY, or the user's runtime folder."""
    if given := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(given)
    if os.geteuid() == 0:
        return SYSTEM_FOLDER
    if user := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(user) / "tapir"
    return Path(tempfile.gettempdir()) / f"tapir-{os.geteuid()}"


def control_path(configured: str, source: str) -> str:
    """The control socket of a sensor that captures from `source`; its folder is made, private to the user."""
    if configured:
        return configured
    folder = runtime_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '+', source)[:60]}{_ENDING}")


def _answers(path: Path) -> bool:
    """Whether a sensor listens there: one that was killed leaves its socket behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.settimeout(1)
        probe.connect(str(path))
        return True
    return False


def find(name: str | None) -> str:
    """The socket of the sensor of that name or path, or of the only one there is; SettingError otherwise."""
    if name and ("/" in name or name.endswith(_ENDING)):
        return name
    folders = dict.fromkeys([runtime_folder(), SYSTEM_FOLDER])
    found: list[Path] = []
    for folder in folders:  # the nearest folder in which one answers
        named = [path for path in sorted(folder.glob(f"*{_ENDING}")) if not name or path.name == name + _ENDING]
        found = found or [path for path in named if _answers(path)]
    if len(found) == 1:
        return str(found[0])
    if found:
        names = ", ".join(path.name[: -len(_ENDING)] for path in found)
        raise SettingError(f"several sensors run here, name one: {names}")
    raise SettingError(f"no sensor{f' {name}' if name else ''} runs here (looked in {', '.join(map(str, folders))})")
