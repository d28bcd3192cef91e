"""The files of evidence: in: alerts and their packets; out: ALERT-ID.pcap and ALERT-ID.json in one folder.

The json says which alert it is, how many packets there are, and whether some were already gone. The one law: files
have mode 0600, none is kept beyond its time, and all together stay within the budget.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO

import msgspec

from sensor.alert import Alert
from sensor.config.evidence import EvidenceSettings
from sensor.errors import InputError, SettingError
from sensor.evidence.packets import Packet, pcap_head, pcap_records

_MODE = 0o600


class Kept(msgspec.Struct, kw_only=True):
    """What stands beside the packets of an alert. Times are packet time, ns."""

    alert: Alert            # its latest revision
    packets: int = 0
    packets_deciding: int = 0  # of the flow that decided
    packets_left_out: int = 0  # beyond evidence.alert_bytes_max
    bytes: int = 0
    wanted_since: int = 0
    gone_until: int = 0     # of the newest packet that was no longer there: some are missing if it is later
    cut_until: int = 0


class EvidenceFolder:
    """Made with mode 0700 when it is new. Raises SettingError when it cannot be used."""

    def __init__(self, path: Path, settings: EvidenceSettings) -> None:
        self.path, self.settings = path, settings
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.stat().st_mode & 0o077:
                raise SettingError(f"{path}: others can look into the folder of evidence; expected mode 0700")
            if not os.access(path, os.W_OK | os.X_OK):
                raise SettingError(f"{path}: evidence cannot be written there")
        except OSError as error:
            raise SettingError(f"{path}: evidence cannot be kept there: {error.strerror}") from None

    def kept(self, alert_id: str) -> Kept | None:
        """What is there of an alert, by its id or the first characters of it."""
        found = find(self.path, alert_id)
        return found[1] if found else None

    def add(self, kept: Kept, packets: list[Packet]) -> None:
        """Append packets to an alert's file, and say so beside it."""
        path = self.path / f"{kept.alert.alert_id}.pcap"
        with _private(path, os.O_APPEND) as file:
            if packets and not file.seek(0, os.SEEK_END):
                file.write(pcap_head(packets[0].link))
            file.write(pcap_records(packets))
            kept.bytes = file.seek(0, os.SEEK_END)
        with _private(path.with_suffix(".json"), os.O_TRUNC) as file:
            file.write(msgspec.json.encode(kept))

    def tend(self) -> None:
        """Remove what is too old, then the oldest beyond the budget."""
        files = sorted((stat.st_mtime, stat.st_size, path) for path, stat in _files(self.path))
        total = sum(size for _, size, _ in files)
        oldest = time.time() - self.settings.keep_seconds
        for modified, size, path in files:
            if modified < oldest or total > self.settings.bytes_max:
                total -= size
                path.unlink(missing_ok=True)
                path.with_suffix(".json").unlink(missing_ok=True)


def find(folder: Path, alert_id: str) -> tuple[Path, Kept] | None:
    """The capture of an alert and what stands beside it; InputError when more than one alert begins so."""
    found = sorted(folder.glob(f"{alert_id}*.json")) if alert_id.isalnum() else []
    if len(found) > 1:
        raise InputError(str(folder), f"{len(found)} alerts begin with {alert_id}: give more of the id")
    if not found:
        return None
    try:
        return found[0].with_suffix(".pcap"), msgspec.json.decode(found[0].read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(str(found[0]), f"cannot be read: {error}") from None


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in folder.glob("*.pcap"):
        try:
            found.append((path, path.stat()))
        except FileNotFoundError:
            continue
    return found


def _private(path: Path, flag: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flag, _MODE), "r+b", buffering=0)
