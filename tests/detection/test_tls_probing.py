"""TLS probing: ever other hellos that no data follows; an office, a monitor and a client that is refused are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sensor
from sensor.alert import Detection
from sensor.config import TlsProbingSettings
from sensor.detection.detectors.tls_probing import TlsProbing
from tests.detection.tables import Pool, tls_batch
from tests.detection.test_weak_tls import connection

SCANNER = "10.0.0.66"


def probe(number: int, seconds: float = 0, **given: Any) -> Any:
    facts = {"orig_h": SCANNER, "ja4": f"t12i{number:02}0000_0123456789ab_000000000000", "established": number % 2 == 0}
    return connection(seconds or number, **{**facts, **given})


def found(rows: list[Any], detector: TlsProbing | None = None, batch: int = 1) -> list[Detection]:
    detector = detector or TlsProbing(TlsProbingSettings(), Pool())
    batches = [tls_batch(rows[start : start + batch]) for start in range(0, len(rows), batch)]
    return [hit for each in batches for hit in detector.process(each)]


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_a_scan_of_ciphers(batch: int) -> None:
    hits = found([probe(number) for number in range(40)], batch=batch)
    assert {(hit.rule.id, hit.client_ip) for hit in hits} == {("tls-probing", SCANNER)}
    assert (hits[0].numbers.observed, hits[-1].numbers.observed) == (10, 38)
    assert (hits[-1].count, hits[-1].details) == (38, {"connections": 38, "refused": 19})
    assert len({hit.run for hit in hits}) == 1  # a repeat replaces the count


@pytest.mark.parametrize(
    "given",
    [
        {"orig_record_bytes": 700},             # an office: as many programs as people, and all have something to say
        {"ja4": "t13d1516h2_8daaf6152771_02"},  # a monitor, or one whose certificate the server does not take
        {"ja4": None, "ja3": None},             # a hello that was not seen
    ],
)  # fmt: skip
def test_what_is_no_scan(given: dict[str, Any]) -> None:
    assert found([probe(number, **given) for number in range(60)]) == []


def test_many_clients_or_many_servers_are_not_added_up() -> None:
    assert found([probe(number, orig_h=f"10.0.0.{number}") for number in range(60)]) == []
    assert found([probe(number, resp_h=f"10.0.1.{number}") for number in range(60)]) == []


def test_who_is_slower_than_the_window_is_none() -> None:
    assert found([probe(number, 70.0 * number + 1) for number in range(60)]) == []
    assert found([probe(number, 60.0 * number + 1) for number in range(60)]) != []


def test_a_restart_costs_nothing_and_what_is_remembered_is_bounded() -> None:
    first = TlsProbing(TlsProbingSettings(), Pool())
    assert found([probe(number) for number in range(9)], first) == []
    second = TlsProbing(TlsProbingSettings(), Pool())
    assert second.restore(first.state())
    assert len(found([probe(9)], second)) == 1
    assert not second.restore({})
    small = TlsProbing(TlsProbingSettings(pairs_max=4), Pool())
    found([probe(1, orig_h=f"10.0.0.{number}") for number in range(40)], small)
    assert small.evicted == 36


@pytest.mark.parametrize(("name", "clients"), [("tls-sslscan", {"10.77.9.6"}), ("tls-nginx", set())])
def test_recorded_connections(name: str, clients: set[str]) -> None:
    alerts = sensor.read(str(Path(__file__).parents[2] / "pcaps" / f"{name}.pcap")).alerts.to_dicts()
    assert {alert["client_ip"] for alert in alerts if alert["rule_id"] == "tls-probing"} == clients
