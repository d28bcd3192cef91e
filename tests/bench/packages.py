"""Packages as registries give them, for corpora that the repository does not keep: in: names; out: folders of files.

Asked are apt (binary packages and sources), pip and npm. The one law: a text falls into the half "dev" or "held-out" by
a hash of its text, so that what is looked at while patterns are mended never holds the other half.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Packages(NamedTuple):
    """Names by registry; of `sources` (PyPI) and `debian_sources` the archive of sources is fetched."""

    debian: tuple[str, ...] = ()
    pypi: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    debian_sources: tuple[str, ...] = ()


_APT = """Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "-"; Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache"; APT::Sandbox::User "{user}";
"""
_KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ARCHIVE = f"deb-src [signed-by={_KEY}] http://deb.debian.org/debian bookworm main\n"


def half(text: str) -> str:
    """Which half a text falls into."""
    return ("dev", "held-out")[hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] & 1]


def fetch(folder: Path, wanted: Packages) -> None:
    """Download what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in wanted.debian:
        if not any(folder.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", "-qq", name], cwd=folder, check=True, timeout=300)
    for name in (*wanted.pypi, *wanted.sources):
        if not any(folder.glob(f"{name.replace('-', '_')}-*")) and not any(folder.glob(f"{name}-*")):
            form = ["--no-binary", name] if name in wanted.sources else []
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *form, "-d", folder, name]
            subprocess.run(command, check=True, timeout=300)
    for name in wanted.npm:
        if not any(folder.glob(f"{name.lstrip('@').replace('/', '-')}-*.tgz")):
            subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True, timeout=300)
    _fetch_debian_sources(folder, [name for name in wanted.debian_sources if not any(folder.glob(f"{name}_*.orig.*"))])


def _fetch_debian_sources(folder: Path, names: list[str]) -> None:
    """Sources of Debian, with lists of their own: a machine rarely has them set up."""
    if not names:
        return
    apt = folder.resolve() / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(_ARCHIVE)
    (apt / "conf").write_text(_APT.format(folder=apt, user=os.environ.get("USER", "root")))
    environment = {**os.environ, "APT_CONFIG": str(apt / "conf")}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True, timeout=300)
    command = ["apt-get", "source", "--download-only", "--tar-only", "-qq", *names]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=600)


_ARCHIVES = (".gz", ".tgz", ".xz", ".bz2")


def unpack(folder: Path) -> Path:
    """The packages' files, each package in a folder of its name."""
    into = folder / "unpacked"
    for package in sorted(folder.iterdir()):
        place = into / re.split(r"[_-]\d", package.name)[0]
        if place.exists() or package.is_dir() or ".debian.tar" in package.name:
            continue
        if package.suffix == ".deb":
            place.mkdir(parents=True)
            subprocess.run(["dpkg", "-x", package, place], check=True, timeout=60)
        elif package.suffix == ".whl":
            zipfile.ZipFile(package).extractall(place)
        elif package.suffix in _ARCHIVES:
            with tarfile.open(package) as packed:
                packed.extractall(place, filter="data")
    return into


_CHARSETS = {
    ".euc-kr": "euc-kr", ".euc-jp": "euc-jp", ".big5": "big5", ".koi8-r": "koi8-r", ".gb2312": "gb18030",
    ".iso-2022-jp": "iso2022_jp", ".iso8859-2": "iso8859-2", ".iso8859-9": "iso8859-9", ".windows-1251": "cp1251",
}  # fmt: skip
"""By the last part of a file's name; other files are UTF-8 or have some bytes that are nothing."""


def text_of(path: Path) -> str:
    """A file's text, also of one that is compressed."""
    octets = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode(_CHARSETS.get(path.suffix, "utf-8"), "replace")


def files(place: Path, *patterns: str) -> Iterator[Path]:
    """The files that fit any of the patterns, in a fixed order."""
    yield from sorted({path for pattern in patterns for path in place.glob(pattern) if path.is_file()})
