"""`tapir edges`: learned from a capture, that capture is allowed; another one's calls are named."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from sensor.cli.app import app

PCAPS = Path(__file__).parents[2] / "pcaps"
USUAL, OTHER = str(PCAPS / "few-wrong-logins.pcap"), str(PCAPS / "bulk-download.pcap")


def edges(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["edges", *arguments])
    return result.exit_code, result.stdout


def test_learn_then_check(tmp_path: Path) -> None:
    file = str(tmp_path / "edges.toml")
    assert edges("learn", USUAL, "--output", file) == (0, "")
    assert "[[edges]]" in Path(file).read_text()
    assert edges("check", file, USUAL) == (0, "")
    code, shown = edges("check", file, OTHER)
    assert code == 1
    assert all(line.startswith("edge-not-allowed  medium  ") for line in shown.splitlines())
    assert "10.77.0.9 -> " in shown


def test_a_file_is_not_written_over_unless_asked(tmp_path: Path) -> None:
    file = tmp_path / "edges.toml"
    file.write_text("# mine\n")
    assert edges("learn", USUAL, "--output", str(file))[0] == 2
    assert file.read_text() == "# mine\n"
    assert edges("learn", USUAL, "--output", str(file), "--force")[0] == 0


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert edges("learn", str(tmp_path / "none.pcap"))[0] == 1
    assert edges("check", str(tmp_path / "none.toml"), USUAL)[0] == 1
