"""Times in which a live sensor saw nothing: in: frames so far, packet time, when the run before ended; out: alerts.

    sensor-was-away     from the end of the run before to the first packet of this one nobody watched
    capture-silent      no packet has come for a while, on one of the interfaces or on all, or an interface is gone

The one law: an alert about an absence names when it began and how long it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from sensor.alert import Detection, Numbers, Severity, seconds
from sensor.alerting.own_health import SILENT, WAS_AWAY, own_health
from sensor.limits import NS

_TELL_AGAIN_NS = 60 * NS
_LONG_NS = 60 * NS
"""An absence of more than a minute is of medium severity."""


class Away(NamedTuple):
    """How the run before ended: packet times (ns) until which it watched and until which it kept what it learned, 0
    when nothing of it is left, and whether it was stopped in order.
    """

    watched_until: int
    learned_until: int
    in_order: bool


class Absence:
    """`silent_seconds`: packet time without a packet that is told; 0 tells none."""

    def __init__(self, silent_seconds: float, away: Away | None) -> None:
        self.silent_seconds, self._away = silent_seconds, away
        self._frames = self._since = self._told = 0
        self._missing = 0
        self._heard: dict[str, tuple[int, int]] = {}  # of each interface its packets, and when these became more

    def observe(
        self, frames: int, missing: int, now: int, packets: Mapping[str, int] = MappingProxyType({})
    ) -> list[Detection]:
        """`frames` came so far and `missing` interfaces are gone at packet time `now` (ns); `packets` came on each."""
        if not now:
            return []
        found = self._hole(now) if frames and self._away else []
        if frames != self._frames or not self._since:
            self._frames, self._since = frames, now
        for name, count in packets.items():
            if count != self._heard.get(name, (-1, 0))[0]:
                self._heard[name] = count, now
        silent = self._is_long(self._since, now)
        quiet = {name: since for name, (_, since) in sorted(self._heard.items()) if self._is_long(since, now)}
        lost = missing > self._missing
        self._missing = missing
        if lost or ((silent or missing or quiet) and now - self._told >= _TELL_AGAIN_NS):
            self._told = now
            found.append(self._silence(missing, quiet, now))
        return found

    def _is_long(self, since: int, now: int) -> bool:
        return bool(self.silent_seconds) and now - since >= self.silent_seconds * NS

    def _silence(self, missing: int, quiet: Mapping[str, int], now: int) -> Detection:
        since = min([self._since, *quiet.values()])
        numbers = Numbers(
            observed=round((now - since) / NS, 1), threshold=self.silent_seconds,
            unit="seconds without a packet", window_seconds=self.silent_seconds,
        )  # fmt: skip
        where = f" on {', '.join(quiet)}" if quiet else ""
        why = "interfaces are gone" if missing else f"no packet comes{where}: is the mirror on?"
        details = {"why": why, "interfaces gone": missing, "last_packet": seconds(since)}
        return own_health(SILENT, now, "interfaces", numbers, details, since=since)

    def _hole(self, now: int) -> list[Detection]:
        away, self._away = self._away, None
        assert away is not None
        gap = now - away.watched_until
        if gap <= 0:
            return []
        numbers = Numbers(observed=round(gap / NS, 3), threshold=0, unit="seconds not watched", window_seconds=0)
        forgotten = 0 if away.in_order else max(0, away.watched_until - away.learned_until)
        details = {
            "not_watched_from": seconds(away.watched_until), "not_watched_until": seconds(now),
            "the run before was": "stopped in order" if away.in_order else "broken off",
            "seconds of learning lost": round(forgotten / NS, 1) if away.learned_until else "all",
        }  # fmt: skip
        severity = Severity.LOW if gap <= _LONG_NS and away.in_order else Severity.MEDIUM
        return [own_health(WAS_AWAY, now, "run", numbers, details, since=away.watched_until, severity=severity)]
