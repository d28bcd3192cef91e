"""The kernels as plain Python give the same as compiled: what a debugger steps through is what runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay.captures import PCAPS

FRAMINGS = ["pipelining", "chunked", "continue-100", "connect-upgrade", "bare-line-feeds"]
CAPTURES = [*FRAMINGS, "midstream", "synthetic-overlap", "http2-upgrade", "grpc-calls", "tls-nginx", "websockets"]
TABLES = ("transactions", "tls", "websockets", "dns")


def tables(captures: list[str], folder: Path, **environment: str) -> dict[str, str]:
    folder.mkdir()
    paths = {table: folder / f"{table}.jsonl" for table in TABLES}
    options = [part for table, path in paths.items() for part in (f"--{table}", str(path))]
    command = [sys.executable, "-m", "sensor", "read", *captures, *options, "--quiet"]
    subprocess.run(command, env=os.environ | environment, check=True, timeout=500)
    return {table: path.read_text() for table, path in paths.items()}


@pytest.mark.slow
def test_without_the_compiler(tmp_path: Path) -> None:
    captures = [str(PCAPS / f"{name}.pcap") for name in CAPTURES]
    compiled = tables(captures, tmp_path / "compiled")
    assert tables(captures, tmp_path / "plain", NUMBA_DISABLE_JIT="1") == compiled
    assert [text.count("\n") for text in compiled.values()] == [84, 9, 5, 0]
