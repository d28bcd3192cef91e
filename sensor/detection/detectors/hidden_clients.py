"""Clients behind one address: in: transactions; out: a note on servers whose accounts nearly all come from one address.

That is what a reverse proxy looks like whose header nobody told the sensor to trust: then what is said of a client is
said of the proxy. Judged once a minute, told once a day. The one law: a gateway has one kind of software, and an office
is not all that a server has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import HiddenClientsSettings
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.evidence import address
from sensor.detection.findings import REMIND_SECONDS, server_name
from sensor.detection.ticking import Ticks
from sensor.structures.entity_tables import IdentityKind

RULE = Rule(
    id="clients-behind-one-address",
    version=1,
    title="Nearly all accounts of a server come from one address: a proxy that is not trusted hides its clients",
    category="exposure",
    kind=Kind.POSTURE,
    severity=Severity.LOW,
    owasp=("API8:2023",),
    attack=("T1090",),
)
_AGENTS_MIN = 4
_STEP_NS = nanoseconds(60)


class Server(msgspec.Struct):
    """Accounts by the address that they came from first, and the software of each address, a few; when the first came,
    and when it was told of.
    """

    ip: str
    port: int
    first_now: int
    last_ts: int = 0
    told_now: int = 0
    accounts: dict[str, int] = msgspec.field(default_factory=dict)
    agents: dict[str, list[str]] = msgspec.field(default_factory=dict)


class HiddenClients:
    """See the file's head; settings: HiddenClientsSettings."""

    rules = (RULE,)
    faults = 0

    def __init__(self, settings: HiddenClientsSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.evicted = 0
        self._servers: dict[str, Server] = {}
        self._ticks = Ticks(_STEP_NS, 2)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"servers": packed(self._servers), "ticks": self._ticks.current}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        servers = unpacked(saved, "servers", dict[str, Server])
        if servers is None or "ticks" not in saved:
            return False
        self._servers = servers
        self._ticks.current[:] = saved["ticks"]
        return True

    def process(self, batch: Batch) -> list[Detection]:
        new = self._new(batch)
        detections: list[Detection] = []
        for part in self._ticks.parts(batch.transactions["now"], batch.now):
            if part.tick:
                detections += [self._detection(name, part.tick) for name in self._hiding(part.tick)]
            else:
                for place in new[(new >= part.start) & (new < part.stop)].tolist():
                    self._note(batch.transactions[place])
        return detections

    def _new(self, batch: Batch) -> npt.NDArray[np.intp]:
        """Rows with which accounts come that were not there before."""
        changed = batch.changed.rows.get("identity")
        if changed is None or not len(changed):
            return np.zeros(0, np.intp)
        identities = batch.entities["identity"]
        new = np.flatnonzero(np.isin(identities, changed))
        new = new[batch.entities["identity_kind"][new] != IdentityKind.CLIENT]
        return np.sort(new[np.unique(identities[new], return_index=True)[1]])

    def _note(self, row: Any) -> None:
        """One more account."""
        name, client = server_name(row), address(row, "client")
        server = self._servers.pop(name, None)
        if server is None:
            server = Server(address(row, "server"), int(row["server_port"]), int(row["now"]))
            if len(self._servers) >= self.settings.servers_max:
                del self._servers[next(iter(self._servers))]
                self.evicted += 1
        self._servers[name] = server
        server.last_ts = int(row["ts"])
        if client not in server.accounts and len(server.accounts) >= self.settings.clients_max:
            return
        server.accounts[client] = server.accounts.get(client, 0) + 1
        agents, agent = server.agents.setdefault(client, []), self.strings.text(int(row["user_agent"]))
        if len(agents) < _AGENTS_MIN and agent not in agents:
            agents.append(agent)

    def _hiding(self, tick: int) -> list[str]:
        """Servers that are to be told of."""
        names = []
        for name, server in self._servers.items():
            client, mine = max(server.accounts.items(), key=lambda each: each[1])
            known = tick - server.first_now >= nanoseconds(self.settings.known_seconds)
            due = not server.told_now or tick - server.told_now >= nanoseconds(REMIND_SECONDS)
            many = mine >= max(self.settings.accounts_min, self.settings.share_min * sum(server.accounts.values()))
            if known and due and many and len(server.agents[client]) >= _AGENTS_MIN:
                names.append(name)
        return names

    def _detection(self, name: str, tick: int) -> Detection:
        server = self._servers[name]
        server.told_now = tick
        client, mine = max(server.accounts.items(), key=lambda each: each[1])
        share = mine / sum(server.accounts.values())
        return Detection(
            now=tick,
            rule=RULE,
            entity=Entity("server", name),
            numbers=Numbers(
                observed=float(mine), threshold=float(self.settings.accounts_min), unit="accounts from one address",
                window_seconds=round((tick - server.first_now) / 1e9),
            ),
            count=1,
            run=str(server.first_now),
            first_ts=min(server.first_now, server.last_ts),
            last_ts=server.last_ts,
            confidence=0.7,
            server_ip=server.ip,
            server_port=server.port,
            details={"address": client, "share": round(share, 2), "setting": "protocols.trusted_proxies"},
        )  # fmt: skip
