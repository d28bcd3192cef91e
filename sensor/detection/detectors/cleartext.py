"""Credentials and traffic in clear: in: transactions; out: findings about who sends what where anybody can read it.

All HTTP that Tapir reads was in clear on the wire it reads. Where that is meant to be, behind a proxy that ends TLS,
the servers are named in `trusted_servers`; credentials in a target are reported all the same, because targets are
logged. The one law: a finding names the client or the server, never the credential.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Rule, Severity
from sensor.config import CleartextSettings
from sensor.detection.detector import Batch, Strings, Table
from sensor.detection.detectors.cleartext_kernel import Sort, sort_out
from sensor.detection.evidence import address
from sensor.detection.findings import Cases, found, server_name
from sensor.detection.networks import Networks

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
Numbers = npt.NDArray[np.int64]
class Cleartext:
    """See the file's head; settings: CleartextSettings."""

    rules = (BASIC, TARGET, TOKENS, TRAFFIC)
    faults = 0

    def __init__(self, settings: CleartextSettings, strings: Strings) -> None:
        self.strings = strings
        self._allowed = Networks(settings.allowed_networks, "detection.cleartext.allowed_networks")
        self._trusted = Networks(settings.trusted_servers, "detection.cleartext.trusted_servers")
        self._cases = Cases(self.rules, settings.entities_max)
        self._clients = self._servers = np.zeros(0, np.uint32)  # generations that were seen, without and with
        self._room = np.zeros(0, np.int32)
        self._counts = np.zeros(len(Sort), np.int64)
        self.state, self.restore = self._cases.state, self._cases.restore

    @property
    def evicted(self) -> int:
        return self._cases.evicted

    def process(self, batch: Batch) -> list[Detection]:
        rows = batch.transactions
        if not len(rows):
            return []
        basic, secret, fresh = self._sorted(batch)
        fresh, said = self._untrusted(rows, fresh), list[Detection]()
        if len(basic):
            said += self._by(BASIC, "client", batch, self._untrusted(rows, basic))
        if len(secret):
            said += self._by(TARGET, "client", batch, secret)
        if len(fresh):
            credential = (rows["user"][fresh] != 0) | (rows["account"][fresh] != 0)
            said += self._by(TOKENS, "server", batch, fresh[credential])
            said += self._by(TRAFFIC, "server", batch, self._outside(rows, fresh))
        return said

    def _sorted(self, batch: Batch) -> tuple[Numbers, Numbers, Numbers]:
        """Rows with name and password, with a credential in the target, and those new of their client or server."""
        clients, servers, rows = batch.tables.client, batch.tables.server, len(batch.transactions)
        if not len(self._clients):
            self._clients, self._servers = np.zeros(2 * clients.rows, np.uint32), np.zeros(2 * servers.rows, np.uint32)
        if len(self._room) < 3 * rows:
            self._room = np.zeros(6 * rows, np.int32)
        sort_out(
            batch.transactions, batch.entities, self._clients, clients.generations, self._servers,
            servers.generations, self._room, self._counts,
        )  # fmt: skip
        basic, secret, fresh = (
            self._room[sort * rows : sort * rows + int(self._counts[sort])].astype(np.int64)
            for sort in (Sort.BASIC, Sort.SECRET, Sort.FRESH)
        )
        return basic, secret, fresh

    def _untrusted(self, rows: Table, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Of these rows, those whose server is not meant to be asked in clear."""
        return numbers[~self._trusted.hold(rows, "server", numbers)] if len(self._trusted) else numbers

    def _outside(self, rows: Table, fresh: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Rows of which one side is outside the allowed networks."""
        return fresh[~(self._allowed.hold(rows, "client", fresh) & self._allowed.hold(rows, "server", fresh))]

    def _by(self, rule: Rule, kind: str, batch: Batch, numbers: npt.NDArray[np.int64]) -> list[Detection]:
        """Detections of one rule, one entity after the other, in the order of their rows."""
        rows, said = batch.transactions, []
        owners = batch.entities[kind][numbers]
        for owner in np.unique(owners).tolist():
            own = numbers[owners == owner]
            first = rows[own[0]]
            name = address(first, "client") if kind == "client" else server_name(first)
            for case in self._cases.note(rule, name, rows, own):
                unit = "requests" if kind == "client" else "clients"
                details = {
                    "server": server_name(rows[case.row]),
                    "accepted": bool(200 <= int(rows["status_code"][case.row]) < 400),
                }
                said.append(found(rule, Entity(kind, name), case, rows, self.strings, unit, details))
        said.sort(key=lambda detection: detection.now)
        return said
