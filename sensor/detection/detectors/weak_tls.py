"""Weak TLS: in: TLS connections that ended; out: findings about servers that agree to old versions or weak ciphers, or
show certificates that have expired or that they signed themselves.

What counts is what the server chose, not what the client offered. The one law: a finding is of a server, once for each
weakness until it has doubled or a day has passed; no client is blamed.
"""

from __future__ import annotations

import numpy as np

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import WeakTlsSettings
from sensor.detection.detector import Batch, Strings
from sensor.detection.findings import REMIND_SECONDS, Case, Cases
from sensor.limits import NS
from sensor.tls import TlsConnection

VERSION = Rule(
    id="tls-old-version", version=1, title="Server speaks TLS 1.1 or older", category="exposure", kind=Kind.POSTURE,
    severity=Severity.LOW, owasp=("API8:2023",), attack=("T1557",),
)  # fmt: skip
CIPHER = Rule(
    id="tls-weak-cipher", version=1, title="Server chooses a weak cipher suite", category="exposure",
    kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API8:2023",), attack=("T1557",),
)  # fmt: skip
EXPIRED = Rule(
    id="tls-certificate-expired", version=1, title="Server shows a certificate outside its validity",
    category="exposure", kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API8:2023",), attack=("T1557",),
)  # fmt: skip
SELF_SIGNED = Rule(
    id="tls-self-signed", version=1, title="Server shows a certificate that it signed itself", category="exposure",
    kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API8:2023",), attack=("T1557",),
)  # fmt: skip
OLD = ("SSLv3", "TLSv10", "TLSv11", "DTLSv10")
WEAK = ("NULL", "EXPORT", "anon", "RC2", "RC4", "DES", "DES40", "3DES", "IDEA")
_ROW = np.dtype([("ts", "i8"), ("now", "i8")])


def is_weak(cipher: str) -> bool:
    """Ciphers that RFC 7465, RFC 8996 and RFC 9325 rule out: no encryption, no certificate, or one long broken."""
    return not set(WEAK).isdisjoint(cipher.split("_"))


def weaknesses(row: TlsConnection) -> list[tuple[Rule, str]]:
    """The rules that this connection breaks, with what shows it."""
    found = []
    if row.version in OLD:
        found.append((VERSION, str(row.version)))
    if row.cipher and is_weak(row.cipher):
        found.append((CIPHER, row.cipher))
    before, after = row.not_valid_before, row.not_valid_after
    if row.established and before is not None and after is not None and not before <= row.ts <= after:
        found.append((EXPIRED, "not yet valid" if row.ts < before else "expired"))
    if row.established and row.self_signed:
        found.append((SELF_SIGNED, "self-signed"))
    return found


class WeakTls:
    """See the file's head; settings: WeakTlsSettings."""

    rules = (VERSION, CIPHER, EXPIRED, SELF_SIGNED)
    faults = 0

    def __init__(self, settings: WeakTlsSettings, strings: Strings) -> None:
        self.strings = strings
        self._cases = Cases(self.rules, settings.servers_max)
        self.state, self.restore = self._cases.state, self._cases.restore

    @property
    def evicted(self) -> int:
        return self._cases.evicted

    def process(self, batch: Batch) -> list[Detection]:
        said = []
        for row in batch.tls:
            for rule, shown in weaknesses(row):
                times = np.array([(round(row.ts * NS), row.end_now)], _ROW)
                for case in self._cases.note(rule, _server(row), times, np.zeros(1, np.int64)):
                    said.append(_detection(rule, row, case, shown))
        return said


def _server(row: TlsConnection) -> str:
    return f"[{row.resp_h}]:{row.resp_p}" if ":" in row.resp_h else f"{row.resp_h}:{row.resp_p}"


def _detection(rule: Rule, row: TlsConnection, case: Case, shown: str) -> Detection:
    shows = {
        "shown": shown, "version": row.version, "cipher": row.cipher, "server_name": row.server_name,
        "subject": row.subject, "issuer": row.issuer, "not_valid_after": row.not_valid_after,
    }  # fmt: skip
    return Detection(
        now=row.end_now,
        rule=rule,
        entity=Entity("server", _server(row)),
        numbers=Numbers(
            observed=float(case.times), threshold=1.0, unit="connections", window_seconds=float(REMIND_SECONDS)
        ),
        count=case.times,
        run=f"{_server(row)}@{case.first_ts}",
        first_ts=case.first_ts,
        last_ts=max(round(row.ts * NS), case.first_ts),
        server_ip=row.resp_h,
        server_port=row.resp_p,
        community_id=row.community_id,
        details={name: value for name, value in shows.items() if value is not None},
    )
