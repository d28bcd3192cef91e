"""Beaconing: in: requests, and flows without HTTP; out: detections of clients that call somewhere at a steady beat.

A beat may jitter, miss and change its period; what counts is that nearly all intervals of the latest calls are the
usual one or a few times that, and that sizes are alike, or small in many calls. Of calls that have no beat as a
whole the latest ones need a steadier one: among many calls at odd times some few in a row look steady. One connection
that stays open may beat as well (structures/beats.py), but not to services whose protocols have heartbeats. Only
destinations that few clients have are looked at, and only pairs that were not there when watching began: pollers and
health checks are there from the start. What also looks like this: a monitor that was set up today. The one law: one
call a second and pair at most is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import BeaconingSettings
from sensor.detection.by_row import ByRow
from sensor.detection.detector import REPORT_SECONDS, Batch, Strings, nanoseconds
from sensor.detection.detectors.beaconing_kernel import find_beats
from sensor.detection.evidence import address_text
from sensor.detection.owners import Owners
from sensor.detection.ticking import Ticks
from sensor.schema import Proto, Service
from sensor.structures.records import joined, picked

BEACON = Rule(
    id="beaconing",
    version=1,
    title="Beaconing: a client calls a rare destination at a steady beat",
    category="command-and-control",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API10:2023",),
    attack=("T1071.001",),
)
KEPT = 32
"""Latest calls of a pair."""
_SHARE, _STEADY, _SPREAD, _MISSED = 0.85, 0.6, 0.2, 4
_LATEST, _LATEST_SHARE, _LATEST_SPREAD = 8, 0.9, 0.15
"""Of the latest calls alone, when all of them have no beat: so many more, as near and within. A dozen in a row among
odd times have a beat by chance two times in a thousand, these once in 100,000.
"""
_SIZES, _SMALL_BYTES, _SMALL_CALLS = 0.3, 1_400, 18
_HEARTBEATS = np.array(
    [22, 25, 143, 993, 1883, 2181, 3306, 4222, 5222, 5223, 5228, 5432, 5671, 5672, 6379, 8883, 9092, 27017, 61613],
    np.uint64,
)
"""Ports of SSH, mail, MQTT, AMQP, XMPP, push services and data bases, which keep connections alive by messages."""
_STEP_NS = nanoseconds(10)
_POPULAR = 1 << 16
"""Popular destinations that are remembered, each in its place, where a later one takes it over."""
_CALL = np.dtype([(name, "u8") for name in ("client_hi", "client_lo", "server_hi", "server_lo", "port", "destination")]
                 + [(name, "i8") for name in ("now", "ts", "size", "beats", "period")])  # fmt: skip
_NO_CALLS = np.zeros(0, _CALL)
_SERVER = np.dtype([("generation", "u4"), ("popular", "u1")], align=True)
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))
Table = npt.NDArray[np.void]


def _mixed(high: Any, low: Any, port: Any) -> npt.NDArray[np.uint64]:
    words: npt.NDArray[np.uint64] = (high * _ODD[0] ^ low) * _ODD[1] + port * _ODD[2]
    words = (words ^ words >> np.uint64(29)) * _ODD[0]
    return words ^ words >> np.uint64(32)


def _destination(rows: Table, side: str) -> npt.NDArray[np.uint64]:
    return _mixed(rows[f"{side}_hi"], rows[f"{side}_lo"], rows[f"{side}_port"].astype(np.uint64))


def _place(destinations: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    return (destinations % np.uint64(_POPULAR)).astype(np.intp)


class Key(NamedTuple):
    client_hi: int
    client_lo: int
    server_hi: int
    server_lo: int
    port: int
    destination: int


@dataclass(slots=True)
class Pair:
    """Calls of one client to one destination: times (ns) and bytes sent, and when it was told of."""

    known: bool
    starts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    told: int = 0
    fresh: bool = False


class Beat(NamedTuple):
    period_ns: float
    jitter: float
    calls: int


def beat_of(
    starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], share: float = _SHARE, spread: float = _SPREAD
) -> Beat | None:
    """The beat of calls, None when they have none: intervals are folded to the nearest multiple of the median, `share`
    of them are near it, and half of them within `spread` of it.
    """
    gaps = np.diff(np.sort(starts)).astype(np.float64)
    period = float(np.median(gaps))
    times = np.clip(np.round(gaps / period), 1, _MISSED)
    off = np.abs(gaps - times * period) / period
    near = off <= 0.35
    usual = float(np.median(sizes))
    alike = np.abs(sizes - usual) <= np.maximum(_SIZES * usual, 64)
    if len(sizes) >= _SMALL_CALLS:
        alike |= sizes <= _SMALL_BYTES
    if near.mean() < share or (near & (times == 1)).mean() < _STEADY or alike.mean() < _SHARE:
        return None
    jitter = float(np.median(off))
    return Beat(period, jitter, len(starts)) if jitter <= spread else None


class Beaconing:
    """See the file's head; settings: BeaconingSettings."""

    rules = (BEACON,)
    faults = 0

    def __init__(self, settings: BeaconingSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.ticks = Ticks(_STEP_NS, 6)
        self.began = np.zeros(1, np.int64)
        self.pairs: dict[Key, Pair] = {}
        self.clients: dict[int, set[tuple[int, int]]] = {}
        self.popular = np.zeros(_POPULAR, np.uint64)
        self.servers = ByRow(_SERVER)  # those known as popular, whose requests need no look
        self.owners = Owners("server", self.servers)
        self.evicted = 0

    def state(self) -> dict[str, npt.NDArray[Any]]:
        times = np.zeros((len(self.pairs), 2, KEPT), np.int64)
        for row, pair in zip(times, self.pairs.values(), strict=True):
            row[0, : len(pair.starts)], row[1, : len(pair.sizes)] = pair.starts, pair.sizes
        told = [(pair.known, pair.told) for pair in self.pairs.values()]
        return {
            "keys": np.array(list(self.pairs), np.uint64).reshape(-1, len(Key._fields)), "times": times,
            "told": np.array(told, np.int64).reshape(-1, 2), "destinations": self.popular, "began": self.began,
            "ticks": self.ticks.current, "fresh": np.array([pair.fresh for pair in self.pairs.values()], np.bool_),
        }  # fmt: skip

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if any(name not in saved for name in ("keys", "times", "told", "destinations", "began")):
            return False
        if saved["times"].shape[1:] != (2, KEPT) or saved["destinations"].shape != self.popular.shape:
            return False
        self.began[:], self.popular[:] = saved["began"], saved["destinations"]
        self.ticks.current[:] = saved.get("ticks", -1)
        fresh = saved.get("fresh", np.zeros(len(saved["keys"]), np.bool_)).tolist()
        for words, times, (known, told), is_fresh in zip(
            saved["keys"].tolist(), saved["times"].tolist(), saved["told"].tolist(), fresh, strict=True
        ):
            calls = sum(1 for start in times[0] if start)
            key = Key(*words)
            self.pairs[key] = Pair(bool(known), times[0][:calls], times[1][:calls], told, is_fresh)
            self.clients.setdefault(key.destination, set()).add((key.client_hi, key.client_lo))
        return True

    def process(self, batch: Batch) -> list[Detection]:
        calls = self._calls(batch)
        if not self.began[0]:
            if not len(calls):
                return []
            self.began[0] = calls["now"][0]
        detections: list[Detection] = []
        for part in self.ticks.parts(calls["now"], batch.now):
            if part.tick:
                detections += self._judge(part.tick)
            else:
                self._add(calls[part.start : part.stop])
        return detections

    def _calls(self, batch: Batch) -> Table:
        """Calls to destinations that are not popular, in order of packet time, one a second and pair."""
        parts = [self._requests(batch)]
        if len(batch.flows):
            flows, sent = batch.flows, batch.streams["payload_bytes"][::2]
            chosen = np.flatnonzero((flows["proto"] == Proto.TCP) & (flows["service"] != Service.HTTP) & (sent > 0))
            parts.append(self._taken(picked(flows, chosen), ("orig", "resp"), "end_now", "start_ts", sent[chosen]))
        parts += [self._inside(batch.flows, batch.streams), self._inside(batch.told, batch.told_streams)]
        calls = joined(parts)
        if len(calls) < 2:
            return calls
        calls = picked(calls, np.lexsort((calls["ts"], calls["now"])))
        pairs = _mixed(calls["client_hi"], calls["client_lo"], calls["destination"]) + calls["beats"].astype(np.uint64)
        seconds = (calls["ts"] // 1_000_000_000).astype(np.uint64)
        first = np.unique(pairs + seconds * _ODD[1], return_index=True)[1]
        return picked(calls, np.sort(first))

    def _inside(self, flows: Table, streams: Table) -> Table:
        """Connections that have a beat of their own."""
        if not len(flows):
            return _NO_CALLS
        rows, beats, periods = np.zeros(len(flows), np.int64), np.zeros(len(flows)), np.zeros(len(flows))
        found = int(find_beats(flows, streams, rows, beats, periods))
        if not found:
            return _NO_CALLS
        rows, beats, periods = rows[:found], beats[:found], periods[:found]
        steady = np.flatnonzero(~np.isin(flows["resp_port"][rows], _HEARTBEATS))
        if not len(steady):
            return _NO_CALLS
        rows, beats, periods = rows[steady], beats[steady], periods[steady]
        sizes = (streams["payload_bytes"][2 * rows] / beats).astype(np.int64)
        return self._taken(picked(flows, rows), ("orig", "resp"), "end_now", "start_ts", sizes, beats, periods)

    def _requests(self, batch: Batch) -> Table:
        """Those to servers that are not known as popular yet."""
        if not len(batch.transactions):
            return _NO_CALLS
        self.owners.changed(batch)
        popular = self.servers.of(batch.tables.server)["popular"]
        rare = np.flatnonzero(popular[batch.entities["server"]] == 0)
        if not len(rare):
            return _NO_CALLS
        rows = picked(batch.transactions, rare)
        calls = self._taken(rows, ("client", "server"), "now", "ts", rows["request_body_len"])
        if len(calls) < len(rows):
            known = self._is_popular(_destination(rows, "server"))
            popular[batch.entities["server"][rare[known]]] = 1
        return calls

    def _taken(
        self, rows: Table, sides: tuple[str, str], now: str, start: str, sizes: npt.NDArray[np.int64],
        beats: npt.NDArray[np.float64] | None = None, periods: npt.NDArray[np.float64] | None = None,
    ) -> Table:  # fmt: skip
        source, target = sides
        destinations = _destination(rows, target)
        rare = np.flatnonzero(~self._is_popular(destinations))
        calls, rows = np.zeros(len(rare), _CALL), picked(rows, rare)
        for word in ("hi", "lo"):
            calls[f"client_{word}"], calls[f"server_{word}"] = rows[f"{source}_{word}"], rows[f"{target}_{word}"]
        calls["port"], calls["destination"] = rows[f"{target}_port"], destinations[rare]
        calls["now"], calls["ts"], calls["size"] = rows[now], rows[start], sizes[rare]
        if beats is not None and periods is not None:
            calls["beats"], calls["period"] = beats[rare], periods[rare]
        return calls

    def _add(self, calls: Table) -> None:
        known_until = int(self.began[0]) + nanoseconds(self.settings.known_seconds)
        for *words, now, ts, size, beats, period in calls.tolist():
            key = Key(*words)
            if self.popular[key.destination % _POPULAR] == key.destination:
                continue
            clients = self.clients.setdefault(key.destination, set())
            clients.add((key.client_hi, key.client_lo))
            if len(clients) > self.settings.clients_max:
                self._forget(key.destination)
                continue
            pair = self.pairs.pop(key, None)
            if pair is None:
                pair = Pair(known=False)
                if len(self.pairs) >= self.settings.pairs_max:
                    gone = next(iter(self.pairs))
                    del self.pairs[gone]
                    self.clients.pop(gone.destination, None)
                    self.evicted += 1
            pair.known |= min(now, ts) <= known_until  # of connections whose end was not seen the latest may come first
            self.pairs[key] = pair
            if beats:
                pair.starts = [ts + number * period for number in range(max(beats - KEPT, 0), beats)]
                pair.sizes, pair.fresh = [size] * len(pair.starts), True
            elif not any(start // 1_000_000_000 == ts // 1_000_000_000 for start in pair.starts):
                pair.starts.append(ts)
                pair.sizes.append(size)
                pair.fresh = True
                del pair.starts[:-KEPT], pair.sizes[:-KEPT]

    def _is_popular(self, destinations: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        same: npt.NDArray[np.bool_] = self.popular[_place(destinations)] == destinations
        return same

    def _forget(self, destination: int) -> None:
        """So many have it that it is no rare destination."""
        self.popular[destination % _POPULAR] = destination
        del self.clients[destination]
        for key in [key for key in self.pairs if key.destination == destination]:
            del self.pairs[key]

    def _judge(self, tick: int) -> list[Detection]:
        detections = []
        for key, pair in self.pairs.items():
            due = pair.fresh and not pair.known and tick - pair.told >= nanoseconds(REPORT_SECONDS)
            pair.fresh = pair.fresh and not due
            if not due or len(pair.starts) < self.settings.calls_min:
                continue
            calls, few = len(pair.starts), self.settings.calls_min + _LATEST
            bounds = [(calls, _SHARE, _SPREAD), *([(few, _LATEST_SHARE, _LATEST_SPREAD)] if calls > few else [])]
            for latest, share, spread in bounds:
                beat = beat_of(np.array(pair.starts[-latest:]), np.array(pair.sizes[-latest:]), share, spread)
                if beat and max(pair.starts) - min(pair.starts[-latest:]) >= nanoseconds(self.settings.span_seconds):
                    pair.told = tick
                    detections.append(self._detection(key, pair, beat, tick))
                    break
        return detections

    def _detection(self, key: Key, pair: Pair, beat: Beat, tick: int) -> Detection:
        client, server = address_text(key.client_hi, key.client_lo), address_text(key.server_hi, key.server_lo)
        first, last = min(pair.starts[-beat.calls :]), max(pair.starts)
        return Detection(
            now=tick,
            rule=BEACON,
            entity=Entity("client", client),
            numbers=Numbers(
                observed=float(beat.calls), threshold=float(self.settings.calls_min), unit="calls at a steady beat",
                window_seconds=round((last - first) / 1e9, 1),
            ),
            count=beat.calls,
            run=f"{server}:{key.port}",
            first_ts=first,
            last_ts=last,
            confidence=round(0.9 - beat.jitter, 2),
            client_ip=client,
            server_ip=server,
            server_port=key.port,
            details={
                "destination": f"{server}:{key.port}", "period_seconds": round(beat.period_ns / 1e9, 1),
                "jitter": round(beat.jitter, 2), "bytes_sent": int(np.median(pair.sizes)),
                "clients_of_destination": len(self.clients.get(key.destination, ())),
            },
        )  # fmt: skip
