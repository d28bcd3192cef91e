"""The key of the fingerprints that stand for credentials: in: where it is kept; out: 16 bytes.

The one law: the key never leaves its file, which only its owner can read; the same key gives the same fingerprints from
run to run.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

import platformdirs

from sensor.errors import SettingError

_KEY_BYTES = 16


def default_path() -> Path:
    """In systemd's STATE_DIRECTORY, or the user's state folder."""
    base = os.environ.get("STATE_DIRECTORY") or platformdirs.user_state_dir("tapir")
    return Path(base) / "fingerprint.key"


def fingerprint_key(configured: str = "") -> bytes:
    """The key in the configured file, or in the default one, made there at the first run (mode 0600).

    Raises SettingError when the file cannot be read, made, or is not a key that only its owner can read.
    """
    path = Path(configured) if configured else default_path()
    try:
        return read_key(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SettingError(f"{path}: the fingerprint key cannot be read: {error.strerror}") from error
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = path.with_name(f".{path.name}.{os.getpid()}")
        with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())  # a machine that loses power now keeps the whole key or none
        try:
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink()
        return read_key(path)
    except OSError as error:
        raise SettingError(
            f"{path}: the fingerprint key cannot be made: {error.strerror}; set protocols.fingerprint_key_file"
        ) from error


def read_key(path: Path) -> bytes:
    """The key in this file; OSError when it cannot be read, SettingError when it is none that is private."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        key = file.read(_KEY_BYTES + 1)
    if mode & 0o077:
        raise SettingError(f"{path}: others can read the fingerprint key (mode {mode:04o}); expected 0600")
    if len(key) != _KEY_BYTES:
        raise SettingError(f"{path}: not a fingerprint key: {_KEY_BYTES} bytes expected")
    return key
