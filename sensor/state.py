"""What the sensor knows, kept in a folder from run to run: in: named arrays by section; out: one file, and back.

    DIR/tapir.state       a zip of manifest.json and SECTION/NAME.npy: any tool can open it (mode 0600)
    DIR/fingerprint.key   the key of the fingerprints that the arrays speak of (mode 0600)
    DIR/lock              held while a sensor uses the folder

The one law: the file is replaced as a whole or not at all, and one that cannot be understood is never written over.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor._version import __version__
from sensor.errors import StateError

Array = npt.NDArray[Any]
FORMAT, FORMAT_VERSION = "tapir-state", 1
_MANIFEST = "manifest.json"
_PLACE_BYTES = 65_536
"""Bytes at the start of an input by which it is known again."""
_UNREADABLE = (
    zipfile.BadZipFile, KeyError, msgspec.DecodeError, EOFError, OSError, ValueError, RuntimeError, struct.error,
    zlib.error,
)  # fmt: skip
"""What zipfile makes of bytes that are no zip, or none any more."""
_SHARE_OF_TIME = 0.05
"""Part of the run's time that checkpoints may take: a fast run over files makes fewer of them."""


class Place(msgspec.Struct, kw_only=True):
    """How far a run over files came: what a resumed run need not judge again."""

    inputs: list[tuple[str, int, str]]  # path, bytes, SHA-256 of the first bytes
    bytes_read: int = 0
    transactions: int = 0
    flows: int = 0
    told: int = 0
    lookups: int = 0
    finished: bool = False


class Manifest(msgspec.Struct, kw_only=True):
    format: str
    format_version: int
    sensor_version: str = __version__
    key_check: str = ""       # SHA-256 of the fingerprint key, cut: says whether it is still the same
    string_seed: int = 0      # of the hashes of strings
    now: int = 0              # packet time, ns
    place: Place | None = None
    in_order: bool = False    # saved at the end of a run, and not at a checkpoint


def place_of(paths: list[str]) -> Place:
    """The start of these files, by which a later run finds out that it reads the same ones."""
    inputs = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read(_PLACE_BYTES)).hexdigest()
                inputs.append((os.path.realpath(path), os.fstat(file.fileno()).st_size, digest))
        except OSError:
            inputs.append((os.path.realpath(path), 0, ""))  # reading it will say why
    return Place(inputs=inputs)


def key_check(key: bytes) -> str:
    return hashlib.sha256(b"tapir fingerprint key" + key).hexdigest()[:16]


def _aligned(array: Array) -> Array:
    """The same records as kernels know them: the file does not say that their fields are aligned."""
    fields = array.dtype.fields
    if fields is None:
        return array
    names = list(array.dtype.names or ())
    layout = {
        "names": names, "formats": [fields[name][0] for name in names], "offsets": [fields[name][1] for name in names],
        "itemsize": array.dtype.itemsize,
    }  # fmt: skip
    try:
        return array.view(np.dtype(layout, align=True))  # type: ignore[call-overload, no-any-return]
    except ValueError:
        return array


class Section(Mapping[str, Array]):
    """The arrays of one section, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive, self._name = archive, name
        start = f"{name}/"
        self._names = [
            each[len(start) : -len(".npy")] for each in archive.namelist() if each.startswith(start)
        ]  # fmt: skip

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        with self._archive.open(f"{self._name}/{name}.npy") as file:
            return _aligned(np.lib.format.read_array(file, allow_pickle=False))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class UnreadableState(StateError):
    """The file is no whole state of a sensor; `why` says what is wrong with it."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = f"not a whole state of a sensor ({why})"


