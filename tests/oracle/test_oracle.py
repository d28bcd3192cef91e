"""Public captures on whose transactions independent analysers agree: how many of them Tapir has, and that nothing
crashes.

`python -m tests.oracle.test_oracle [COMPARE'S OPTIONS]` prints the whole comparison.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.oracle.candidates import ORACLE, candidates, captures, in_scope

FIGURE = re.compile(r"agreed (\d+)/(\d+) = [\d.]+%  spurious (\d+)")


class Figure(NamedTuple):
    found: int
    agreed: int
    spurious: int

    @property
    def percent(self) -> float:
        return 100 * self.found / self.agreed


def compare(oracle: Path, mine: Path, *options: str) -> tuple[Figure, str]:
    """What compare.py says, and its whole text."""
    command = [sys.executable, str(ORACLE / "compare.py"), str(oracle), str(mine), *options]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    match = FIGURE.search(text)
    assert match, text
    return Figure(*map(int, match.groups())), text


def oracle_rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ORACLE / "dev" / "oracle.jsonl").read_text().splitlines()]


def names_in_scope() -> set[str]:
    """The captures of dev in which every transaction travels over plain links (see in_scope)."""
    encapsulations = defaultdict(set)
    for row in oracle_rows():
        if row.get("encap"):
            encapsulations[row["pcap"]].add(row["encap"])
    return {path.name for path in captures("dev") if in_scope(path, encapsulations[path.name])}


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def dev() -> list[dict[str, Any]]:
    """Every transaction that Tapir finds in dev."""
    if not ORACLE.exists():
        pytest.skip("../shared/oracle is not there")
    return [row for path in captures("dev") for row in candidates(path)]


def test_nearly_all_agreed_transactions_in_scope_are_found(dev: list[dict[str, Any]], tmp_path: Path) -> None:
    scope = names_in_scope()
    oracle = write_lines(tmp_path / "oracle.jsonl", [row for row in oracle_rows() if row["pcap"] in scope])
    mine = write_lines(tmp_path / "mine.jsonl", [row for row in dev if row["pcap"] in scope])
    figure, text = compare(oracle, mine, "--worst", "15")
    print(text)
    assert figure.agreed > 1900
    assert figure.percent >= 99.5, text


def test_nearly_all_agreed_transactions_are_found_and_hardly_others(dev: list[dict[str, Any]], tmp_path: Path) -> None:
    """Tunnels and all; docs/correctness.md has the packet that decides each of the rest."""
    figure, text = compare(ORACLE / "dev" / "oracle.jsonl", write_lines(tmp_path / "mine.jsonl", dev), "--worst", "15")
    assert figure.agreed > 2200
    assert figure.percent >= 99.5, text
    assert figure.spurious < 0.005 * figure.agreed, text


def test_captures_without_http_are_read_without_harm_and_give_none() -> None:
    special = captures("special")
    if not special:
        pytest.skip("../shared/oracle is not there")
    found = {path: [row for row in candidates(path) if row["method"] and row["version"] != "2"] for path in special}
    compressed = {path for path in special if path.parent.name == "gz"}  # the originals of others, some with HTTP
    assert not {path.name: rows for path, rows in found.items() if rows and path not in compressed}


def main(options: list[str]) -> None:
    """The whole comparison over dev, tunnels and all."""
    rows = [row for path in captures("dev") for row in candidates(path)]
    with tempfile.TemporaryDirectory() as folder:
        mine = write_lines(Path(folder) / "mine.jsonl", rows)
        print(compare(ORACLE / "dev" / "oracle.jsonl", mine, *options)[1])


if __name__ == "__main__":
    main(sys.argv[1:])
