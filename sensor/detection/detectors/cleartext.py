"""Credentials and traffic in clear: in: transactions; out: findings about who sends what where anybody can read it.

All HTTP that Tapir reads was in clear on the wire it reads. Where that is meant to be, behind a proxy that ends TLS,
the servers are named in `trusted_servers`; credentials in a target are reported all the same, because targets are
logged. The one law: a finding names the client or the server, never the credential.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Rule, Severity
from sensor.config import CleartextSettings
from sensor.detection.detector import Batch, Strings, Table
from sensor.detection.evidence import address
from sensor.detection.findings import Findings, found, server_name
from sensor.errors import SettingError
from sensor.schema import TransactionFlag

BASIC = Rule(
    id="cleartext-basic-auth", version=1, title="Name and password (HTTP Basic) sent in clear", category="exposure",
    kind=Kind.POSTURE, severity=Severity.MEDIUM, owasp=("API2:2023", "API8:2023"), attack=("T1040",),
)  # fmt: skip
TARGET = Rule(
    id="credentials-in-url", version=1, title="Credentials in the request target", category="exposure",
    kind=Kind.POSTURE, severity=Severity.MEDIUM, owasp=("API2:2023", "API8:2023"), attack=("T1552",),
)  # fmt: skip
TOKENS = Rule(
    id="cleartext-credentials", version=1, title="Server takes tokens, cookies or passwords in clear",
    category="exposure", kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API8:2023",), attack=("T1040",),
)  # fmt: skip
TRAFFIC = Rule(
    id="cleartext-api", version=1, title="API in clear outside the allowed networks", category="exposure",
    kind=Kind.POSTURE, severity=Severity.MEDIUM, owasp=("API8:2023",), attack=("T1040",),
)  # fmt: skip
URL_SECRET = np.uint16(TransactionFlag.URL_SECRET)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(texts: tuple[str, ...], setting: str) -> list[Network]:
    """The networks of a setting, or SettingError."""
    found_networks = []
    for text in texts:
        try:
            found_networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            raise SettingError(f"{setting}: {text!r} is no network (expected one like 10.0.0.0/8): {error}") from None
    return found_networks


class Cleartext:
    """See the file's head; settings: CleartextSettings."""

    rules = (BASIC, TARGET, TOKENS, TRAFFIC)
    faults = 0

    def __init__(self, settings: CleartextSettings, strings: Strings) -> None:
        self.strings = strings
        self._allowed = networks(settings.allowed_networks, "detection.cleartext.allowed_networks")
        self._trusted = networks(settings.trusted_servers, "detection.cleartext.trusted_servers")
        self._findings = {rule.id: Findings(settings.entities_max) for rule in self.rules}
        self._known: dict[str, npt.NDArray[np.uint32]] = {}  # generation of each entity that was seen, by its row

    @property
    def evicted(self) -> int:
        return sum(findings.evicted for findings in self._findings.values())

    def process(self, batch: Batch) -> list[Detection]:
        rows = batch.transactions
        if not len(rows):
            return []
        user, account = rows["user"], rows["account"]
        credential = (user != 0) | (account != 0)
        basic = np.flatnonzero(credential & (user == account))  # only Basic names its account in every request
        secret = np.flatnonzero(rows["flags"] & URL_SECRET)
        fresh = self._untrusted(rows, self._fresh(batch, credential))
        said = self._by(BASIC, "client", batch, self._untrusted(rows, basic))
        said += self._by(TARGET, "client", batch, secret)
        said += self._by(TOKENS, "server", batch, fresh[credential[fresh]])
        said += self._by(TRAFFIC, "server", batch, self._outside(rows, fresh))
        return said

    def _fresh(self, batch: Batch, credential: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Rows that are the first of their client or of their server, with a credential or without."""
        news: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        for kind, table in (("client", batch.tables.client), ("server", batch.tables.server)):
            known = self._known.setdefault(kind, np.zeros(2 * table.rows, np.uint32))
            owners = batch.entities[kind]
            places = 2 * owners + credential
            unknown = np.flatnonzero(known[places] != table.generations[owners])
            if unknown.size:
                first = unknown[np.unique(places[unknown], return_index=True)[1]]
                known[places[first]] = table.generations[owners[first]]
                news = np.union1d(news, first)
        return news

    def _untrusted(self, rows: Table, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Of these rows, those whose server is not meant to be asked in clear."""
        if not self._trusted or not numbers.size:
            return numbers
        outside = [not self._lies_in(address(rows[row], "server"), self._trusted) for row in numbers.tolist()]
        kept: npt.NDArray[np.int64] = numbers[np.array(outside)]
        return kept

    @staticmethod
    def _lies_in(text: str, among: list[Network]) -> bool:
        ip = ipaddress.ip_address(text)
        return any(ip in network for network in among if network.version == ip.version)

    def _outside(self, rows: Table, fresh: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Rows of which one side is outside the allowed networks."""
        out = [
            row for row in fresh.tolist()
            if not all(self._lies_in(address(rows[row], side), self._allowed) for side in ("client", "server"))
        ]  # fmt: skip
        return np.array(out, np.int64)

    def _by(self, rule: Rule, kind: str, batch: Batch, numbers: npt.NDArray[np.int64]) -> list[Detection]:
        """Detections of one rule, one entity after the other, in the order of their rows."""
        rows, said = batch.transactions, []
        owners = batch.entities[kind][numbers]
        for owner in np.unique(owners).tolist():
            own = numbers[owners == owner]
            first = rows[own[0]]
            name = address(first, "client") if kind == "client" else server_name(first)
            for case in self._findings[rule.id].note(name, rows, own):
                unit = "requests" if kind == "client" else "clients"
                details = {
                    "server": server_name(rows[case.row]),
                    "accepted": bool(200 <= int(rows["status_code"][case.row]) < 400),
                }
                said.append(found(rule, Entity(kind, name), case, rows, self.strings, unit, details))
        said.sort(key=lambda detection: detection.now)
        return said

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {
            f"{rule}/{name}": array
            for rule, findings in self._findings.items()
            for name, array in findings.state().items()
        }

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        done = True
        for rule, findings in self._findings.items():
            done &= findings.restore({name.rpartition("/")[2]: array for name, array in saved.items()
                                      if name.startswith(f"{rule}/")})  # fmt: skip
        return done
