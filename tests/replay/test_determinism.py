"""The same capture gives the same bytes on every output, however its packets are cut into batches, and in every
process.
"""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from sensor.cli.reading import Options, run
from tests.replay.captures import Expected, expected

CAPTURES = expected()
SHARED = Path(__file__).resolve().parents[3] / "shared" / "real"
TABLES = ("transactions", "flows", "tls", "websockets", "dns", "alerts")
OF_THIS_RUN = ("epoch", "detection_ts")
WHOLE = 10_000_000


def outputs(capture: Path, folder: Path, batch_frames: int) -> dict[str, list[str]]:
    """The lines of each output; alerts without what tells one run from another."""
    folder.mkdir()
    paths = {table: folder / f"{table}.jsonl" for table in TABLES}
    options = Options(
        inputs=[str(capture)], transactions=str(paths["transactions"]), flows=str(paths["flows"]),
        tls=str(paths["tls"]), websockets=str(paths["websockets"]), dns=str(paths["dns"]),
        alerts=str(paths["alerts"]),
        publish=None, wait_subscribers=0, show_secrets=False, batch_frames=batch_frames, json=False, quiet=True,
        sensor="lab",
    )  # fmt: skip
    run(options)
    lines = {table: path.read_text().splitlines() for table, path in paths.items()}
    lines["alerts"] = [
        json.dumps({key: value for key, value in json.loads(line).items() if key not in OF_THIS_RUN})
        for line in lines["alerts"]
    ]
    return lines


@pytest.mark.parametrize("capture", CAPTURES, ids=str)
def test_batches_do_not_matter(capture: Expected, tmp_path: Path) -> None:
    whole = outputs(capture.path, tmp_path / "whole", WHOLE)
    assert outputs(capture.path, tmp_path / "one", 1) == whole
    assert outputs(capture.path, tmp_path / "thousand", 1000) == whole


@pytest.mark.parametrize("name", ["02-nmap-fast", "06-hydra", "09-bulk-exfil"])
def test_batches_do_not_matter_on_real_captures(name: str, tmp_path: Path) -> None:
    packed = SHARED / f"{name}.pcap.xz"
    if not packed.exists():
        pytest.skip("../shared/real is not there")
    capture = tmp_path / f"{name}.pcap"
    capture.write_bytes(lzma.decompress(packed.read_bytes()))
    whole = outputs(capture, tmp_path / "whole", WHOLE)
    assert whole["transactions"]
    assert outputs(capture, tmp_path / "thousand", 1000) == whole
    assert outputs(capture, tmp_path / "seven", 7) == whole


def test_another_process_gives_the_same(tmp_path: Path) -> None:
    capture = next(one for one in CAPTURES if one.name == "hydra-form")
    here = outputs(capture.path, tmp_path / "here", 8192)
    there = tmp_path / "there.jsonl"
    command = [sys.executable, "-m", "sensor", "read", str(capture.path), "--transactions", str(there), "--quiet"]
    subprocess.run(command, check=True, timeout=500)
    assert there.read_text().splitlines() == here["transactions"]
