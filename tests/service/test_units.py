"""The units say what systemd accepts, are hardened, and start a command that exists with options that it has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = {"tapir-sensor@.service": "tapir-sensor@eth1.service", "tapir-collector.service": "tapir-collector.service",
         "tapir-feeds.service": "tapir-feeds.service"}  # fmt: skip

needs_analyzer = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def placed(tmp_path: Path, unit: str) -> Path:
    """The unit with a command that exists, under a name with an instance."""
    tapir = tmp_path / "tapir"
    tapir.write_text("#!/bin/sh\n")
    tapir.chmod(0o755)
    text = (ROOT / "systemd" / unit).read_text().replace("/opt/tapir/bin/tapir", str(tapir))
    path = tmp_path / UNITS[unit]
    path.write_text(text)
    return path


@needs_analyzer
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_unit(tmp_path: Path, unit: str) -> None:
    command = ["systemd-analyze", "verify", "--man=no", str(placed(tmp_path, unit))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in ended.stderr.splitlines() if "tapir" in line]
    assert (ended.returncode, complaints) == (0, [])


@needs_analyzer
def test_systemd_accepts_the_timer(tmp_path: Path) -> None:
    placed(tmp_path, "tapir-feeds.service")
    path = Path(shutil.copy(ROOT / "systemd" / "tapir-feeds.timer", tmp_path))
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in ended.stderr.splitlines() if "tapir" in line]
    assert (ended.returncode, complaints) == (0, [])


@needs_analyzer
@pytest.mark.parametrize("unit", UNITS)
def test_exposure_is_below_two(tmp_path: Path, unit: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(placed(tmp_path, unit))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: ([\d.]+)", ended.stdout)
    assert found is not None, ended.stderr
    assert float(found[1]) < 2.0
    assert ended.returncode == 0


@pytest.mark.parametrize("unit", UNITS)
def test_the_commands_have_the_options_that_the_unit_gives(unit: str) -> None:
    text = (ROOT / "systemd" / unit).read_text()
    commands = re.findall(r"^Exec\w+=\S+/tapir ([a-z ]+?) ([%$-].*)$", text, re.MULTILINE)
    assert commands
    for name, arguments in commands:
        command = [sys.executable, "-m", "sensor", *name.split(), "--help"]
        environment = {"TERM": "dumb", "COLUMNS": "200"}
        shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        options = re.findall(r"(?<!\S)--[a-z-]+", arguments)
        assert [option for option in options if option not in shown.stdout] == []


@pytest.mark.parametrize("unit", ["tapir-sensor@.service", "tapir-collector.service"])
def test_a_reload_is_possible(unit: str) -> None:
    assert "ExecReload=/bin/kill -HUP $MAINPID" in (ROOT / "systemd" / unit).read_text()


def test_install_and_uninstall_leave_nothing_behind(tmp_path: Path) -> None:
    """Files only, with a pip that installs nothing: the network is not needed to see where things go."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in\n*" venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";'
        f' printf "#!/bin/sh\\nexec {sys.executable} -m sensor \\"\\$@\\"\\n" > "$3/bin/tapir"\n'
        ' chmod +x "$3/bin/tapir";;\n'
        f'*pip*) ;;\n*) exec {sys.executable} "$@";;\nesac\n'
    )
    python.chmod(0o755)
    root = tmp_path / "root"
    environment = {"DESTDIR": str(root), "PYTHON": str(python), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    for _ in range(2):  # a second time is an upgrade
        install = [ROOT / "systemd" / "install"]
        ended = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    assert "installed tapir" in ended.stdout
    assert (root / "etc/tapir/tapir.toml").read_text().startswith("[capture]")
    assert (root / "etc/systemd/system/tapir-sensor@.service").exists()
    subprocess.run([ROOT / "systemd" / "uninstall", "--purge"], env=environment, check=True)
    assert [path for path in root.rglob("*") if path.is_file()] == []
