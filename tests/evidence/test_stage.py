"""Evidence of a sensor that runs: a file for each alert, private, with its packets, for its time."""

from __future__ import annotations

import os
from pathlib import Path

import dpkt
import msgspec
import pytest

from sensor.alert import Alert, State
from sensor.config import EvidenceSettings, Settings
from sensor.errors import SettingError
from sensor.evidence.folder import EvidenceFolder, Kept, find
from sensor.pipeline import Pipeline
from tests.replay.captures import PCAPS
from tests.test_reload import settings


def one_round(name: str, chosen: Settings) -> tuple[list[Alert], dict[str, int]]:
    """A capture replayed once, as fast as it can be read."""
    pipeline = Pipeline(chosen, [str(PCAPS / f"{name}.pcap")], loop=True)
    alerts = []
    for batch in pipeline:
        alerts += batch.alerts
        if pipeline.counters()["capture"]["inputs"] > 1:
            pipeline.stop()
    return alerts, pipeline.counters()["evidence"]


@pytest.mark.parametrize("on_disk", ["false", "true"])
def test_each_alert_has_its_packets(tmp_path: Path, on_disk: str) -> None:
    folder = tmp_path / "evidence"
    words = ("evidence.enabled=true", f"evidence.folder={folder}", f"evidence.ring_on_disk={on_disk}")
    alerts, counts = one_round("hydra-basic", settings(*words, "capture.replay_pace=0"))
    last = {alert.alert_id: alert for alert in alerts}
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert {path.stem for path in folder.glob("*.pcap")} == set(last)
    for alert_id, alert in last.items():
        found = find(folder, alert_id[:12])
        assert found is not None
        path, kept = found
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.with_suffix(".json").stat().st_mode & 0o777 == 0o600
        assert kept.alert == alert
        assert alert.state == State.CLOSED
        packets = list(dpkt.pcap.Reader(path.open("rb")))
        assert kept.packets == len(packets) > 5
        assert kept.packets_deciding > 5
        assert [ts for ts, _ in packets] == sorted(ts for ts, _ in packets)
        assert len(packets) == len({(ts, content) for ts, content in packets})  # later revisions repeat nothing
    assert counts["failed"] == counts["skipped"] == 0


def test_nothing_is_kept_unless_it_was_asked_for(tmp_path: Path) -> None:
    chosen = settings(f"evidence.folder={tmp_path}")
    list(Pipeline(chosen, [str(PCAPS / "hydra-basic.pcap")]))
    asked = msgspec.structs.replace(chosen, evidence=EvidenceSettings(enabled=True, folder=str(tmp_path)))
    list(Pipeline(asked, [str(PCAPS / "hydra-basic.pcap")]))  # a capture is its own evidence
    assert list(tmp_path.iterdir()) == []


def test_a_small_ring_says_what_was_gone(tmp_path: Path) -> None:
    words = ("evidence.enabled=true", f"evidence.folder={tmp_path / 'e'}", "evidence.ring_bytes=1048576")
    one_round("nmap-syn", settings(*words, "capture.replay_pace=0", "evidence.after_seconds=0"))
    kept = [msgspec.json.decode(path.read_bytes(), type=Kept) for path in (tmp_path / "e").glob("*.json")]
    assert kept
    assert all(each.bytes <= EvidenceSettings().alert_bytes_max + 24 for each in kept)


def test_files_are_removed_in_time_and_beyond_the_budget(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path / "e", EvidenceSettings(keep_seconds=3600, bytes_max=250))
    for number, name in enumerate(["a", "b", "c", "d"]):
        for ending in (".pcap", ".json"):
            path = folder.path / (name + ending)
            path.write_bytes(b"x" * 100)
            os.utime(path, (1_000_000_000 if name == "a" else path.stat().st_mtime + number,) * 2)
    folder.tend()
    assert sorted(path.name for path in folder.path.iterdir()) == ["c.json", "c.pcap", "d.json", "d.pcap"]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    chosen = settings("evidence.enabled=true", f"evidence.folder={tmp_path / 'e'}", "capture.replay_pace=0",
                      "evidence.after_seconds=0")  # fmt: skip
    pipeline = Pipeline(chosen, [str(PCAPS / "hydra-basic.pcap")], loop=True)
    (tmp_path / "e").rmdir()
    rules = set()
    for batch in pipeline:
        rules |= {alert.rule_id for alert in batch.alerts}
        if pipeline.counters()["capture"]["inputs"] > 2:
            pipeline.stop()
    assert "evidence-failing" in rules
    assert pipeline.counters()["evidence"]["failed"] > 0


def test_a_folder_that_others_can_look_into_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(SettingError, match="expected mode 0700"):
        EvidenceFolder(tmp_path, EvidenceSettings())
    with pytest.raises(SettingError, match=r"evidence\.folder"):
        Pipeline(settings("evidence.enabled=true"), [str(PCAPS / "hydra-basic.pcap")], loop=True)
