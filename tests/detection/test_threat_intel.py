"""Threat intelligence in traffic: what feeds name is told once of a client, the rest is left alone; feeds that are not
well are told too.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

import sensor
from sensor.alert import Detection, Severity
from sensor.config import FeedSettings, Settings, ThreatIntelSettings
from sensor.detection.detectors.threat_intel import ThreatIntel
from sensor.detection.stage import DetectionStage
from sensor.errors import SettingError
from sensor.intel.update import update
from sensor.schema import Service
from sensor.tls import TlsConnection
from tests.detection.lookups import CLIENT, Ask, run_lookups
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    NO_TRANSACTIONS,
    REAL,
    SECOND,
    START,
    Pool,
    alone,
    features_of,
    flow,
    join,
    run_flows,
    run_transactions,
    transaction,
)

LIST = """45.9.8.0/24  # botnet
2a00:1450::/32
evil.example.org
http://drop.example.org/kit/
t13d1516h2_8daaf6152771_e5627efa2ab1
"""
AGENT = "EvilAgent/1.0"


def configured(folder: Path, text: str = LIST, **given: object) -> ThreatIntelSettings:
    (folder / "list.txt").write_text(text)
    (folder / "agents.txt").write_text(AGENT + "\n")
    feeds = (
        FeedSettings(name="list", url=f"file://{folder}/list.txt", confidence=0.9, **given),  # type: ignore[arg-type]
        FeedSettings(name="agents", url=f"file://{folder}/agents.txt", kind="user_agent", confidence=0.4),
    )
    settings = ThreatIntelSettings(folder=str(folder / "feeds"), feeds=feeds)
    update(settings, START / SECOND - 3600)
    return settings


def stage_of(settings: ThreatIntelSettings, pool: Pool) -> DetectionStage:
    return DetectionStage(alone(threat_intel=settings), pool)


def told(found: list[Detection]) -> list[tuple[str, str, str]]:
    return [(each.rule.id, each.entity.value, each.details.get("entry", "")) for each in found]


ROWS = [
    ({"client": "45.9.8.7"}, [("threat-client", "45.9.8.7", "45.9.8.0/24")]),
    ({"client": "2a00:1450::5"}, [("threat-client", "2a00:1450::5", "2a00:1450::/32")]),
    ({"server": "45.9.8.7"}, [("threat-server", "10.0.0.1", "45.9.8.0/24")]),
    ({"host": "www.evil.example.org:8080"}, [("threat-domain", "10.0.0.1", "evil.example.org")]),
    ({"host": "45.9.8.7"}, [("threat-domain", "10.0.0.1", "45.9.8.0/24")]),
    ({"host": "drop.example.org", "uri": "/kit/a.bin"}, [("threat-url", "10.0.0.1", "drop.example.org/kit/")]),
    ({"user_agent": AGENT}, [("threat-user-agent", "10.0.0.1", AGENT.lower())]),
]
BENIGN = [
    {"client": "45.9.9.7"}, {"server": "46.9.8.7"}, {"host": "notevil.example.org"}, {"user_agent": "curl/8"},
    {"host": "drop.example.org", "uri": "/kitchen"}, {"host": ""}, {"host": "[2a01::1]:80"},
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), ROWS, ids=[str(given) for given, _ in ROWS])
def test_what_a_feed_names_is_told(tmp_path: Path, given: dict, expected: list) -> None:
    pool = Pool()
    assert told(run_transactions(stage_of(configured(tmp_path), pool), transaction(pool, 1, **given))) == expected


@pytest.mark.parametrize("given", BENIGN, ids=str)
def test_what_no_feed_names_is_left_alone(tmp_path: Path, given: dict) -> None:
    pool = Pool()
    assert run_transactions(stage_of(configured(tmp_path), pool), transaction(pool, 1, **given)) == []


def test_addresses_of_one_ipv6_network_are_told_apart(tmp_path: Path) -> None:
    pool = Pool()
    stage = stage_of(configured(tmp_path, "2a00:1450::5\n"), pool)
    rows = [transaction(pool, n, client=f"2a00:1450::{n}") for n in range(1, 9)]
    assert told(run_transactions(stage, join(rows), 2)) == [("threat-client", "2a00:1450::5", "2a00:1450::5")]


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_repeats_are_told_again_when_they_have_doubled(tmp_path: Path, batch: int) -> None:
    pool = Pool()
    rows = join([transaction(pool, 10 * n, host=("evil.example.org", "fine.test")[n % 2]) for n in range(200)])
    found = run_transactions(stage_of(configured(tmp_path), pool), rows, batch)
    assert [(each.count, (each.now - START) // SECOND) for each in found] == [
        (1, 0), (3, 40), (6, 100), (12, 220), (24, 460), (48, 940), (96, 1900),
    ]  # fmt: skip
    assert (found[0].severity, found[0].confidence) == (Severity.HIGH, 0.9)


def test_severity_follows_the_feeds_confidence(tmp_path: Path) -> None:
    pool = Pool()
    (found,) = run_transactions(stage_of(configured(tmp_path), pool), transaction(pool, 1, user_agent=AGENT))
    assert (found.severity, found.confidence, found.details["feed"]) == (Severity.LOW, 0.4, "agents")


def test_entries_end_in_packet_time(tmp_path: Path) -> None:
    pool = Pool()
    stage = stage_of(configured(tmp_path, expire_seconds=7200), pool)
    rows = [transaction(pool, second, client="45.9.8.7") for second in (0, 3599, 3601)]
    assert [each.count for each in run_transactions(stage, join(rows[2:]))] == []
    assert [each.count for each in run_transactions(stage, join(rows[:1]))] == [1]


def test_flows_that_are_not_http(tmp_path: Path) -> None:
    pool = Pool()
    flows = [flow(1, host="45.9.8.7", port=6667), flow(2, client="45.9.8.8", port=22)]
    flows += [flow(3, host="45.9.8.9", service=Service.HTTP)]
    assert told(run_flows(stage_of(configured(tmp_path), pool), flows)) == [
        ("threat-server", "10.0.0.1", "45.9.8.0/24"), ("threat-client", "45.9.8.8", "45.9.8.0/24"),
    ]  # fmt: skip


def tls(**given: object) -> TlsConnection:
    return msgspec.convert(
        {"ts": START / SECOND, "uid": "C1", "community_id": "1:x", "id.orig_h": "10.0.0.5", "id.orig_p": 40_000,
         "id.resp_h": "10.0.1.1", "id.resp_p": 443, "duration": 1.0, "end_now": START + SECOND, **given},
        TlsConnection,
    )  # fmt: skip


def test_names_and_fingerprints_of_tls(tmp_path: Path) -> None:
    pool = Pool()
    stage = stage_of(configured(tmp_path), pool)
    features = features_of(stage)
    rows = [
        tls(server_name="a.evil.example.org"), tls(ja4="t13d1516h2_8daaf6152771_e5627efa2ab1"),
        tls(server_name="fine.test", ja4="t13d1516h2_8daaf6152771_e5627efa2ab2"),
    ]  # fmt: skip
    entities = features.process(NO_TRANSACTIONS)
    found = stage.process(NO_TRANSACTIONS, NO_FLOWS, NO_STREAMS, START + SECOND, entities, features.tables, tls=rows)
    assert told(found) == [
        ("threat-domain", "10.0.0.5", "evil.example.org"),
        ("threat-fingerprint", "10.0.0.5", "t13d1516h2_8daaf6152771_e5627efa2ab1"),
    ]


def test_names_asked_of_dns(tmp_path: Path) -> None:
    asks = [Ask(1, "a.evil.example.org"), Ask(2, "evil.example.org.fine.test"), Ask(3, "a.evil.example.org", qtype=28)]
    (found,) = run_lookups(stage_of(configured(tmp_path), Pool()), asks)
    assert told([found]) == [("threat-lookup", CLIENT, "evil.example.org")]
    assert (found.details["shown"], found.server_port) == ("a.evil.example.org", 53)


def health(settings: ThreatIntelSettings, seconds: list[float], batch: int = 1000) -> list[tuple[str, str, int]]:
    pool = Pool()
    rows = join([transaction(pool, each) for each in seconds])
    found = run_transactions(stage_of(settings, pool), rows, batch)
    return [(each.entity.value, each.details["problem"], (each.now - START) // SECOND) for each in found]


@pytest.mark.parametrize("batch", [1, 1000])
def test_a_stale_feed_is_told_once_a_day(tmp_path: Path, batch: int) -> None:
    settings = configured(tmp_path, stale_seconds=7200)
    assert health(settings, [0, 3599]) == []
    assert health(settings, [0, 3590, 3605, 9000, 3605 + 86_399, 3605 + 86_401], batch) == [
        ("list", "not updated for 2 h", 3605), ("list", "not updated for 2 h", 3605 + 86_401),
    ]  # fmt: skip


def test_a_failing_feed_and_one_that_was_never_there_are_told(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    (tmp_path / "list.txt").unlink()
    update(settings, START / SECOND, force=True)
    (tmp_path / "feeds" / "agents.json").unlink()
    assert health(settings, [1, 2, 3]) == [
        ("agents", "never fetched: tapir feeds update", 1),
        ("list", "1 updates in a row failed: cannot be fetched: No such file or directory", 1),
    ]


def test_a_broken_file_is_told_and_the_sensor_goes_on(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    (tmp_path / "feeds" / "list.npz").write_bytes(b"broken")
    assert [name for name, problem, _ in health(settings, [1]) if "not a feed as" in problem] == ["folder"]


def reloaded(stage: DetectionStage) -> None:
    """Let the files be looked at now, and what changed be read to its end."""
    detector = stage.detectors["threat_intel"]
    assert isinstance(detector, ThreatIntel)
    detector._reloading._looked = -1e9
    assert detector._reloading.poll() is None
    assert detector._reloading._reader is not None
    detector._reloading._reader.join(30)


def test_changed_feeds_are_taken_over_and_what_was_told_stays_told(tmp_path: Path) -> None:
    pool = Pool()
    settings = configured(tmp_path)
    stage = stage_of(settings, pool)
    rows = [transaction(pool, second, host="evil.example.org") for second in (1, 2)]
    assert len(run_transactions(stage, rows[0])) == 1
    (tmp_path / "list.txt").write_text("other.example.org\nevil.example.org\n")
    update(settings, START / SECOND, force=True)
    reloaded(stage)
    found = run_transactions(stage, join([rows[1], transaction(pool, 3, host="other.example.org")]))
    assert [each.details["entry"] for each in found] == ["other.example.org"]


def test_what_was_told_survives_a_restart(tmp_path: Path) -> None:
    pool = Pool()
    settings = configured(tmp_path, stale_seconds=1)
    first, second = stage_of(settings, pool), stage_of(settings, pool)
    row = transaction(pool, 1, host="evil.example.org")
    assert len(run_transactions(first, row)) == 2  # the name, and the stale feed
    state = first.memories["detection.threat_intel"].state()
    assert second.memories["detection.threat_intel"].restore({name: array.copy() for name, array in state.items()})
    assert run_transactions(second, row) == []


def test_without_a_folder_nothing_is_asked() -> None:
    pool = Pool()
    stage = stage_of(ThreatIntelSettings(), pool)
    assert run_transactions(stage, transaction(pool, 1, client="45.9.8.7")) == []
    with pytest.raises(SettingError, match="folder"):
        ThreatIntel(ThreatIntelSettings(feeds=(FeedSettings(name="a", url="file:///a"),)), pool)


@pytest.mark.skipif(not REAL.exists(), reason="needs the captures in ../shared/real")
def test_of_a_real_capture_the_attacker_alone_is_named(tmp_path: Path) -> None:
    truth = json.loads((REAL / "06-hydra.truth.json").read_text())
    (attacker,) = {address for attack in truth["activities"] for address in attack["attackers"]}
    given = configured(tmp_path, LIST + attacker + "\n", special_addresses=True)
    settings = Settings(detection=alone(threat_intel=given))
    alerts = sensor.read(str(REAL / "06-hydra.pcap.xz"), settings).alerts.to_dicts()
    assert {(alert["rule_id"], alert["entity.value"]) for alert in alerts if alert["kind"] != "health"} == {
        ("threat-client", attacker)
    }
