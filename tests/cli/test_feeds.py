"""`tapir feeds`: fetched, listed and asked from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sensor.cli.app import app


@pytest.fixture
def settings(tmp_path: Path) -> str:
    (tmp_path / "own.txt").write_text("45.9.8.0/24  # botnet\n10.0.0.1\n")
    file = tmp_path / "tapir.toml"
    file.write_text(
        f'[detection.threat_intel]\nfolder = "{tmp_path}/feeds"\n[[detection.threat_intel.feeds]]\nname = "own"\n'
        f'url = "file://{tmp_path}/own.txt"\n'
    )
    return str(file)


def feeds(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["feeds", *arguments])
    return result.exit_code, result.stdout


def test_update_list_and_match(settings: str) -> None:
    assert feeds("update", "--settings", settings) == (0, "fine    own: 1 entries, 1 left out; genuine by: file\n")
    assert feeds("update", "--settings", settings) == (0, "")  # not due
    code, shown = feeds("list", "--settings", settings)
    assert code == 0
    assert "1 left out: private, local or reserved addresses" in shown
    assert feeds("match", "45.9.8.7", "--settings", settings) == (
        0, "own  address  45.9.8.0/24  confidence 0.70  botnet\n",
    )  # fmt: skip
    assert feeds("match", "45.9.9.7", "--settings", settings) == (1, "")


def test_a_feed_that_fails_is_told(settings: str) -> None:
    feeds("update", "--settings", settings)
    (Path(settings).parent / "own.txt").unlink()
    code, shown = feeds("update", "own", "--settings", settings, "--json")
    assert code == 1
    status = json.loads(shown)
    assert (status["entries"], status["failures"]) == (1, 1)
    assert "cannot be fetched" in status["error"]


def test_wrong_settings(tmp_path: Path, settings: str) -> None:
    assert feeds("update")[0] == 2
    assert feeds("update", "other", "--settings", settings)[0] == 2
    assert feeds("list", "--settings", str(tmp_path / "none.toml"))[0] == 2
