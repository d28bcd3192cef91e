"""`tapir settings`: what it prints can be read back, and every setting is documented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from sensor.cli.rules import rules_setting
from sensor.cli.settings_text import as_markdown, as_toml, groups
from sensor.config import PortScanSettings, Settings
from sensor.settings_file import load_settings

ROOT = Path(__file__).resolve().parents[2]


def tapir(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sensor", *arguments], capture_output=True, text=True, check=False)


def test_what_is_printed_gives_the_same_settings_again(tmp_path: Path) -> None:
    changed = msgspec.structs.replace(
        Settings(), detection=msgspec.structs.replace(Settings().detection, port_scan=PortScanSettings(ports_min=77))
    )
    path = tmp_path / "tapir.toml"
    for settings in (Settings(), changed):
        path.write_text(as_toml(settings))
        assert load_settings(path) == settings


def test_every_setting_says_what_it_is_for() -> None:
    every = [(group.name, member) for group in groups(Settings()) for member in group.members]
    assert [f"{group}.{member.name}" for group, member in every if not member.about or "|" in member.about] == []


def test_the_page_of_documentation_is_current() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == as_markdown(Settings()), "run: tapir settings --markdown > docs/settings.md"


def test_a_wrong_file_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[alerting]\nquiet_second = 1\n")
    ended = tapir("settings", str(path))
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"tapir settings: {path}:2: alerting.quiet_second: no such setting")
    assert ended.stderr.count("\n") == 1


def test_values_as_json() -> None:
    ended = tapir("settings", "--set", "detection.port_scan.enabled=false", "--json")
    assert json.loads(ended.stdout)["detection"]["port_scan"]["enabled"] is False


def test_rules_go_to_whoever_reads_them(tmp_path: Path) -> None:
    (tmp_path / "sigma").mkdir()
    (tmp_path / "both").mkdir()
    for name in ("sigma/a.yml", "both/a.yaml", "both/b.rules"):
        (tmp_path / name).write_text("")
    sigma, both = str(tmp_path / "sigma"), str(tmp_path / "both")
    assert rules_setting([sigma, "default", both]) == [
        f'detection.signatures.rules=["default", "{both}"]',
        f'detection.sigma.rules=["{sigma}", "{both}"]',
    ]
    assert rules_setting(None) == []
