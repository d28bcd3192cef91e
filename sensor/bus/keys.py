"""Who may read the alert stream, and who a sensor is: folders of keys go in, CURVE keys and permissions come out.

    FOLDER/own.key             this program's own pair of keys, mode 0600
    FOLDER/allowed/NAME.toml   on a sensor: a collector's public key and the topics it may have
    FOLDER/sensors/NAME.toml   on a collector: a sensor's address and public key

Law: a secret key leaves its file only into the socket; what cannot be read allows nobody.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import platformdirs
import zmq

from sensor.errors import SettingError

DEFAULT_TOPICS = ("alert.", "stats.")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_KEY_CHARACTERS = 40


class _Pair(msgspec.Struct):
    public_key: str
    secret_key: str


class Allowed(msgspec.Struct, frozen=True):
    """A collector that may subscribe, to topics with one of these prefixes."""

    public_key: str
    topics: tuple[str, ...] = DEFAULT_TOPICS


class Trusted(msgspec.Struct, frozen=True):
    """A sensor: its address, as collectors connect to it, and its public key."""

    public_key: str
    address: str


_Entry = TypeVar("_Entry", Allowed, Trusted)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """As ZeroMQ takes them (Z85)."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair({self.public.decode()})"


def default_folder() -> Path:
    """In systemd's STATE_DIRECTORY, or the user's state folder."""
    return Path(os.environ.get("STATE_DIRECTORY") or platformdirs.user_state_dir("tapir")) / "keys"


class KeyFolder:
    """One folder of keys; nothing is read before it is asked for. Raises SettingError for what cannot be used."""

    def __init__(self, folder: str | Path = "") -> None:
        self.path = Path(folder) if folder else default_folder()

    @property
    def exists(self) -> bool:
        """Whether it holds a pair of its own."""
        return (self.path / "own.key").exists()

    def make(self) -> KeyPair:
        """Make this program's own pair, once: SettingError when there is one."""
        public, secret = zmq.curve_keypair()
        path = self.path / "own.key"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(file, "w", encoding="ascii") as text:
                text.write(f"public_key = '{public.decode()}'\nsecret_key = '{secret.decode()}'\n")
        except FileExistsError:
            raise SettingError(f"{path}: there are keys already; remove the file to make new ones") from None
        except OSError as error:
            raise SettingError(f"{path}: the keys cannot be made: {error.strerror}") from None
        return KeyPair(public, secret)

    def own(self) -> KeyPair:
        """This program's own pair."""
        path = self.path / "own.key"
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise SettingError(f"{path}: others can read the secret key; expected mode 0600")
            pair = msgspec.convert(tomllib.loads(path.read_text(encoding="ascii")), _Pair)
        except FileNotFoundError:
            raise SettingError(f"{self.path}: no keys there; make them with: tapir keys make{self._option()}") from None
        except (OSError, ValueError, msgspec.MsgspecError):
            raise SettingError(f"{path}: not a pair of keys as `tapir keys make` writes it") from None
        return KeyPair(check_key(pair.public_key, str(path)), check_key(pair.secret_key, str(path)))

    def allow(self, name: str, public_key: str, topics: Iterable[str] = DEFAULT_TOPICS) -> None:
        """Let a collector in, from now on; running sensors notice within a second."""
        check_key(public_key, name)
        self._write("allowed", name, Allowed(public_key, tuple(topics)))

    def trust(self, name: str, address: str, public_key: str) -> None:
        """Remember the key of a sensor."""
        check_key(public_key, name)
        self._write("sensors", name, Trusted(public_key, address))

    def remove(self, name: str) -> bool:
        """Forget a collector or a sensor; False when there is none of that name."""
        found = [path for path in (self._file("allowed", name), self._file("sensors", name)) if path.exists()]
        for path in found:
            path.unlink()
        return bool(found)

    def allowed(self) -> tuple[dict[str, Allowed], list[str]]:
        """Collectors by name, and what is wrong with files that could not be read."""
        return self._entries("allowed", Allowed)

    def trusted(self) -> tuple[dict[str, Trusted], list[str]]:
        """Sensors by name, and what is wrong with files that could not be read."""
        return self._entries("sensors", Trusted)

    def key_of_sensor(self, address: str) -> bytes | None:
        """The key of the sensor at this address; None when none is remembered."""
        found = [entry.public_key for entry in self.trusted()[0].values() if entry.address == address]
        return found[0].encode() if found else None

    def signature(self) -> tuple[tuple[str, int, int], ...]:
        """Changes when a file of the allow-list does."""
        try:
            entries = [(path.name, path.stat()) for path in sorted((self.path / "allowed").glob("*.toml"))]
        except OSError:
            return ()
        return tuple((name, status.st_mtime_ns, status.st_ino) for name, status in entries)

    def _entries(self, kind: str, type_: type[_Entry]) -> tuple[dict[str, _Entry], list[str]]:
        found: dict[str, _Entry] = {}
        problems = []
        for path in sorted((self.path / kind).glob("*.toml")):
            try:
                entry = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), type_)
                check_key(entry.public_key, str(path))
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                problems.append(f"{path}: {error}")
            except SettingError as error:
                problems.append(str(error))
            else:
                found[path.stem] = entry
        return found, problems

    def _file(self, kind: str, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise SettingError(f"{name!r}: a name is up to 64 letters, digits, dots, dashes and underscores")
        return self.path / kind / f"{name}.toml"

    def _write(self, kind: str, name: str, entry: Allowed | Trusted) -> None:
        path = self._file(kind, name)
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in msgspec.to_builtins(entry).items()]
        made = path.with_name(f".{name}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made.write_text("\n".join(lines) + "\n", encoding="utf-8")
            made.rename(path)
        except OSError as error:
            raise SettingError(f"{path}: cannot be written: {error.strerror}") from None

    def _option(self) -> str:
        return "" if self.path == default_folder() else f" --keys {self.path}"


def check_key(text: str, where: str) -> bytes:
    """A key as ZeroMQ takes it; SettingError when the text is none. The text is never shown: it may be a secret."""
    from zmq.utils import z85

    try:
        if len(text) != _KEY_CHARACTERS:
            raise ValueError
        z85.decode(text.encode("ascii"))
    except (ValueError, KeyError, IndexError):
        raise SettingError(f"{where}: not a key: {_KEY_CHARACTERS} characters as `tapir keys show` prints") from None
    return text.encode()
