"""Ping sweeps: in: ICMP flows that ended; out: detections of clients that look for which hosts there are.

Who sweeps asks host after host, most of which are not there, each once or twice. A monitor asks the same hosts day by
day, and most of them answer. Counted are the hosts that a client asked for the first time in a day, over minutes and
over the day. The one law: a host that answered, or was asked before, is never one that was asked in vain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import PingSweepSettings
from sensor.detection.allowance import Allowance, Saved
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds, worth_saying
from sensor.detection.evidence import address, community_id
from sensor.schema import Proto

RULE = Rule(
    id="ping-sweep",
    version=1,
    title="Ping sweep: one client looks for which hosts there are",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    attack=("T1018", "T1595.001"),
)
DAY_SECONDS = 86_400.0
_REQUESTS = np.array([8, 13, 15, 17, 128], np.uint16)
"""Types that ask whether somebody is there: echo, timestamp, information and mask (RFC 792, 950), ICMPv6's echo (4443).
"""
_HOSTS_MAX = 512
"""Hosts of a client that are remembered, the latest."""
_HEARD_MIN = 0.5
"""Of the hosts that a client asked first lately at least so many gave no answer."""


class Asked(msgspec.Struct):
    """Of one client: hosts, when it asked first, and whether they answered; when it was told of."""

    hosts: dict[str, tuple[int, bool]] = msgspec.field(default_factory=dict)
    told_now: int = 0
    told_count: int = 0
    first_ts: int = 0


class _Words(msgspec.Struct):
    clients: dict[str, Asked]
    looks: Saved


class PingSweep:
    """See the file's head; settings: PingSweepSettings."""

    rules = (RULE,)
    faults = 0

    def __init__(self, settings: PingSweepSettings, strings: Strings) -> None:
        self.settings = settings
        self._windows = ((settings.window_seconds, settings.hosts_min), (DAY_SECONDS, settings.day_hosts_min))
        self._clients: dict[str, Asked] = {}
        self._gone = 0
        self._allowance = Allowance()

    @property
    def evicted(self) -> int:
        return self._gone + self._allowance.refused

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"words": packed(_Words(self._clients, self._allowance.state()))}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "words", _Words)
        if words is None:
            return False
        self._clients = words.clients
        self._allowance.restore(words.looks)
        return True

    def process(self, batch: Batch) -> list[Detection]:
        flows, detections = batch.flows, []
        pings = np.flatnonzero((flows["proto"] == Proto.ICMP) | (flows["proto"] == Proto.ICMP6))
        for place in pings[np.isin(flows["orig_port"][pings], _REQUESTS)].tolist() if len(pings) else ():
            if self._allowance.affords(place, int(flows["end_now"][place])):
                answered = bool(batch.streams["packets"][2 * place + 1])
                detections += self._note(flows[place], answered)
        self._allowance.passed(len(flows))
        return detections

    def _note(self, flow: Any, answered: bool) -> list[Detection]:
        """One host more, or again."""
        client, host, now = address(flow, "orig"), address(flow, "resp"), int(flow["end_now"])
        asked = self._clients.pop(client, None) or Asked()
        self._clients[client] = asked
        if len(self._clients) > self.settings.clients_max:
            del self._clients[next(iter(self._clients))]
            self._gone += 1
        known = asked.hosts.pop(host, None)
        is_new = known is None or now - known[0] > nanoseconds(DAY_SECONDS)
        asked.hosts[host] = (now, answered) if known is None or is_new else (known[0], answered or known[1])
        if len(asked.hosts) > _HOSTS_MAX:
            del asked.hosts[next(iter(asked.hosts))]
        return self._judge(asked, flow, now) if is_new and not answered else []

    def _judge(self, asked: Asked, flow: Any, now: int) -> list[Detection]:
        for seconds, least in self._windows:
            lately = [heard for since, heard in asked.hosts.values() if now - since <= nanoseconds(seconds)]
            vain = len(lately) - sum(lately)
            if vain < least or vain < _HEARD_MIN * len(lately):
                continue
            if not worth_saying(now, vain, asked.told_now, asked.told_count):
                return []
            if now - asked.told_now > nanoseconds(seconds):
                asked.first_ts = int(flow["start_ts"])
            asked.told_now, asked.told_count = now, vain
            return [self._detection(asked, flow, (vain, len(lately)), seconds, least)]
        return []

    def _detection(self, asked: Asked, flow: Any, hosts: tuple[int, int], seconds: float, least: int) -> Detection:
        client = address(flow, "orig")
        return Detection(
            now=int(flow["end_now"]),
            rule=RULE,
            entity=Entity("client", client),
            numbers=Numbers(
                observed=float(hosts[0]), threshold=float(least), unit="hosts asked in vain", window_seconds=seconds
            ),
            count=hosts[0],
            run=f"{client}@{asked.first_ts}",
            first_ts=min(asked.first_ts, int(flow["start_ts"])),
            last_ts=int(flow["last_ts"]),
            confidence=0.7,
            client_ip=client,
            server_ip=address(flow, "resp"),
            community_id=community_id(flow, "orig", "resp"),
            details={"hosts_asked": hosts[1], "latest_hosts": list(asked.hosts)[-8:]},
        )
