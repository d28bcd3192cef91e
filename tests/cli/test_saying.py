"""Lines carry their level where the journal reads them, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = "from sensor.cli.saying import Level, say_line; say_line('tapir run', 'gone', Level.ERROR)"


def said(path: Path, journal: str) -> str:
    with path.open("w") as stream:
        environment = {**os.environ, "JOURNAL_STREAM": journal}
        subprocess.run([sys.executable, "-c", PROGRAM], stderr=stream, check=True, env=environment)
    return path.read_text()


def test_levels_go_to_the_journal_alone(tmp_path: Path) -> None:
    path = tmp_path / "stderr"
    path.touch()
    of_path = path.stat()
    assert said(path, f"{of_path.st_dev}:{of_path.st_ino}") == "<3>tapir run: gone\n"
    for other in ("", "1:2", f"{of_path.st_dev}:", "x"):
        assert said(path, other) == "tapir run: gone\n"
