"""Weak TLS: what servers chose and showed, folded by server; benign twins are servers that do it well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sensor.config import WeakTlsSettings
from sensor.detection.detectors.weak_tls import WeakTls, is_weak
from sensor.tls import TlsConnection
from tests.capture.build import SHARED
from tests.detection.tables import Pool, tls_batch
from tests.protocols.tls.reading import read_tls

NS = 1_000_000_000
START = 1_700_000_000


def connection(seconds: float = 0, **given: Any) -> TlsConnection:
    """A good one to 10.0.1.1:443."""
    facts = {
        "ts": START + seconds, "uid": "C1", "community_id": "1:x", "orig_h": "10.0.0.7", "orig_p": 40_000,
        "resp_h": "10.0.1.1", "resp_p": 443, "duration": 1.0, "version": "TLSv12", "established": True,
        "cipher": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "subject": "CN=a", "issuer": "CN=b",
        "not_valid_before": START - 1e6, "not_valid_after": START + 1e6, "end_now": round((START + seconds + 1) * NS),
    }  # fmt: skip
    return TlsConnection(**{**facts, **given})


def raised(rows: list[TlsConnection], detector: WeakTls | None = None) -> list[tuple[str, str, int]]:
    """(rule, server, count) of what is said, a batch for each row."""
    detector = detector or WeakTls(WeakTlsSettings(), Pool())
    return [(one.rule.id, one.entity.value, one.count) for row in rows for one in detector.process(tls_batch([row]))]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"version": "TLSv10"}, "tls-old-version"),
        ({"version": "SSLv3"}, "tls-old-version"),
        ({"cipher": "TLS_RSA_WITH_RC4_128_SHA"}, "tls-weak-cipher"),
        ({"not_valid_after": START - 1.0}, "tls-certificate-expired"),
        ({"not_valid_before": START + 3_600.0}, "tls-certificate-expired"),
        ({"self_signed": True}, "tls-self-signed"),
    ],
)
def test_a_weakness_is_told_of_the_server(given: dict[str, Any], rule: str) -> None:
    assert raised([connection(**given)]) == [(rule, "10.0.1.1:443", 1)]


def test_a_good_server_is_left_alone() -> None:
    newer = connection(version="TLSv13", cipher="TLS_AES_128_GCM_SHA256", established=False)
    assert raised([connection(), newer]) == []


def test_a_certificate_that_the_client_refused_is_no_finding() -> None:
    assert raised([connection(self_signed=True, established=False)]) == []


def test_many_connections_are_few_findings_and_a_restart_forgets_none() -> None:
    detector = WeakTls(WeakTlsSettings(), Pool())
    rows = [connection(60 * i, version="TLSv10") for i in range(64)]
    said = raised(rows[:32], detector)
    again = WeakTls(WeakTlsSettings(), Pool())
    assert again.restore(detector.state())
    said += raised(rows[32:], again)
    assert [count for _, _, count in said] == [1, 2, 4, 8, 16, 32, 64]


def test_weak_ciphers_by_name() -> None:
    assert is_weak("TLS_RSA_WITH_3DES_EDE_CBC_SHA")
    assert is_weak("TLS_DH_anon_WITH_AES_128_CBC_SHA")
    assert is_weak("TLS_RSA_EXPORT_WITH_RC4_40_MD5")
    assert not is_weak("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")


def test_old_versions_in_a_public_capture() -> None:
    path: Path = SHARED / "oracle" / "dev" / "nDPI__default__webex.pcap"
    if not path.exists():
        pytest.skip("../shared/oracle is not there")
    rows, _ = read_tls(path)
    old = {f"{row.resp_h}:{row.resp_p}" for row in rows if row.version == "TLSv10"}
    assert {server for rule, server, _ in raised(rows) if rule == "tls-old-version"} == old != set()
