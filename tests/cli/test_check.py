"""`tapir check`: every fault is told with its place, and what would work is said to work."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sensor.errors import SettingError
from sensor.settings_file import examine_settings


def check(*arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "sensor", "check", *arguments, "--json"]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "STATE_DIRECTORY": "", **environment}
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def of(found: list[dict[str, Any]], name: str, level: str) -> list[dict[str, Any]]:
    return [each for each in found if each.get("check") == name and each["level"] == level]


def test_every_fault_of_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tapir.toml"
    path.write_text(
        "[detection.port_scan]\nports = 5\nports_min = 0\n[alerting]\nquiet_seconds = 60\n"
        "[[collector.channels]]\nname = 'a'\nurl = 'x'\n"
    )
    settings, faults, places = examine_settings(path)
    assert [(fault.place, fault.key) for fault in faults] == [
        (f"{path}:2", "detection.port_scan.ports"),
        (f"{path}:3", "detection.port_scan.ports_min"),
        (f"{path}:8", "collector.channels.url"),
    ]
    assert settings.alerting.quiet_seconds == 60
    assert places["alerting.quiet_seconds"] == f"{path}:5"


def test_what_is_no_toml_is_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "tapir.toml"
    path.write_text("[alerting\n")
    with pytest.raises(SettingError, match="not TOML"):
        examine_settings(path)
    assert check("--settings", str(path))[0] == 2


def test_a_host_where_it_would_work(tmp_path: Path) -> None:
    allow = tmp_path / "allow.toml"
    allow.write_text("[[allow]]\nrule = 'port-scan-*'\nreason = 'audit'\nuntil = 2030-01-01\n")
    path = tmp_path / "tapir.toml"
    path.write_text(f"[alerting]\nallow_file = '{allow}'\n[[collector.channels]]\nname = 'a'\nwebhook = 'http://h/k-s'\n")
    state = tmp_path / "state"
    code, found = check("lo", "--settings", str(path), "--state", str(state), "--publish", "tcp://127.0.0.1:*")
    troubles = [each for each in found if each.get("level") == "trouble" and each["check"] != "permissions"]
    assert troubles == []
    assert code == (4 if of(found, "permissions", "trouble") else 0)
    names = {each["check"] for each in found if each.get("level") == "ok"}
    expected = {"settings", "interface", "state", "journal", "publish", "rules", "detectors", "stages", "allowances"}
    assert expected | {"collector"} <= names
    effective = {each["setting"]: each for each in found if "setting" in each}
    assert effective["alerting.allow_file"] == {
        "setting": "alerting.allow_file", "value": str(allow), "from": f"{path}:2", "needs_restart": False,
    }  # fmt: skip
    assert effective["state.folder"]["needs_restart"]
    assert "http://h/k-s" not in json.dumps(found)
    assert not state.exists()  # nothing is made


def test_what_is_missing_on_the_host_is_told(tmp_path: Path) -> None:
    rules = tmp_path / "own.rules"
    rules.write_text('alert http any any -> any any (msg:"x"; nosuchkeyword; sid:1;)\n')
    honey = tmp_path / "honey.txt"
    state = tmp_path / "state"
    state.mkdir()
    with open(state / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, found = check(
            "nosuch0", "--rules", str(rules), "--state", str(state), "--publish", "tcp://0.0.0.0:5556",
            "--set", f"detection.honeytokens.file={honey}", "--set", "capture.filter=tcp prt 80",
            "--set", f"bus.keys={tmp_path / 'keys'}", "--set", "protocols.trusted_proxies=['10.0.0.0/33']",
            "--set", "service.metrics=here",
        )  # fmt: skip
    assert code == 4
    assert "no such interface" in of(found, "interface", "trouble")[0]["text"]
    assert of(found, "rules", "trouble")[0]["where"] == f"{rules}:1"
    assert str(honey) in of(found, "detectors", "trouble")[0]["text"]
    assert "does not compile" in of(found, "filter", "trouble")[0]["text"]
    assert "tapir keys make" in of(found, "publish", "trouble")[0]["text"]
    assert "no HOST:PORT" in of(found, "metrics", "trouble")[0]["text"]
    assert "trusted_proxies" in of(found, "stages", "trouble")[0]["text"]
    assert "in use" in of(found, "state", "notice")[0]["text"]
