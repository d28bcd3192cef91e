"""Packet evidence of a sensor that runs: in: blocks of frames, alerts; out: a capture for each alert.

Blocks are copied as they come. A revision of an alert waits a moment for the packets that follow; then the recent
packets are decoded once for all alerts that wait, and each alert's are written. The one law: cutting takes at most a
twentieth of the sensor's time; alerts that have to wait too long for it are counted.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sensor.alert import Alert, Detection, State
from sensor.config import DecodeSettings, EvidenceSettings, Settings
from sensor.counters import Counters
from sensor.decode.stage import DecodeStage
from sensor.errors import SettingError
from sensor.evidence.failing import evidence_failing
from sensor.evidence.folder import EvidenceFolder, Kept
from sensor.evidence.packets import Decode, Packets, pcap_head
from sensor.evidence.ring import PacketRing
from sensor.limits import BATCH_FRAMES, NS

_SHARE_OF_TIME, _FREE_SECONDS = 0.05, 0.5
_WAITING_MAX = 1_024
_CUT_AT_ONCE = 4
"""Alerts cut in one go, which packets wait for: a tenth of a second or so."""
_TEND_SECONDS = 60.0


class EvidenceCount(IntEnum):
    CUT = 0         # times that an alert's packets were looked for
    PACKETS = 1     # packets written
    SKIPPED = 2     # revisions of alerts that gave way: too many waited, or their time was over
    FAILED = 3      # times that a file could not be written


def decoder(settings: DecodeSettings) -> Decode:
    """Frames in a buffer to their segments."""
    stage = DecodeStage(settings)
    return lambda data, frames: stage.process(data, frames).rows


class EvidenceStage:
    """`tend` tells when files cannot be written."""

    def __init__(self, settings: EvidenceSettings, decode: DecodeSettings, state_folder: str) -> None:
        folder = settings.folder or (str(Path(state_folder) / "evidence") if state_folder else "")
        if not folder:
            raise SettingError("evidence.folder: expected a folder, or --state DIR, to keep evidence in")
        pcap_head(1)  # says what is missing
        self.counters = Counters(EvidenceCount)
        self._failing = ""
        self._before_ns = self._after_ns = 0
        self._folder = EvidenceFolder(Path(folder), settings)
        self._ring = PacketRing(settings.ring_bytes, self._folder.path if settings.ring_on_disk else None)
        self._decode = decoder(decode)
        self._waiting: OrderedDict[str, tuple[int, Alert]] = OrderedDict()
        self._begun = time.monotonic()
        self._spent = 0.0
        self._tend_at = 0.0
        self.take_over(settings)

    def take_over(self, settings: EvidenceSettings) -> None:
        """From the next alert on; where and how much is kept stays as it is."""
        self.settings = self._folder.settings = settings
        self._after_ns, self._before_ns = round(settings.after_seconds * NS), round(settings.before_seconds * NS)

    def keep(self, data: npt.NDArray[np.uint8], frames: npt.NDArray[np.void]) -> None:
        """A block as it comes."""
        self._ring.keep(data, frames)

    def want(self, alerts: list[Alert], now: int) -> None:
        """Cut the packets of these revisions in a moment; `now` is packet time, ns."""
        for alert in alerts:
            due = self._waiting.pop(alert.alert_id, (now + self._after_ns, alert))[0]
            if len(self._waiting) >= _WAITING_MAX:
                self._waiting.popitem(last=False)
                self.counters.values[EvidenceCount.SKIPPED] += 1
            self._waiting[alert.alert_id] = due, alert

    def tend(self, now: int, last: bool = False) -> list[Detection]:
        """Cut what is due at packet time `now` (ns), or everything at the `last`; what is to be told of it."""
        began = time.monotonic()
        if self._waiting and (last or self._has_time(began)):
            due = [alert for until, alert in self._waiting.values() if last or until <= now]
            for place in range(0, len(due) if last else min(len(due), _CUT_AT_ONCE), _CUT_AT_ONCE):
                self._cut(due[place : place + _CUT_AT_ONCE], now)
        if began >= self._tend_at:
            self._tend_at = began + _TEND_SECONDS
            self._folder.tend()
        self._spent += time.monotonic() - began
        if not self._failing:
            return []
        why, self._failing = self._failing, ""
        return [evidence_failing(now, why)]

    def _has_time(self, now: float) -> bool:
        return self._spent <= _FREE_SECONDS + _SHARE_OF_TIME * (now - self._begun)

    def _cut(self, alerts: list[Alert], now: int) -> None:
        cuts = [(alert, self._kept(alert)) for alert in alerts]
        wanted = [
            (kept, Packets(alert, max(0, self.settings.alert_bytes_max - kept.bytes)), kept.cut_until + 1)
            for alert, kept in cuts
        ]
        wanted = [each for each in wanted if each[1].wanted.names_somebody]
        if wanted:
            self._collect(wanted, now)
        for kept, packets, _ in wanted:
            self._write(kept, packets, now)
        for alert in alerts:
            self._waiting.pop(alert.alert_id, None)

    def _kept(self, alert: Alert) -> Kept:
        """What is there of the alert already, or the beginning of it."""
        kept = self._folder.kept(alert.alert_id) if alert.revision > 1 else None
        since = max(0, round(alert.first_seen * NS) - self._before_ns)
        if kept is None:
            return Kept(alert=alert, wanted_since=since, gone_until=self._ring.gone_until, cut_until=since - 1)
        kept.alert = alert
        return kept

    def _collect(self, wanted: list[tuple[Kept, Packets, int]], now: int) -> None:
        """Decode the recent packets once, and let each alert take its own."""
        first = min(since for _, _, since in wanted)
        for stretch in self._ring.between(first, now):
            for place in range(0, len(stretch), BATCH_FRAMES):
                frames = stretch[place : place + BATCH_FRAMES]
                segments = self._decode(self._ring.data, frames)
                times = segments["ts"]
                for kept, packets, since in wanted:
                    if kept.alert.state != State.CLOSED or kept.cut_until < round(kept.alert.last_seen * NS):
                        packets.take(self._ring.data, frames, segments[times >= since])

    def _write(self, kept: Kept, packets: Packets, now: int) -> None:
        found = packets.packets
        kept.cut_until = max(kept.cut_until, now)
        kept.packets += len(found)
        kept.packets_deciding += packets.deciding
        kept.packets_left_out += packets.left_out
        counts = self.counters.values
        counts[EvidenceCount.CUT] += 1
        counts[EvidenceCount.PACKETS] += len(found)
        try:
            self._folder.add(kept, found)
        except OSError as error:
            counts[EvidenceCount.FAILED] += 1
            self._failing = error.strerror or str(error)


def evidence_of(settings: Settings, present: EvidenceStage | None = None) -> EvidenceStage | None:
    """What keeps packets by these settings: `present` where it can, which loses no recent packet; None when off."""

    def kept(of: EvidenceSettings) -> tuple[object, ...]:
        return of.folder, of.ring_bytes, of.ring_on_disk

    if not settings.evidence.enabled:
        return None
    if present and kept(present.settings) == kept(settings.evidence):
        return present
    return EvidenceStage(settings.evidence, settings.decode, settings.state.folder)


def take_turns(
    before: EvidenceStage | None, after: EvidenceStage | None, settings: EvidenceSettings, now: int
) -> list[Detection]:
    """Cut at packet time `now` what still waits where packets are kept elsewhere from now on, or nowhere."""
    if after:
        after.take_over(settings)
    return before.tend(now, last=True) if before and before is not after else []