class StateFolder:
    """The state in one folder, locked until `close`. `manifest` is None while nothing was ever saved.

    `unattended`: a file that cannot be understood is moved aside, lest nobody watches until somebody comes; `aside`
    says why and where it is. Otherwise it raises StateError, and the file stays.
    """

    def __init__(self, folder: str, *, unattended: bool = False) -> None:
        self.path = Path(folder)
        self.file = self.path / "tapir.state"
        self.manifest: Manifest | None = None
        self._archive: zipfile.ZipFile | None = None
        self._spent = 0.0
        self.aside = ""
        self.alive_ns = 0
        """Wall clock (ns) at which a sensor was last known to use the folder; 0 when none ever did."""
        self._lock = self._locked()
        try:
            self._load()
        except UnreadableState as error:
            if not (unattended and self._set_aside(error)):
                self._lock.close()
                raise
        except BaseException:
            self._lock.close()
            raise

    def _set_aside(self, error: UnreadableState) -> bool:
        place = self.file.with_name(f"{self.file.name}.damaged")
        try:
            self.file.replace(place)
        except OSError:
            return False
        self.aside = f"{self.file}: {error.why}: it is now {place.name}, and everything is learned anew"
        return True

    def close(self) -> None:
        if self._archive:
            self._archive.close()
        self._lock.close()

    def leave(self) -> None:
        """In a forked process: the lock is the parent's alone, and what is read later needs a place in the file of its
        own, which handles that processes share do not have.
        """
        self._lock.close()
        if self._archive and self._archive.fp:
            self._archive.fp = os.fdopen(os.open(f"/proc/self/fd/{self._archive.fp.fileno()}", os.O_RDONLY), "rb")

    def _locked(self) -> IO[bytes]:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            used = (self.path / "lock").exists()
            lock = os.fdopen(os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb+")
        except OSError as error:
            raise StateError(f"{self.path}: the state cannot be kept there: {error.strerror}") from error
        self.alive_ns = os.fstat(lock.fileno()).st_mtime_ns if used else 0
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StateError(f"{self.path}: another sensor uses this state folder; give each its own") from error
        return lock

    def _load(self) -> None:
        try:
            file = self.file.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StateError(f"{self.file}: cannot be read: {error.strerror}") from error
        try:
            self._archive = zipfile.ZipFile(file)
            broken = self._archive.testzip()
            manifest = msgspec.json.decode(self._archive.read(_MANIFEST), type=Manifest)
        except _UNREADABLE as error:
            self._archive = None
            file.close()
            raise self._foreign(f"{type(error).__name__}: {error}") from error
        if broken or manifest.format != FORMAT:
            self._archive = None
            file.close()
            raise self._foreign(f"{broken} is damaged" if broken else f'its format is "{manifest.format}"')
        if manifest.format_version > FORMAT_VERSION:
            raise StateError(
                f"{self.file}: format {manifest.format_version} of a newer sensor ({manifest.sensor_version}); this "
                f"one reads up to {FORMAT_VERSION}: use that sensor, or another folder"
            )
        self.manifest = manifest

    def _foreign(self, why: str) -> UnreadableState:
        return UnreadableState(
            f"{self.file}: not a whole state of a sensor ({why}); it is left as it is: move it away to begin anew", why
        )

    def touch(self) -> None:
        """Note that a sensor is using the folder now."""
        with contextlib.suppress(OSError):
            os.utime(self._lock.fileno())

    def section(self, name: str) -> Section:
        """The arrays saved under this name; empty when there are none."""
        if self._archive is None:
            return _NOTHING
        return Section(self._archive, name)

    def sections(self) -> set[str]:
        """Names of all sections of the file that was loaded."""
        names = self._archive.namelist() if self._archive else []
        return {name.partition("/")[0] for name in names if "/" in name}

    def is_due(self, begun: float) -> bool:
        """Whether checkpoints took less of the time since `begun` (time.monotonic) than they may."""
        return self._spent <= _SHARE_OF_TIME * (time.monotonic() - begun)

    def save(self, manifest: Manifest, sections: Mapping[str, Mapping[str, Array]]) -> None:
        """Replace the file; sections of the loaded one that nobody claims any more are carried over."""
        begun = time.monotonic()
        made = self.path / f".tapir.state.{os.getpid()}"
        try:
            with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                    archive.writestr(_MANIFEST, msgspec.json.encode(manifest))
                    for section, arrays in sections.items():
                        _write_section(archive, section, arrays)
                    for section in sorted(self.sections() - set(sections)):
                        _write_section(archive, section, self.section(section))
                file.flush()
                os.fsync(file.fileno())
            os.replace(made, self.file)
        except OSError as error:
            made.unlink(missing_ok=True) if made.is_file() else None
            raise StateError(
                f"{self.file}: the state cannot be saved: {error.strerror}; the old one is kept"
            ) from error
        self._spent += time.monotonic() - begun


def _write_section(archive: zipfile.ZipFile, section: str, arrays: Mapping[str, Array]) -> None:
    for name in arrays:
        with archive.open(f"{section}/{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.ascontiguousarray(arrays[name]), allow_pickle=False)


class _Empty(Section):
    def __init__(self) -> None:
        self._names: list[str] = []


_NOTHING = _Empty()
