"""Changed settings while packets are read: what was known stays known, what changed changes, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from sensor.config import FailedLoginsSettings, Settings
from sensor.config.reload import LIVE, differences, is_live, taken_over
from sensor.errors import SettingError
from sensor.limits import BLOCKS_TOGETHER
from sensor.pipeline import Pipeline
from sensor.settings_file import load_settings
from tests.replay.captures import PCAPS

NAMES = ("hydra-basic", "hydra-form", "nmap-connect", "nmap-syn", "stuffing", "shared-export", "bulk-download",
         "spread-guessing", "few-wrong-logins", "nginx-browsing")  # fmt: skip
NOT_THE_SAME = ("epoch", "detection_ts")


def alerts(name: str, before: Settings, after: Settings | None = None, every: int = 7) -> list[str]:
    """JSON of the capture's alerts; the settings are taken over again and again, all detectors being made anew."""
    pipeline = Pipeline(before, [str(PCAPS / f"{name}.pcap")])
    found = []
    for number, batch in enumerate(pipeline):
        found += [msgspec.to_builtins(alert) for alert in batch.alerts]
        if after and number % every == every - 1:
            pipeline._detection._stamps = {}  # as if every file had changed
            prepared = pipeline.prepare(after)
            assert len(prepared.detection.made) > 20
            pipeline.take_over(prepared)
    return [json.dumps({key: each[key] for key in each if key not in NOT_THE_SAME}) for each in found]


def settings(*words: str, judged_frames: int = 50) -> Settings:
    """Verdicts, between which settings are taken over, on about so many packets each."""
    frames = max(judged_frames // BLOCKS_TOGETHER, 1)
    return load_settings(None, ["alerting.sensor=lab", f"capture.batch_frames={frames}", *words])


@pytest.mark.parametrize("name", NAMES)
def test_detectors_that_are_made_anew_go_on_with_what_those_before_them_knew(name: str) -> None:
    assert alerts(name, settings(), settings()) == alerts(name, settings())


def test_a_threshold_that_changed_counts_from_then_on() -> None:
    lax = settings("detection.failed_logins.client_failures_max=1000", judged_frames=20)
    strict = settings(judged_frames=20)
    rules = {json.loads(each)["rule_id"] for each in alerts("hydra-basic", lax)}
    assert "brute-force-login" not in rules
    assert "brute-force-login" in {json.loads(each)["rule_id"] for each in alerts("hydra-basic", lax, strict)}


def test_detectors_are_switched_off_and_on(tmp_path: Path) -> None:
    allow = tmp_path / "allow.toml"
    allow.write_text("[[allow]]\nrule = 'brute-force-*'\nreason = 'a drill'\nuntil = 2100-01-01\n")
    off = settings("detection.failed_logins.enabled=false")
    assert alerts("hydra-basic", settings(), off) != alerts("hydra-basic", settings())
    assert any("brute-force-login" in each for each in alerts("hydra-basic", off, settings(), every=1))
    allowed = settings(f"alerting.allow_file={allow}", judged_frames=1)
    assert not any("brute-force" in each for each in alerts("hydra-basic", settings(judged_frames=1), allowed, every=1))


def test_a_fault_leaves_everything_as_it_was(tmp_path: Path) -> None:
    pipeline = Pipeline(settings(), [str(PCAPS / "hydra-basic.pcap")])
    before = dict(pipeline._detection.detectors)
    with pytest.raises(SettingError):
        pipeline.prepare(settings(f"detection.honeytokens.file={tmp_path / 'none'}", "detection.port_scan.ports_min=3"))
    assert pipeline._detection.detectors == before
    list(pipeline)


def test_a_broken_file_of_sigma_rules_leaves_those_before_it(tmp_path: Path) -> None:
    good = "title: A rule\nlogsource: {category: webserver}\ndetection: {s: {cs-method: POST}, condition: s}\n"
    (tmp_path / "one.yml").write_text(good)
    chosen = settings(f'detection.sigma.rules=["{tmp_path}"]')
    pipeline = Pipeline(chosen, [str(PCAPS / "hydra-form.pcap")])
    found = [alert.rule_id for alert in next(iter(pipeline)).alerts]
    (tmp_path / "one.yml").write_text(good.replace("condition: s", "condition: t"))
    with pytest.raises(SettingError, match=r"detection.sigma.rules: .*one.yml: A rule"):
        pipeline.prepare(chosen)
    (tmp_path / "one.yml").write_text(good.replace("A rule", "Another rule"))
    pipeline.take_over(pipeline.prepare(chosen))
    found += [alert.rule_id for batch in pipeline for alert in batch.alerts]
    assert "sigma-another-rule" in found


def test_what_gives_way_under_overload_changes_too_and_a_detector_that_is_none_is_a_fault() -> None:
    pipeline = Pipeline(settings(), [str(PCAPS / "hydra-basic.pcap")])
    pipeline.take_over(pipeline.prepare(settings("overload.detectors=['injection']", "overload.pressure_high=0.9")))
    assert pipeline._overload._settings.pressure_high == 0.9
    with pytest.raises(SettingError, match=r"overload\.detectors: there is no 'injektion'"):
        pipeline.prepare(settings("overload.detectors=['injektion']"))
    list(pipeline)


def test_packets_of_alerts_are_kept_from_when_it_is_asked_for_until_it_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    off = settings("capture.replay_pace=0", f"evidence.folder={folder}")
    on = settings("capture.replay_pace=0", f"evidence.folder={folder}", "evidence.enabled=true")
    longer = settings("capture.replay_pace=0", f"evidence.folder={folder}", "evidence.enabled=true",
                      "evidence.keep_seconds=60")  # fmt: skip
    pipeline = Pipeline(off, [str(PCAPS / "hydra-basic.pcap")], loop=True)
    kept = None
    for batch in pipeline:
        if kept is None and any(each.rule_id == "brute-force-login" for each in batch.alerts):
            assert not folder.exists()
            pipeline.take_over(pipeline.prepare(on))
            kept = pipeline._evidence
        elif kept and pipeline._evidence and any(folder.glob("*.pcap")):
            pipeline.take_over(pipeline.prepare(longer))
            assert pipeline._evidence is kept, "what was recent still is"
            pipeline.take_over(pipeline.prepare(off))
            pipeline.stop()
    assert "evidence" not in pipeline.counters()


def test_what_needs_a_restart_is_told_apart() -> None:
    before = Settings()
    after = load_settings(None, ["detection.failed_logins.client_failures_max=3", "capture.batch_frames=64"])
    assert [(key, is_live(key)) for key, _ in differences(before, after)] == [
        ("capture.batch_frames", False), ("detection.failed_logins.client_failures_max", True),
    ]  # fmt: skip
    taken = taken_over(before, after)
    assert taken.detection.failed_logins == FailedLoginsSettings(client_failures_max=3)
    assert taken.capture == before.capture
    assert all(key in msgspec.json.encode(before).decode() for key in (each.rpartition(".")[2] for each in LIVE))
