"""A settings file: what it gives, and that every fault is told with its file, line, key and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.config import Settings
from sensor.errors import SettingError
from sensor.settings_file import load_settings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tapir.toml"
    path.write_text(text)
    return path


def test_no_file_is_the_defaults() -> None:
    assert load_settings(None) == Settings()


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    text = "[detection.failed_logins]\nclient_failures_max = 3\n[decode]\nvxlan_ports = [4789, 9999]\n"
    settings = load_settings(written(tmp_path, text))
    assert settings.detection.failed_logins.client_failures_max == 3
    assert settings.decode.vxlan_ports == (4789, 9999)
    assert settings.detection.port_scan == Settings().detection.port_scan


def test_the_command_line_goes_on_top(tmp_path: Path) -> None:
    path = written(tmp_path, "[alerting]\nsensor = 'a'\nquiet_seconds = 60\n")
    settings = load_settings(path, ["alerting.sensor=lab 2", "detection.port_scan.enabled=false"])
    assert settings.alerting.sensor == "lab 2"
    assert settings.alerting.quiet_seconds == 60
    assert not settings.detection.port_scan.enabled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[detection.port_scan]\nenabled = true\nports = 5\n", ".toml:3: detection.port_scan.ports: no such setting"),
        ("[detection.port_scan]\n\nports_min = 0\n", ".toml:3: detection.port_scan.ports_min: expected `int` >= 1"),
        ("decode.vxlan_ports = ['x']\n", "tapir.toml:1: decode.vxlan_ports: expected `int`, got `str`"),
        ("[detect]\n", "tapir.toml:1: detect: no such setting; known here: "),
        ("[alerting]\nsensor = \n", "tapir.toml: not TOML: Invalid value (at line 2"),
    ],
)
def test_a_fault_names_line_key_and_what_was_expected(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingError) as error:
        load_settings(written(tmp_path, text))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["detection.port_scan.ports_min=0", "decode.x=1", "a", "=1", "alerting.sensor.x=1"])
def test_a_fault_on_the_command_line_is_told_as_such(word: str) -> None:
    with pytest.raises(SettingError, match=r"^command line: "):
        load_settings(None, [word])


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="No such file"):
        load_settings(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(SettingError, match="not UTF-8 at byte 5"):
        load_settings(tmp_path / "bytes.toml")
